/*
 * Format 1 lacks the index of expiry: every record gets its entry. A damaged value has no time to
 * be indexed by and would stay for ever, so it goes.
 */
#include "store/migration.h"

#include <string.h>

#include "base/log.h"
#include "store/cursor.h"
#include "store/expiry.h"
#include "store/health.h"

#define PART_RECORDS 1000 /* of a transaction */
#define KEY_MAX      511  /* LMDB's */

struct migration {
    struct expiry x; /* with the transaction of the moment */
    unsigned table;
    uint8_t last[KEY_MAX]; /* the key of the last record that was seen */
    size_t last_len;       /* 0: none was seen yet */
    bool ended;            /* the table */
    uint64_t indexed, removed;
};

/* Whether the record may stay, and when it expires. */
static bool is_usable(const struct migration *m, const MDB_val *sealed, int64_t *expires)
{
    struct bytes key = {m->last, m->last_len};

    if (envelope_expires(key, as_bytes(sealed), expires))
        return *expires >= 0 && key.len <= STORE_KEY_MAX;
    health_damage(m->x.health, key, "it is damaged");
    return false;
}

static int index_record(struct migration *m, MDB_cursor *cursor, const MDB_val *sealed)
{
    int64_t expires;

    if (is_usable(m, sealed, &expires)) {
        m->indexed++;
        return expiry_add(&m->x, m->table, (struct bytes){m->last, m->last_len}, expires);
    }
    m->removed++;
    return mdb_cursor_del(cursor, 0);
}

static int index_records(struct migration *m, MDB_cursor *cursor)
{
    MDB_val key, data;
    int rc = 0;

    for (unsigned n = 0; rc == 0 && n < PART_RECORDS; n++) {
        struct bytes last = {m->last, m->last_len};

        rc = cursor_behind(cursor, last, &key, &data);
        if (rc != 0)
            break;
        m->last_len = key.mv_size;
        memcpy(m->last, key.mv_data, key.mv_size);
        rc = index_record(m, cursor, &data);
    }
    m->ended = rc == MDB_NOTFOUND;
    return m->ended ? 0 : rc;
}

static int index_part(struct migration *m)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(m->x.txn, m->x.environment->tables[m->table], &cursor);

    if (rc != 0)
        return rc;
    rc = index_records(m, cursor);
    mdb_cursor_close(cursor);
    return rc;
}

static int in_transaction(struct migration *m, int (*work)(struct migration *m))
{
    int rc = mdb_txn_begin(m->x.environment->env, NULL, 0, &m->x.txn);

    if (rc != 0)
        return rc;
    rc = work(m);
    if (rc == 0)
        return mdb_txn_commit(m->x.txn);
    mdb_txn_abort(m->x.txn);
    return rc;
}

static int finish(struct migration *m)
{
    return environment_write_format(m->x.environment, m->x.txn);
}

static int index_all(struct migration *m)
{
    int rc = 0;

    for (m->table = 0; rc == 0 && m->table < STORE_TABLE_COUNT; m->table++) {
        m->last_len = 0;
        do {
            rc = in_transaction(m, index_part);
        } while (rc == 0 && !m->ended);
    }
    return rc != 0 ? rc : in_transaction(m, finish);
}

bool migration_run(struct environment *e, uint32_t from, struct error *err)
{
    struct health health = {.path = e->path};
    struct migration m = {.x = {.environment = e, .health = &health}};
    int rc;

    log_info("store %s: has format %u, is brought to format %d", e->path, from, STORE_FORMAT);
    rc = index_all(&m);
    if (rc != 0) {
        error_set(err, "store %s: cannot be brought to format %d: %s", e->path, STORE_FORMAT,
                  environment_explain(rc));
        return false;
    }
    log_info("store %s: now has format %d: %llu records, and %llu unusable ones that were removed",
             e->path, STORE_FORMAT, (unsigned long long)m.indexed, (unsigned long long)m.removed);
    return true;
}
