/*
 * While the store can't be written: opens LMDB's environment again where LMDB wants that, and knows
 * when to try next and when it is over.
 *
 * Threads: the writer's.
 */
#ifndef STORE_RECOVERY_H
#define STORE_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/environment.h"
#include "store/health.h"
#include "store/readers.h"

/* All zero, but for the first three: nothing has failed yet. */
struct recovery {
    struct environment *environment;
    struct readers *readers;
    struct health *health;
    bool broken;        /* LMDB's environment must be opened again */
    bool full;          /* the last failure was for want of room in the map */
    int64_t try_at;     /* clock_mono_ms: whether it can be written again, or opened */
    int64_t hold_until; /* nothing is written: it was just opened again */
};

/* Whether a transaction may begin: opens a broken environment again, at times. */
bool recovery_ready(struct recovery *r);

/* In how many ms it is to be tried; 0: now. */
int64_t recovery_try_in(const struct recovery *r);

/* A transaction worked. */
void recovery_worked(struct recovery *r);

/* A transaction failed, and `lost` changes with it. */
void recovery_failed(struct recovery *r, int rc, uint64_t lost);

#endif
