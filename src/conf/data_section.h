/*
 * Data files (replies.conf, providers.conf): sections of one kind, each a thing with a name, that
 * are read one after the other by a table of their keys.
 *
 * Threads: none. All of it is borrowed from the struct data_text, for as long as that is there.
 */
#ifndef CONF_DATA_SECTION_H
#define CONF_DATA_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "conf/grammar.h"
#include "conf/language.h"
#include "conf/problems.h"
#include "conf/scan.h"
#include "conf/source.h"

/* A data file as it is read. */
struct data_text {
    const char *kind; /* of its sections: "rule" */
    struct source *source;
    struct language *language;
    struct config_problems *problems;
};

struct data_section {
    const struct data_text *from;
    char name[SCAN_SECTION_SIZE]; /* "rule no-user" */
    const char *title;
    struct cfg_t *values;
};

struct data_key {
    struct grammar_key key;
    /* Reads one value into what the section becomes; false with a message for "VALUE: message". */
    bool (*set)(void *into, const char *value, struct error *err);
};

/*
 * Parses the text and tells what it has that its grammar has not. `name` is what its places are
 * told by. False, with a problem, when there is no going on; the rest is good for data_text_free()
 * either way.
 */
bool data_text_parse(struct data_text *d, const struct grammar *g, const char *name,
                     const char *text, size_t len);
void data_text_free(struct data_text *d);

/* In the order given. More than `max` are a problem, and left out. */
size_t data_section_count(const struct data_text *d, size_t max);
void data_section_get(const struct data_text *d, size_t index, struct data_section *out);

/* Sets every key that is given, in the order of the table. */
void data_section_read(const struct data_section *s, const struct data_key *keys, size_t count,
                       void *into);

bool data_section_given(const struct data_section *s, const char *key);
bool data_section_has(const struct data_section *s, const char *key); /* with at least a value */

/* Where another section of the file begins; 0: there is none of that title. */
unsigned data_section_line(const struct data_section *s, const char *title);

/* About the section as a whole: "rule no-user: message". */
void data_section_problem(const struct data_section *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* About one value: "rule no-user: code: "5xx" message". */
void data_value_problem(const struct data_section *s, const char *key, unsigned index,
                        const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void data_value_warn(const struct data_section *s, const char *key, unsigned index, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));

#endif
