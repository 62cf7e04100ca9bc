/*
 * What the store's writer does between its batches: removes what has expired, and what expires
 * soonest where the map gets full; tries whether a store that could not be written can be again;
 * frees LMDB's slots of readers that died. One small transaction at a time.
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
#include "store/readers.h"

struct upkeep {
    struct environment *environment;
    struct readers *readers;
    struct health *health;
    unsigned step;       /* records of one transaction */
    unsigned evict_step; /* the same, of the present one that evicts */
    bool broken;         /* LMDB's environment must be opened again */
    bool full;           /* the last failure was for want of room in the map */
    bool evicting;       /* from the high mark down to the low one */
    uint64_t unseen;     /* changes since it was last looked at */
    int64_t look_at;     /* clock_mono_ms: for what is to be removed; */
    int64_t doubt_until; /* that the clock is right; 0: there is none */
    int64_t check_at;    /* for dead readers; */
    int64_t try_at;      /* whether it can be written again, or opened */
    int64_t hold_until;  /* nothing is written: it was just opened again */
    _Atomic uint64_t swept, evicted;
};

/* The members are the caller's, as said there. */
void upkeep_init(struct upkeep *u, struct environment *e, struct readers *rs, struct health *h);

/* Does one step; in how many ms it is to be called again. */
int64_t upkeep_tend(struct upkeep *u);

/* Whether a transaction may begin: opens a broken environment again, at times. */
bool upkeep_ready(struct upkeep *u);

/* A transaction of so many changes worked. */
void upkeep_worked(struct upkeep *u, uint64_t changes);

/* A transaction failed, and `lost` changes with it. */
void upkeep_failed(struct upkeep *u, int rc, uint64_t lost);

/* After MDB_MAP_FULL. False: there is no room to be made. */
bool upkeep_make_room(struct upkeep *u);

#endif
