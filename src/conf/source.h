/*
 * The configuration's text with its includes put in place, and where everything in it stands.
 * libConfuse parses the text; this knows FILE:LINE of every key and value, which libConfuse loses
 * in sections and included files, and what it lets pass: a key given twice, "\d" without its
 * backslash.
 *
 * Threads: none. Bounds: 1 MiB a file, 4 MiB and 64 files together, includes 8 deep.
 */
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

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
    bool is_list; /* its value is in braces */
    bool is_section;
};

struct source;

/*
 * Reads `path` and what it includes. NULL, with problems, when a file cannot be read or is beyond
 * the bounds; a syntax error and other problems are noted, and the text is there all the same.
 */
struct source *source_read(const char *path, struct config_problems *problems);
void source_free(struct source **s);

/* The text for libConfuse, without include() statements; NUL-terminated. */
const char *source_text(const struct source *s);

/* Where line `line` (from 1) of that text comes from. */
struct source_place source_line(const struct source *s, unsigned line);

/* Every key and section once, in the order they are first given. */
void source_each_key(const struct source *s, void (*fn)(void *arg, const struct source_key *k),
                     void *arg);

/*
 * Where the value with this index of a key stands, or the key itself where it has fewer. `section`
 * is "" at top level, "policy", or "action outbound" for a section with a title. {NULL, 0}: the key
 * is not there.
 */
struct source_place source_find(const struct source *s, const char *section, const char *key,
                                size_t index);

#endif
