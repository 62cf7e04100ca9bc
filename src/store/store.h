/*
 * The store: key -> bytes with an expiry time, in LMDB. Fences LMDB. Knows nothing of mail. Its
 * format is written down in doc/STORE.md.
 *
 * Threads: store_get() from any thread without a lock, in a pooled read transaction, and so
 * store_page() and store_each(); store_put(), store_delete() and store_forget() from any thread:
 * they queue and return, the store's own writer thread commits queued work within commit_ms
 * or commit_max records, whichever comes first, in transactions of a bounded size. The same thread
 * removes what has expired, and what expires soonest where the map gets full: a little at a time.
 * Open after fork and after privileges were dropped.
 *
 * Values carry a checksum and their expiry; a value that fails its check is STORE_BAD, never data.
 * kill -9 or a loss of power at any moment lose at most the last commit interval, and never the
 * file. While nothing can be written (disk full, read-only, map full) what is put fails, what is
 * there is read, and the store tries again by itself: store_failing().
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define STORE_KEY_MAX   502 /* LMDB's limit, less what table `expiry` puts before a key */
#define STORE_VALUE_MAX 8192
#define STORE_FORMAT    2 /* of the environment, kept in table `meta` */

/* Tables of the environment. Add behind the last; `meta` and `expiry` are the store's own. One that
   an older environment lacks is made when that is opened. It takes a new format all the same: an
   older program would throw its entries out of the index. */
#define STORE_TABLES(X) \
    X(ADDRESS, "address") \
    X(DOMAIN, "domain") \
    X(DESTINATION, "destination") \
    X(DUE, "due")

enum store_table {
#define X(id, name) STORE_TABLE_##id,
    STORE_TABLES(X)
#undef X
        STORE_TABLE_COUNT
};

enum store_result {
    STORE_OK,
    STORE_MISS,  /* not there, or expired */
    STORE_BAD,   /* there, but damaged; logged at most once a minute */
    STORE_ERROR, /* the store itself failed; logged at most once a minute */
};

struct store_opts {
    char dir[1024];      /* state_dir; store.mdb, store.mdb-lock, store.lock lie in it */
    uint64_t size;       /* bound of what is kept, bytes; evicts from nine tenths on, or sooner */
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

/* How far a walk has come. All zero: to its beginning. */
struct store_place {
    uint8_t key[STORE_KEY_MAX]; /* the last one that was seen */
    size_t key_len;
    bool ended; /* there are no more, or the visitor has seen enough */
};

/*
 * Visits the next records of a table whose keys begin with `prefix` (len 0: all), in the order of
 * their keys, but not those that are expired by `now`, nor those that are damaged, which is logged
 * at most once a minute; and moves `place` on. Looks at no more than `most` records (at least 1,
 * at most STORE_PAGE_MAX), in one read transaction: a long walk is many pages, so that the pages
 * of old transactions can be used again. What is changed between two pages may be visited as it was
 * or as it is. False when the store failed: logged at most once a minute.
 */
#define STORE_PAGE_MAX 1000
bool store_page(struct store *s, enum store_table table, const void *prefix, size_t prefix_len,
                int64_t now, unsigned most, struct store_place *place, store_visit visit,
                void *arg);

/* All of a table, page after page. */
bool store_each(struct store *s, enum store_table table, int64_t now, store_visit visit, void *arg);

/*
 * Called from the writer thread when the put was committed (true) or failed (false). It must not
 * call the store; it is for posting to a loop.
 */
typedef void (*store_done)(void *arg, bool committed);

/*
 * Queues; copies key and value. `expires` in seconds since the epoch. `done` may be NULL, else it
 * fires exactly once, unless false is returned: queue full (bounded), out of memory, a key that is
 * empty, too long, or a negative time.
 */
bool store_put(struct store *s, enum store_table table, const void *key, size_t key_len,
               const void *value, size_t value_len, int64_t expires, store_done done, void *arg);
bool store_delete(struct store *s, enum store_table table, const void *key, size_t key_len,
                  store_done done, void *arg);

/*
 * Forgets every record of a table whose key begins with `prefix` (len >= 1), of those put before
 * this call; others than all of them only when it fails half-way. In transactions of a bounded
 * size, in its turn: what is put later is committed later. *count, which the caller keeps until
 * `done`, becomes how many there were.
 */
bool store_forget(struct store *s, enum store_table table, const void *prefix, size_t prefix_len,
                  uint64_t *count, store_done done, void *arg);

/* Waits until everything queued before was committed or failed, its callbacks included. */
void store_flush(struct store *s);

/* Of this moment; counts are since it was opened. Sizes in bytes. */
struct store_report {
    uint64_t entries[STORE_TABLE_COUNT]; /* expired ones, too, until they are swept */
    uint64_t size;                       /* the bound */
    uint64_t used;                       /* of it, without free pages */
    uint64_t file;                       /* the data file, which never shrinks */
    int64_t next_expiry;                 /* of the record that expires soonest; 0: there is none */
    uint64_t commits, committed, failed; /* transactions; changes */
    uint64_t swept, evicted;             /* records that were expired; that had to make room */
};

/* False when the store failed: logged at most once a minute. Any thread. */
bool store_report(struct store *s, struct store_report *out);

/* True, and why, since when and how many changes were lost, in one line, while nothing can be
   written. Any thread. */
bool store_failing(struct store *s, char *text, size_t size);

/* Flushes, ends the writer, closes. Nothing else may be under way. Sets *s to NULL; allowed twice.
 */
void store_close(struct store **s);

#endif
