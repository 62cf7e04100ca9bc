#include "store/cursor.h"

#include <string.h>

bool cursor_key_begins(const MDB_val *key, struct bytes prefix)
{
    return key->mv_size >= prefix.len &&
           (prefix.len == 0 || memcmp(key->mv_data, prefix.data, prefix.len) == 0);
}

/* LMDB looks for no empty key. */
int cursor_from(MDB_cursor *cursor, struct bytes from, MDB_val *key, MDB_val *data)
{
    *key = as_val(from);
    return mdb_cursor_get(cursor, key, data, from.len == 0 ? MDB_FIRST : MDB_SET_RANGE);
}

int cursor_behind(MDB_cursor *cursor, struct bytes last, MDB_val *key, MDB_val *data)
{
    int rc = cursor_from(cursor, last, key, data);

    if (rc == 0 && last.len > 0 && key->mv_size == last.len && cursor_key_begins(key, last))
        rc = mdb_cursor_get(cursor, key, data, MDB_NEXT);
    return rc;
}
