#include "store/expiry.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "store/cursor.h"

#define AT_TABLE     8
#define AT_KEY       9
#define ENTRY_MAX    (AT_KEY + STORE_KEY_MAX)
#define LOOKS_AT_MAX 1000 /* entries, for the next that is no leftover */

struct entry {
    int64_t expires;
    unsigned table;
    size_t key_len;
    uint8_t key[STORE_KEY_MAX];
};

/* Into `buf` of ENTRY_MAX octets. */
static MDB_val entry_pack(uint8_t *buf, unsigned table, struct bytes key, int64_t expires)
{
    for (int i = 0; i < 8; i++)
        buf[i] = (uint8_t)((uint64_t)expires >> (56 - 8 * i));
    buf[AT_TABLE] = (uint8_t)table;
    memcpy(buf + AT_KEY, key.data, key.len);
    return (MDB_val){AT_KEY + key.len, buf};
}

/* False for one that this program did not write. */
static bool entry_unpack(const MDB_val *v, struct entry *e)
{
    const uint8_t *in = v->mv_data;
    uint64_t expires = 0;

    if (v->mv_size <= AT_KEY || v->mv_size > ENTRY_MAX || in[AT_TABLE] >= STORE_TABLE_COUNT)
        return false;
    for (int i = 0; i < 8; i++)
        expires = expires << 8 | in[i];
    e->expires = (int64_t)expires;
    e->table = in[AT_TABLE];
    e->key_len = v->mv_size - AT_KEY;
    memcpy(e->key, in + AT_KEY, e->key_len);
    return expires <= INT64_MAX;
}

/* True, and when it expires, for a record that is there and whole. */
static bool find_expires(const struct expiry *x, unsigned table, struct bytes key, int64_t *expires,
                         int *rc)
{
    MDB_val name = as_val(key), data;

    *rc = mdb_get(x->txn, x->environment->tables[table], &name, &data);
    return *rc == 0 && envelope_expires(key, as_bytes(&data), expires);
}

int expiry_add(const struct expiry *x, unsigned table, struct bytes key, int64_t expires)
{
    uint8_t buf[ENTRY_MAX];
    MDB_val entry = entry_pack(buf, table, key, expires), nothing = {0, NULL};

    return mdb_put(x->txn, x->environment->expiry, &entry, &nothing, 0);
}

static int drop_entry(const struct expiry *x, unsigned table, struct bytes key, int64_t expires)
{
    uint8_t buf[ENTRY_MAX];
    MDB_val entry = entry_pack(buf, table, key, expires);
    int rc = mdb_del(x->txn, x->environment->expiry, &entry, NULL);

    return rc == MDB_NOTFOUND ? 0 : rc;
}

int expiry_put(const struct expiry *x, unsigned table, struct bytes key, struct bytes sealed)
{
    MDB_val name = as_val(key), data = as_val(sealed);
    int64_t expires, before;
    int rc;
    bool known = find_expires(x, table, key, &before, &rc);

    if ((rc != 0 && rc != MDB_NOTFOUND) || !envelope_expires(key, sealed, &expires))
        return rc != 0 ? rc : EINVAL;
    rc = mdb_put(x->txn, x->environment->tables[table], &name, &data, 0);
    if (rc != 0 || (known && before == expires))
        return rc;
    if (known)
        rc = drop_entry(x, table, key, before);
    return rc != 0 ? rc : expiry_add(x, table, key, expires);
}

int expiry_delete(const struct expiry *x, unsigned table, struct bytes key)
{
    MDB_val name = as_val(key);
    int64_t expires;
    int rc;

    if (find_expires(x, table, key, &expires, &rc))
        rc = drop_entry(x, table, key, expires);
    if (rc == 0)
        rc = mdb_del(x->txn, x->environment->tables[table], &name, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int forget_next(MDB_cursor *cursor, struct bytes prefix)
{
    MDB_val key, data;
    int rc = cursor_from(cursor, prefix, &key, &data);

    if (rc == 0 && !cursor_key_begins(&key, prefix))
        rc = MDB_NOTFOUND;
    return rc != 0 ? rc : mdb_cursor_del(cursor, 0);
}

int expiry_forget(const struct expiry *x, unsigned table, struct bytes prefix, unsigned most,
                  unsigned *forgotten)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(x->txn, x->environment->tables[table], &cursor);

    *forgotten = 0;
    if (rc != 0)
        return rc;
    while (*forgotten < most && (rc = forget_next(cursor, prefix)) == 0)
        ++*forgotten;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The record of an entry whose turn has come; a damaged one would stay for ever. */
static int remove_record(const struct expiry *x, const struct entry *e, unsigned *removed)
{
    struct bytes key = {e->key, e->key_len};
    MDB_val name = as_val(key);
    int64_t expires;
    int rc;
    bool whole = find_expires(x, e->table, key, &expires, &rc);

    if (rc != 0)
        return rc == MDB_NOTFOUND ? 0 : rc;
    if (!whole)
        health_damage(x->health, key, "it is damaged");
    else if (expires != e->expires)
        return 0;
    ++*removed;
    return mdb_del(x->txn, x->environment->tables[e->table], &name, NULL);
}

/* MDB_NOTFOUND: no more of them are due. */
static int take_first(const struct expiry *x, MDB_cursor *cursor, int64_t upto, unsigned *removed)
{
    MDB_val key, data;
    struct entry e;
    bool ours;
    int rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);

    if (rc != 0)
        return rc;
    ours = entry_unpack(&key, &e);
    if (ours && e.expires > upto)
        return MDB_NOTFOUND;
    if (ours)
        rc = remove_record(x, &e, removed);
    return rc != 0 ? rc : mdb_cursor_del(cursor, 0);
}

int expiry_take(const struct expiry *x, int64_t upto, unsigned most, unsigned *taken,
                unsigned *removed)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(x->txn, x->environment->expiry, &cursor);

    *taken = *removed = 0;
    if (rc != 0)
        return rc;
    while (*taken < most && (rc = take_first(x, cursor, upto, removed)) == 0)
        ++*taken;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int expiry_front(const struct expiry *x, int64_t *due)
{
    struct entry e;
    MDB_cursor *cursor;
    MDB_val key, data;
    int rc = mdb_cursor_open(x->txn, x->environment->expiry, &cursor);

    *due = INT64_MAX;
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
    if (rc == 0)
        *due = entry_unpack(&key, &e) ? e.expires : -1;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool is_leftover(const struct expiry *x, const struct entry *e)
{
    int64_t expires;
    int rc;

    return !find_expires(x, e->table, (struct bytes){e->key, e->key_len}, &expires, &rc) ||
           expires != e->expires;
}

int expiry_next(const struct expiry *x, int64_t *expires)
{
    struct entry e = {0};
    MDB_cursor *cursor;
    MDB_val key, data;
    int rc = mdb_cursor_open(x->txn, x->environment->expiry, &cursor);

    *expires = 0;
    if (rc != 0)
        return rc;
    for (unsigned n = 0; n < LOOKS_AT_MAX; n++) {
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        if (rc != 0 || (entry_unpack(&key, &e) && !is_leftover(x, &e)))
            break;
    }
    mdb_cursor_close(cursor);
    if (rc == 0)
        *expires = e.expires;
    return rc == MDB_NOTFOUND ? 0 : rc;
}
