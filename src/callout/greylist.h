/*
 * Greylisting (RFC 6647): whether a reply is or may be that, and when to ask again. Pure.
 *
 * Threads: any.
 */
#ifndef CALLOUT_GREYLIST_H
#define CALLOUT_GREYLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callout/verdict.h"

#define GREYLIST_STEPS_MAX 10

/* greylist.retry. A plain value. */
struct greylist_opts {
    size_t count;                         /* 0: nobody is asked again */
    int64_t retry_ms[GREYLIST_STEPS_MAX]; /* each counted from the try before */
};

/* The delays that are left to be waited, each counted from the try before. */
struct greylist_plan {
    size_t count;
    int64_t delay_ms[GREYLIST_STEPS_MAX + 1];
};

/* A 4yz at RCPT that says so, or could well be: not one that blames the system or the network, or
   counts recipients, or that is an answer for good (cannot_verify). */
bool greylist_may_be(const struct verdict *v);

/*
 * The steps. Where the destination let us in `learned_ms` after the first try the last time, that
 * comes first, in place of the configured steps up to there; 0: nothing is known.
 */
void greylist_make_plan(const struct greylist_opts *opts, int64_t learned_ms,
                        struct greylist_plan *out);

#endif
