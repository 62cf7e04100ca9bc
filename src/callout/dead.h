/*
 * Addresses that could not be connected to: remembered a while, so that the next callout asks
 * others first. Pure: the time is handed in.
 *
 * Threads: one at a time.
 */
#ifndef CALLOUT_DEAD_H
#define CALLOUT_DEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"
#include "smtp/outcome.h"

#define DEAD_FIRST_MS INT64_C(30000)   /* doubled each time it is found dead again ... */
#define DEAD_MAX_MS   INT64_C(1800000) /* ... up to this */
#define DEAD_LATE_MS  INT64_C(300000)  /* that one which lost a race stands behind others */

struct dead;

enum dead_state {
    DEAD_NOT,  /* nothing is known against it */
    DEAD_LATE, /* alive perhaps, but slow: others of its preference go first */
    DEAD_YES,
};

/* Remembers at most `max` (>= 1) addresses; those remembered longest make room. NULL: out of
 * memory. */
struct dead *dead_new(size_t max);
void dead_free(struct dead **d); /* sets *d to NULL; NULL is allowed */

/* `now` in ms of any clock that never goes back, here and below. While it is remembered, another
   failure is the same one. */
void dead_failed(struct dead *d, const struct netaddr *ip, uint16_t port, enum smtp_failure how,
                 int64_t now);
void dead_late(struct dead *d, const struct netaddr *ip, uint16_t port, int64_t now);
void dead_alive(struct dead *d, const struct netaddr *ip, uint16_t port);

/* `how` (may be NULL): the failure of a DEAD_YES one. What is over is DEAD_NOT, though the next
   failure still doubles, until it has been alive or not been seen for as long again. */
enum dead_state dead_look(const struct dead *d, const struct netaddr *ip, uint16_t port,
                          int64_t now, enum smtp_failure *how);

/* It was not them, but us. */
void dead_clear(struct dead *d);

#endif
