/* What the store's tests share: a directory of their own, and puts that wait. */
#ifndef STORE_RIG_H
#define STORE_RIG_H

#include <lmdb.h>
#include <stdbool.h>

#include "store/store.h"

#define RIG_NOW 4000000000 /* ahead of the clock, or what expires then were swept */

struct store_rig {
    struct store_opts opts;
    char data[1100]; /* path of store.mdb */
    struct store *store;
};

/* Makes the directory; opens nothing. */
void rig_init(struct store_rig *r);

/* The same where a sync costs nothing, if there is such a place: for many commits of little. */
void rig_init_in_memory(struct store_rig *r);

void rig_remove(struct store_rig *r);

/* Fails the test when it can't. */
void rig_open(struct store_rig *r);

/* Puts text under a text key, for good, and waits; what `done` was told. */
bool rig_put(struct store_rig *r, const char *key, const char *value);
bool rig_delete(struct store_rig *r, const char *key);

/* The result; `value` (1 KiB) gets the text. */
enum store_result rig_get(struct store_rig *r, const char *key, char *value);

/* A put without waiting, of `len` bytes that depend on the number; and whether they are there. */
bool rig_put_number(struct store *s, uint32_t number, size_t len, store_done done, void *arg);
bool rig_has_number(struct store *s, uint32_t number, size_t len);

/* The environment by LMDB alone, as another program would have it; the store is not open. */
MDB_env *rig_raw_open(struct store_rig *r);

#endif
