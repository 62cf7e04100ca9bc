/*
 * How long LMDB's data file is, and what of it is free.
 *
 * Threads: any, but for what is the opener's. Sizes in octets.
 */
#ifndef STORE_PAGES_H
#define STORE_PAGES_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Up to the last page in use, the free ones below it included. */
uint64_t pages_extent(MDB_env *env);

/* The same without the free ones, in the eyes of a read transaction. A result of LMDB's. */
int pages_used(MDB_env *env, MDB_txn *txn, uint64_t *used);

/* The same for the opener, whom a damaged list of free pages does not stop: then none is free. */
uint64_t pages_used_at_opening(MDB_env *env);

/* For the opener, before anything is read: whether the file has all of its pages. */
bool pages_check_length(MDB_env *env, const char *path, struct error *err);

#endif
