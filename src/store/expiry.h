/*
 * The records of the store and the index of their expiry, changed together, inside a write
 * transaction of the caller's. The index is table `expiry`:
 *
 *   key  = when it expires (u64, big-endian), the table's number (u8), the record's key
 *   value: empty
 *
 * Guarantee: every record has its entry. The inverse need not hold: an entry whose record is gone,
 * or expires at another time, is removed when its turn comes, and nothing else.
 *
 * Threads: the writer's, or the opener's before there is a writer. Results are LMDB's.
 */
#ifndef STORE_EXPIRY_H
#define STORE_EXPIRY_H

#include <lmdb.h>
#include <stdint.h>

#include "store/environment.h"
#include "store/envelope.h"
#include "store/health.h"

struct expiry {
    struct environment *environment;
    struct health *health;
    MDB_txn *txn;
};

/* Stores a sealed value, which is whole. */
int expiry_put(const struct expiry *x, unsigned table, struct bytes key, struct bytes sealed);

/* 0 also when there is none. */
int expiry_delete(const struct expiry *x, unsigned table, struct bytes key);

/* Puts a record that is there into the index. */
int expiry_add(const struct expiry *x, unsigned table, struct bytes key, int64_t expires);

/*
 * Removes records whose keys begin with `prefix`, but no more than `most`; their entries stay.
 * Fewer than `most`: there are no more.
 */
int expiry_forget(const struct expiry *x, unsigned table, struct bytes prefix, unsigned most,
                  unsigned *forgotten);

/*
 * Takes at most `most` entries off the front, of those that are due by `upto`, and their records
 * with them; damaged ones are logged. *taken: entries; *removed: records.
 */
int expiry_take(const struct expiry *x, int64_t upto, unsigned most, unsigned *taken,
                unsigned *removed);

/* When the front of the index is due; INT64_MAX: it is empty; negative: it is no entry, and goes
   with whatever is taken. A read transaction will do. */
int expiry_front(const struct expiry *x, int64_t *due);

/*
 * When the record expires that does so the soonest; 0: there is none. Past many entries that are
 * left over it is a time before that. A read transaction will do.
 */
int expiry_next(const struct expiry *x, int64_t *expires);

#endif
