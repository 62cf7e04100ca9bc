/*
 * What a kind of file may have in it: its sections, and their keys, out of a table of its own. All
 * kinds are written in one language (conf/scan), and read by conf/source and conf/language.
 *
 * Threads: none; grammars are constant.
 */
#ifndef CONF_GRAMMAR_H
#define CONF_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/problems.h"

struct source;

#define GRAMMAR_TITLE_SEP ' ' /* "action outbound" is section "action", title "outbound" */

struct grammar_key {
    /* "" at top level; "action outbound" for a section with a title, "route *" with any. */
    const char *section;
    const char *name;
    bool list;           /* { ... } */
    bool one_or_list;    /* a list that may be written as one value without braces, too */
    size_t max;          /* values of a list; 0: as many as whoever takes them has room for */
    const char *refusal; /* it is no key, though one may think so: what to say of it */
};

struct grammar {
    /* The key with this index; false behind the last. */
    bool (*key)(size_t index, struct grammar_key *out);
    const char *const *titles; /* how sections with a title begin, for who left it out; NULL ends */
    bool includes;             /* include() is one of its statements */
};

/* Whether a section as a file has it is one of the table's, "route *". */
bool grammar_fits(const char *pattern, const char *section);

bool grammar_has_section(const struct grammar *g, const char *section);

/* Tells of keys and sections that the grammar does not have, and of lists where none belong. */
void grammar_check(const struct grammar *g, const struct source *s, struct config_problems *p);

#endif
