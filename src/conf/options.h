/*
 * The one table of configuration options: name, type, default, range, whether a reload takes it.
 *
 * Threads: none; the table is constant.
 */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "conf/config.h"
#include "conf/grammar.h"

struct option;

/* Reads one value into the configuration; false with a message for "VALUE: message". */
typedef bool (*option_setter)(struct config *cfg, const struct option *o, const char *value,
                              struct error *err);

/* The same into a route that is being read. */
typedef bool (*option_route_setter)(struct route *r, const char *value, struct error *err);

struct option {
    /* "" at top level; "action outbound" for a section with a title, "route *" with any. */
    const char *section;
    const char *name;
    option_setter set;             /* NULL: of a route, or no key */
    option_route_setter set_route; /* instead, of keys in routes */
    size_t offset; /* of a plain value: in struct config, or in its struct policy_opts */
    bool in_policy;
    uint64_t min, max; /* of numbers, and of durations in milliseconds */
    int index;         /* of a status or reason, for its setter */
    bool list;         /* { ... }: the setter is called for each value in turn */
    bool one_or_list;  /* a list that may be written as one value without braces, too */
    /* Of an option that needs a restart: whether two configurations agree on it. NULL: a reload
       takes it. */
    bool (*same)(const struct config *a, const struct config *b);
    const char *refusal;  /* it is no key, though one may think so: what to say of it */
    const char *fallback; /* the default; values of a list separated by one space; NULL: none */
};

extern const struct option option_table[];
extern const size_t option_count;

/* The table as a language. */
extern const struct grammar option_grammar;

#define OPTION_ROUTES "route *"

/* Where a plain value goes. */
void *option_member(struct config *cfg, const struct option *o);

#endif
