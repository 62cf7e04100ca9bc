/*
 * The store's writer: a bounded queue of changes and the thread that commits them in batches, and
 * tends the store in between. Knows no database: it is given a function for either.
 *
 * Threads: writer_queue() and writer_flush() from any; both functions and every done callback run
 * on the writer's own thread, in which all signals are blocked.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define WRITER_QUEUE_BYTES (32u << 20) /* of waiting changes, all told */

typedef void (*change_done)(void *arg, bool committed);

enum change_op {
    CHANGE_PUT,
    CHANGE_DELETE,
    CHANGE_FORGET, /* the key is a prefix. A batch of its own */
};

struct change {
    enum change_op op;
    unsigned table;
    change_done done; /* may be NULL */
    void *arg;
    uint64_t *count; /* of CHANGE_FORGET: what was forgotten */
    size_t key_len;
    size_t value_len;
    struct change *next; /* the writer's, like the two below */
    uint64_t number;
    int64_t queued_at; /* clock_mono_ms */
    uint8_t bytes[];   /* the key, then the value */
};

/* Room for key and value, to be filled in. NULL when out of memory. free() undoes it. */
struct change *change_new(enum change_op op, size_t key_len, size_t value_len);

/* Commits the list that begins with `first` as one, or none of it: then false. What CHANGE_FORGET
   names may go by parts, and false means then that not all did. */
typedef bool (*writer_commit)(void *arg, const struct change *first);

/*
 * Does at most one small step of what is to be done besides; in how many ms it is to be called
 * again. What is queued goes first, but for one call between two batches.
 */
typedef int64_t (*writer_tend)(void *arg);

struct writer_opts {
    unsigned commit_ms;  /* longest a change waits for company */
    unsigned commit_max; /* this many do not wait */
    unsigned batch_max;  /* bounds of a batch: changes, at least 1, */
    size_t batch_bytes;  /* and their octets; the first change of a batch has no bound */
    writer_commit commit;
    writer_tend tend;
    void *arg;
};

struct writer;

bool writer_start(struct writer **w, const struct writer_opts *opts, struct error *err);

/* Takes `c` over and returns true; false when the queue is full: `c` is still the caller's. */
bool writer_queue(struct writer *w, struct change *c);

/* Waits until all that was queued before was committed or failed and its callbacks have run. */
void writer_flush(struct writer *w);

/* Commits what is queued and ends the thread. Sets *w to NULL; allowed twice. */
void writer_stop(struct writer **w);

#endif
