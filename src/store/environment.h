/*
 * Opening the LMDB environment: the directory's lock, and all checks that must pass before a page
 * of it may be trusted. With store.c, which reads and writes it, the fence around LMDB.
 *
 * Threads: the opener's; then the members are constant.
 */
#ifndef STORE_ENVIRONMENT_H
#define STORE_ENVIRONMENT_H

#include <lmdb.h>
#include <stdbool.h>

#include "base/error.h"
#include "store/store.h"

#define ENVIRONMENT_READERS   1024 /* read transactions at the same time */
#define ENVIRONMENT_PATH_SIZE (sizeof(((struct store_opts *)0)->dir) + 32)

struct environment {
    char path[ENVIRONMENT_PATH_SIZE]; /* of the data file */
    int lock_fd;                      /* -1: none */
    MDB_env *env;
    MDB_dbi tables[STORE_TABLE_COUNT]; /* by enum store_table */
};

/* The one mapper from LMDB's errors. */
const char *environment_explain(int rc);

/* As store_open(). After a failure there is nothing to close. */
bool environment_open(struct environment *e, const struct store_opts *opts, bool *in_use,
                      struct error *err);

/* No transaction may be left. Allowed twice. */
void environment_close(struct environment *e);

#endif
