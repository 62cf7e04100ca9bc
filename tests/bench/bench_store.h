/* A store that is measured, and the looks into it. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include <lmdb.h>
#include <stddef.h>

#include "population.h"
#include "store/store.h"

struct bench_store {
    const char *dir;
    struct population people; /* who are in it */
    struct store *store;      /* NULL: not open */
    MDB_env *env;             /* instead: past the store */
    MDB_txn *txn;
    MDB_dbi table;
    uint64_t random; /* of the next to be looked up */
};

/* Of a bound that nothing here comes near to. Ends the program on an error, like all of these. */
void bench_open(struct bench_store *b);
void bench_close(struct bench_store *b);

/* Past the store, with nothing but LMDB. */
void bench_open_raw(struct bench_store *b);
void bench_close_raw(struct bench_store *b);

/* Reads all once, so that it is in memory and mapped. Returns how many there are. */
size_t bench_warm(struct bench_store *b);

/* Bytes of the data file. */
uint64_t bench_file_size(const struct bench_store *b);

/* Somebody at random of whom something is known for a day at least. */
void bench_pick(struct bench_store *b, struct address *out);

/* Each takes a struct bench_store *, looks up somebody like that, and returns how many nanoseconds
   that took, without making the address: what a question costs; the store's part of it; LMDB's
   part of that. */
uint64_t bench_ask(void *store);
uint64_t bench_get(void *store);
uint64_t bench_get_raw(void *store);

#endif
