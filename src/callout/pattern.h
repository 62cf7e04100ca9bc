/*
 * Patterns over replies and greetings: PCRE2, case folded, over UTF-8 whose broken octets match
 * nothing, with JIT where there is one and with limits, so that no pattern takes longer than it is
 * worth. Fences PCRE2.
 *
 * Threads: a pattern is immutable; any number of threads may match it at once.
 */
#ifndef CALLOUT_PATTERN_H
#define CALLOUT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define PATTERN_MAX 2000 /* octets of its text */

struct pattern;

/* False with "is no pattern: WHY at octet N", for "'PATTERN': message". The empty one is none. */
bool pattern_new(struct pattern **p, const char *text, struct error *err);
void pattern_free(struct pattern **p); /* sets *p to NULL; NULL is allowed */

/* Anywhere in `text`. One that runs into its limits does not match. */
bool pattern_matches(const struct pattern *p, const char *text, size_t len);

/* The same for who tries many, each in the same room: one thread's at a time. */
struct pattern_room;

/* NULL when out of memory: nothing matches in that. */
struct pattern_room *pattern_room_new(void);
void pattern_room_free(struct pattern_room **room); /* sets *room to NULL; NULL is allowed */
bool pattern_matches_in(struct pattern_room *room, const struct pattern *p, const char *text,
                        size_t len);

#endif
