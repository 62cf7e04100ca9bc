/*
 * The pool of source addresses (source_addresses): which one a callout comes from. The same for a
 * recipient domain as long as that can be, because greylisters know us by it; else the one with the
 * least to do, and of those the one that a hash of the domain picks, so that a restart changes
 * little. A source that a destination throttles rests there. Pure, but that sources_check() asks
 * the kernel.
 *
 * Threads: one at a time.
 */
#ifndef CALLOUT_SOURCES_H
#define CALLOUT_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"

#define SOURCES_MAX 64

/* A plain value. */
struct sources_opts {
    size_t count;
    struct netaddr list[SOURCES_MAX];
};

enum sources_pick {
    SOURCES_ANY,  /* the pool has none of this family: the system chooses */
    SOURCES_ONE,  /* *out is it */
    SOURCES_REST, /* all of them rest at that destination */
    SOURCES_NONE, /* all of them are missing on this host */
};

struct sources;

/* Domains whose source is remembered, and rests: at most `max` (>= 1) each; those not
   heard of longest make room. NULL: out of memory. */
struct sources *sources_new(const struct sources_opts *opts, size_t max);
void sources_free(struct sources **s); /* sets *s to NULL; NULL is allowed */

/* Another pool, of which each is taken once; what is remembered of sources that stay, stays. */
void sources_set(struct sources *s, const struct sources_opts *opts);

/*
 * Looks which of them this host has (an address is bound to, port 0). Says how many are missing;
 * missing ones are not picked until another look finds them. `on_change` is called for each whose
 * state is another than at the last look (at first all were there).
 */
size_t sources_check(struct sources *s,
                     void (*on_change)(void *arg, const struct netaddr *ip, bool missing),
                     void *arg);

/* `destination`: its name. `now` in ms of any clock that never goes back. */
enum sources_pick sources_pick(struct sources *s, int family, const char *destination,
                               const char *domain, int64_t now, struct netaddr *out);

/* Whether it is of the pool. */
bool sources_has(struct sources *s, const struct netaddr *ip);

/* Whether this one may be used there now: it is of the pool (or AF_UNSPEC, or of a family that the
   pool has none of), here, and does not rest. */
bool sources_usable(struct sources *s, const struct netaddr *ip, const char *destination,
                    int64_t now);

/* It rests at the destination until `until`. Others of its family that do not rest there: */
bool sources_rest(struct sources *s, const struct netaddr *ip, const char *destination,
                  int64_t until, int64_t now); /* true: there are some */

/* Connections in use: one more, one less. AF_UNSPEC is nobody's. */
void sources_load(struct sources *s, const struct netaddr *ip, int change);

/* For the status: the missing ones; returns how many were put into `out`. */
size_t sources_missing(const struct sources *s, struct netaddr *out, size_t max);

#endif
