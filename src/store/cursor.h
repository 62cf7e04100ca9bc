/*
 * LMDB's values as runs of bytes, and where its cursors go.
 *
 * Threads: any, inside a transaction of the caller's. Results are LMDB's.
 */
#ifndef STORE_CURSOR_H
#define STORE_CURSOR_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/envelope.h"

static inline struct bytes as_bytes(const MDB_val *v)
{
    return (struct bytes){v->mv_data, v->mv_size};
}

static inline MDB_val as_val(struct bytes b)
{
    return (MDB_val){b.len, (void *)(uintptr_t)b.data};
}

bool cursor_key_begins(const MDB_val *key, struct bytes prefix);

/* To the first record from a key on, and to the first behind one, which itself may be gone. An
   empty one is before all. */
int cursor_from(MDB_cursor *cursor, struct bytes from, MDB_val *key, MDB_val *data);
int cursor_behind(MDB_cursor *cursor, struct bytes last, MDB_val *key, MDB_val *data);

#endif
