/*
 * What the store's writer does between its batches: removes what has expired, and what expires
 * soonest where the map gets full; tries whether a store that could not be written can be again, as
 * recovery wants it; frees LMDB's slots of readers that died. One small transaction at a time.
 *
 * Threads: the writer's; the counts may be read from any.
 */
#ifndef STORE_UPKEEP_H
#define STORE_UPKEEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/environment.h"
#include "store/expiry.h"
#include "store/health.h"
#include "store/recovery.h"

struct upkeep {
    struct environment *environment;
    struct health *health;
    struct recovery *recovery;
    unsigned step;       /* records of one transaction */
    unsigned evict_step; /* the same, of the present one that evicts */
    bool evicting;       /* from the high mark down to the low one */
    uint64_t unseen;     /* changes since it was last looked at */
    int64_t look_at;     /* clock_mono_ms: for what is to be removed; */
    int64_t doubt_until; /* that the clock is right; 0: there is none */
    int64_t check_at;    /* for dead readers */
    _Atomic uint64_t swept, evicted;
};

/* `u` is all zero; of `r`, which the caller keeps, the members that it points to are set. */
void upkeep_init(struct upkeep *u, struct recovery *r);

/* Does one step; in how many ms it is to be called again. */
int64_t upkeep_tend(struct upkeep *u);

/* So many changes were committed: there may be something to remove. */
void upkeep_committed(struct upkeep *u, uint64_t changes);

/* After MDB_MAP_FULL. False: there is no room to be made. */
bool upkeep_make_room(struct upkeep *u);

#endif
