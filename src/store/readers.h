/*
 * The store's pool of read transactions, taken and given back without a lock. It can be shut, for
 * the environment to be closed under it.
 *
 * Threads: readers_begin() and readers_end() any; the rest one at a time, the store's writer.
 */
#ifndef STORE_READERS_H
#define STORE_READERS_H

#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store/environment.h"

#define READERS_MAX 256 /* at the same time; more wait their turn */

/* A read transaction, kept reset between uses. Whoever has set `busy` has it. */
struct reader {
    atomic_bool busy;
    MDB_txn *txn; /* NULL until it is first needed */
};

struct readers {
    struct environment *environment;
    atomic_bool shut;
    bool held[READERS_MAX]; /* by readers_shut() */
    struct reader pool[READERS_MAX];
};

/* A reader whose transaction has begun; NULL, and *rc says why: MDB_PANIC while it is shut. */
struct reader *readers_begin(struct readers *rs, int *rc);
void readers_end(struct reader *r);

/*
 * Lets nobody in and ends the transactions. False when some are still in use after a while: then
 * the pool stays shut, and it is to be called again.
 */
bool readers_shut(struct readers *rs);
void readers_open(struct readers *rs);

#endif
