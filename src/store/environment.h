/*
 * Opening the LMDB environment: the directory's lock, and all checks that must pass before a page
 * of it may be trusted.
 *
 * Threads: the opener's; then the members are constant but for environment_reopen().
 */
#ifndef STORE_ENVIRONMENT_H
#define STORE_ENVIRONMENT_H

#include <lmdb.h>
#include <stdbool.h>

#include "base/error.h"
#include "store/store.h"

#define ENVIRONMENT_READERS   1024 /* at the same time: the pool's, and other processes' */
#define ENVIRONMENT_PATH_SIZE (sizeof(((struct store_opts *)0)->dir) + 32)

struct environment {
    char path[ENVIRONMENT_PATH_SIZE];  /* of the data file */
    int lock_fd;                       /* -1: none */
    uint64_t size;                     /* the bound, octets */
    MDB_env *env;                      /* NULL where it can't even be read */
    MDB_dbi tables[STORE_TABLE_COUNT]; /* by enum store_table */
    MDB_dbi expiry;
    MDB_dbi meta;
};

/* The one mapper from LMDB's errors. */
const char *environment_explain(int rc);

/* As store_open(). After a failure there is nothing to close. */
bool environment_open(struct environment *e, const struct store_opts *opts, bool *in_use,
                      struct error *err);

/*
 * Closes LMDB's environment and opens it again, under the same lock: what LMDB wants after it could
 * not write a meta page. No transaction may be left. After a failure it is to be called again, and
 * until then the environment can be read only, if at all: `env`.
 */
bool environment_reopen(struct environment *e, struct error *err);

/* Whether the disk has room for some more pages, or none are needed. */
bool environment_can_grow(const struct environment *e);

/* False, and why, where it can be read and still not be written, so that it had better stay open.
 */
bool environment_is_worth_reopening(const struct environment *e, struct error *err);

/* Writes the number of the format that this program writes. A result of LMDB's. */
int environment_write_format(const struct environment *e, MDB_txn *txn);

/* No transaction may be left. Allowed twice. */
void environment_close(struct environment *e);

#endif
