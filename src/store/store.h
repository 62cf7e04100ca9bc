/*
 * The store: key -> bytes with an expiry time, in LMDB. Fences LMDB. Knows nothing of mail.
 *
 * Threads: store_get() from any thread without a lock, in a pooled read transaction, and so
 * store_each() in one after the other; store_put() and store_delete() from any thread: they queue
 * and return, the store's own writer thread commits queued work as one transaction within commit_ms
 * or commit_max records, whichever comes first.
 * Open after fork and after privileges were dropped.
 *
 * Values carry a checksum and their expiry; a value that fails its check is STORE_BAD, never data.
 * kill -9 at any moment loses at most the last commit interval, and never the file.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define STORE_KEY_MAX   511 /* LMDB's limit */
#define STORE_VALUE_MAX 8192
#define STORE_FORMAT    1 /* of the environment, kept in table `meta` */

/* Tables of the environment. Add here; `meta` is the store's own. One that an older environment
   lacks is made when that is opened, and an older program does not look at it: no new format. */
#define STORE_TABLES(X) \
    X(ADDRESS, "address") \
    X(DOMAIN, "domain") \
    X(DESTINATION, "destination") \
    X(DUE, "due")

enum store_table {
#define X(id, name) STORE_TABLE_##id,
    STORE_TABLES(X)
#undef X
};

enum store_result {
    STORE_OK,
    STORE_MISS,  /* not there, or expired */
    STORE_BAD,   /* there, but damaged; logged at most once a minute */
    STORE_ERROR, /* the store itself failed; logged at most once a minute */
};

struct store_opts {
    char dir[1024];      /* state_dir; store.mdb, store.mdb-lock, store.lock lie in it */
    uint64_t size;       /* upper bound of the map, bytes */
    unsigned commit_ms;  /* group commit interval */
    unsigned commit_max; /* records that force a commit earlier */
};

struct store;

/*
 * Opens or creates the environment and takes the directory's lock: a second process gets an error
 * (false, *in_use true when in_use is not NULL). A newer format, a file shorter than its pages, or
 * a directory that can't be written are errors that name the path.
 */
bool store_open(struct store **s, const struct store_opts *opts, bool *in_use, struct error *err);

/*
 * Copies the value into buf and its length into *len. Expired by `now` (seconds since the epoch):
 * STORE_MISS. A value longer than `size` is STORE_BAD.
 */
enum store_result store_get(struct store *s, enum store_table table, const void *key,
                            size_t key_len, int64_t now, void *buf, size_t size, size_t *len);

/* Called for a record; what it is given is gone when it returns. False ends the walk. */
typedef bool (*store_visit)(void *arg, const void *key, size_t key_len, const void *value,
                            size_t value_len);

/*
 * Visits the records of a table in the order of their keys, but not those that are expired by
 * `now`, nor those that are damaged, which is logged at most once a minute. What is changed
 * meanwhile may be visited as it was or as it is: a long walk goes on in a new transaction now and
 * then, so that the pages of old ones can be used again. False when the store failed: logged at
 * most once a minute.
 */
bool store_each(struct store *s, enum store_table table, int64_t now, store_visit visit, void *arg);

/*
 * Called from the writer thread when the put was committed (true) or failed (false). It must not
 * call the store; it is for posting to a loop.
 */
typedef void (*store_done)(void *arg, bool committed);

/*
 * Queues; copies key and value. `expires` in seconds since the epoch. `done` may be NULL, else it
 * fires exactly once, unless false is returned: queue full (bounded), out of memory, or too long.
 */
bool store_put(struct store *s, enum store_table table, const void *key, size_t key_len,
               const void *value, size_t value_len, int64_t expires, store_done done, void *arg);
bool store_delete(struct store *s, enum store_table table, const void *key, size_t key_len,
                  store_done done, void *arg);

/* Waits until everything queued before was committed or failed, its callbacks included. */
void store_flush(struct store *s);

/* Flushes, ends the writer, closes. No store_get() or store_each() may be under way. Sets *s to
   NULL; allowed twice. */
void store_close(struct store **s);

#endif
