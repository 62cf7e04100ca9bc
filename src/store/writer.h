/*
 * The store's writer: a bounded queue of changes and the thread that commits them in groups.
 * Internal to store/.
 *
 * Threads: writer_push() and writer_flush() from any; `commit` runs in the writer's thread.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* One change; key and value lie behind the struct. */
struct change {
    struct change *next;
    enum store_table table;
    store_done done; /* may be NULL */
    void *arg;
    bool remove;
    size_t key_len, value_len;
    uint8_t bytes[]; /* the key, then the value with its envelope */
};

struct writer;

/* Commits a list of changes as one transaction; false when nothing of it is stored. */
typedef bool (*writer_commit)(void *arg, const struct change *changes);

/* A group ends `interval_ms` after its first change, or with `group_max` changes. */
bool writer_start(struct writer **w, unsigned interval_ms, unsigned group_max, writer_commit commit,
                  void *arg);

/* Takes `c` (malloc'd) over, unless false: the queue is full. */
bool writer_push(struct writer *w, struct change *c);

/* Waits until everything pushed before this call was committed or failed. */
void writer_flush(struct writer *w);

/* Flushes and ends the thread. Sets *w to NULL; allowed twice. */
void writer_stop(struct writer **w);

#endif
