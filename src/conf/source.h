/*
 * The configuration's text with its includes put in place, and where everything in it stands.
 * libConfuse parses that text; this knows FILE:LINE of every key and value, which libConfuse loses
 * in sections and included files, and refuses what it lets pass, such as a key given twice.
 *
 * The text is written anew, one token a line and every word in single quotes: it means the same to
 * both, and a line of it is a token of a file.
 *
 * Threads: none. Bounds: 1 MiB a file, 4 MiB and 64 files together, includes 8 deep, 50000 keys.
 */
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/grammar.h"
#include "conf/problems.h"

struct source_place {
    const char *file; /* owned by the source */
    unsigned line;
};

/* A key or section as it is given. */
struct source_key {
    const char *section; /* "" at top level */
    const char *name;    /* of a section with its title: "action outbound" */
    struct source_place at;
    bool is_section;
    bool is_list;   /* its value is in braces */
    bool is_append; /* "+=" */
    size_t value_count;
};

struct source;

/* What stands between section and key where both are told: "", ".", or ": " behind a title. */
const char *source_joint(const char *section);

/*
 * Reads `path` and what it includes. What is wrong is noted as problems: files that cannot be read,
 * keys given twice, and of each file the first syntax error, from which on it is not looked at.
 * NULL when nothing can be read. Sections that are not known are keys like others, but no part of
 * the text: libConfuse would stop at them.
 */
struct source *source_read(const char *path, const struct grammar *g,
                           struct config_problems *problems);

/* The same of a text that is there already; `name` is what its places are told by. */
struct source *source_read_text(const char *name, const char *text, size_t len,
                                const struct grammar *g, struct config_problems *problems);
void source_free(struct source **s);

/* The text for libConfuse: whole statements, without include(). NUL-terminated. */
const char *source_text(const struct source *s);

/* Where line `line` (from 1) of that text comes from; 0: the file as a whole. */
struct source_place source_line(const struct source *s, unsigned line);

/* Every key and section once, in the order they are first given. */
void source_each_key(const struct source *s, void (*fn)(void *arg, const struct source_key *k),
                     void *arg);

/* The key or section; false when it is not there. */
bool source_find(const struct source *s, const char *section, const char *name,
                 struct source_key *out);

/* Where the value with this index of a key stands, or the key where it has fewer, or the file. */
struct source_place source_value(const struct source *s, const char *section, const char *name,
                                 size_t index);

#endif
