#include "store/store.h"

#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/cursor.h"
#include "store/envelope.h"
#include "store/environment.h"
#include "store/expiry.h"
#include "store/health.h"
#include "store/pages.h"
#include "store/readers.h"
#include "store/recovery.h"
#include "store/upkeep.h"
#include "store/writer.h"

#define FORGET_RECORDS  10000 /* of one transaction: it should not take seconds */
#define BATCH_MIN       8     /* changes of one transaction: */
#define BATCH_MAX       8192
#define BATCH_SHIFT     19 /* one for so much of the size, to change a part of its pages only, */
#define BATCH_BYTES     5  /* and the same of its octets */
#define BATCH_BYTES_MAX (8u << 20)

struct store {
    struct environment environment;
    struct readers readers;
    struct health health;
    struct recovery recovery;
    struct upkeep upkeep;
    struct writer *writer;
    _Atomic uint64_t commits, committed, failed;
};

/*
 * Reading
 */

static struct reader *begin_reading(struct store *s)
{
    int rc;
    struct reader *r = readers_begin(&s->readers, &rc);

    if (r == NULL)
        health_report(&s->health, "cannot read", environment_explain(rc));
    return r;
}

/* Ends it too. */
static bool was_read(struct store *s, struct reader *r, int rc)
{
    readers_end(r);
    if (rc != 0)
        health_report(&s->health, "cannot read", environment_explain(rc));
    return rc == 0;
}

static enum store_result unwrap(struct store *s, struct bytes key, struct bytes sealed, int64_t now,
                                struct bytes *value)
{
    switch (envelope_open(key, sealed, now, value)) {
    case ENVELOPE_OK:
        return STORE_OK;
    case ENVELOPE_EXPIRED:
        return STORE_MISS;
    case ENVELOPE_BAD:
        break;
    }
    health_damage(&s->health, key, "it is damaged");
    return STORE_BAD;
}

/* Inside a read transaction, whose end ends the life of what LMDB points to. */
static enum store_result read_value(struct store *s, MDB_txn *txn, enum store_table table,
                                    struct bytes key, int64_t now, void *buf, size_t size,
                                    size_t *len)
{
    MDB_val name = as_val(key), data;
    enum store_result result;
    struct bytes value;
    int rc = mdb_get(txn, s->environment.tables[table], &name, &data);

    if (rc == MDB_NOTFOUND)
        return STORE_MISS;
    if (rc != 0) {
        health_report(&s->health, "cannot read", environment_explain(rc));
        return STORE_ERROR;
    }
    result = unwrap(s, key, as_bytes(&data), now, &value);
    if (result != STORE_OK)
        return result;
    if (value.len > size) {
        health_damage(&s->health, key, "it is too long");
        return STORE_BAD;
    }
    memcpy(buf, value.data, value.len);
    *len = value.len;
    return STORE_OK;
}

enum store_result store_get(struct store *s, enum store_table table, const void *key,
                            size_t key_len, int64_t now, void *buf, size_t size, size_t *len)
{
    enum store_result result;
    struct reader *r;

    if (key_len == 0 || key_len > STORE_KEY_MAX)
        return STORE_MISS;
    r = begin_reading(s);
    if (r == NULL)
        return STORE_ERROR;
    result = read_value(s, r->txn, table, (struct bytes){key, key_len}, now, buf, size, len);
    readers_end(r);
    return result;
}

/*
 * Walking
 */

struct walk {
    enum store_table table;
    struct bytes prefix;
    int64_t now;
    unsigned most;
    struct store_place *place;
    store_visit visit;
    void *arg;
};

/* To the next one to be seen. */
static int walk_on(const struct walk *w, MDB_cursor *cursor, MDB_val *key, MDB_val *data)
{
    struct bytes last = {w->place->key, w->place->key_len};

    return last.len == 0 ? cursor_from(cursor, w->prefix, key, data)
                         : cursor_behind(cursor, last, key, data);
}

/* Keys do, but where a page is damaged: to go back would be to go round for ever. */
static bool rises(const struct store_place *p, const MDB_val *key)
{
    size_t len = key->mv_size < p->key_len ? key->mv_size : p->key_len;
    int order = len > 0 ? memcmp(key->mv_data, p->key, len) : 0;

    return key->mv_size <= STORE_KEY_MAX &&
           (order > 0 || (order == 0 && key->mv_size > p->key_len));
}

static void move_to(struct store_place *p, const MDB_val *key)
{
    p->key_len = key->mv_size;
    memcpy(p->key, key->mv_data, key->mv_size);
}

/* A page of damaged records only. */
static int move_past(struct store_place *p, const MDB_val *key)
{
    if (!rises(p, key))
        return MDB_CORRUPTED;
    move_to(p, key);
    return 0;
}

/* Damaged ones are passed by, and a key that may be damaged leads nowhere. */
static int walk_records(struct store *s, const struct walk *w, MDB_cursor *cursor)
{
    struct store_place *p = w->place;
    bool moved = false;
    MDB_val key, data;
    int rc = walk_on(w, cursor, &key, &data);

    for (unsigned n = 1; rc == 0; n++) {
        struct bytes value;
        enum store_result found = unwrap(s, as_bytes(&key), as_bytes(&data), w->now, &value);

        if (found != STORE_BAD && !cursor_key_begins(&key, w->prefix))
            break;
        if (found != STORE_BAD && rises(p, &key)) {
            moved = true;
            move_to(p, &key);
            p->ended = found == STORE_OK &&
                       !w->visit(w->arg, key.mv_data, key.mv_size, value.data, value.len);
        }
        if (p->ended)
            return 0;
        if (n >= w->most)
            return moved ? 0 : move_past(p, &key);
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    p->ended = true;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool walk_page(struct store *s, const struct walk *w)
{
    struct reader *r = begin_reading(s);
    MDB_cursor *cursor;
    int rc;

    if (r == NULL)
        return false;
    rc = mdb_cursor_open(r->txn, s->environment.tables[w->table], &cursor);
    if (rc == 0) {
        rc = walk_records(s, w, cursor);
        mdb_cursor_close(cursor);
    }
    return was_read(s, r, rc);
}

bool store_page(struct store *s, enum store_table table, const void *prefix, size_t prefix_len,
                int64_t now, unsigned most, struct store_place *place, store_visit visit, void *arg)
{
    struct walk w = {table, {prefix, prefix_len}, now, most, place, visit, arg};

    if (prefix_len > STORE_KEY_MAX)
        place->ended = true;
    return place->ended || walk_page(s, &w);
}

bool store_each(struct store *s, enum store_table table, int64_t now, store_visit visit, void *arg)
{
    struct store_place place = {.key_len = 0};

    while (!place.ended)
        if (!store_page(s, table, NULL, 0, now, STORE_PAGE_MAX, &place, visit, arg))
            return false;
    return true;
}

/*
 * Writing
 */

static struct bytes change_key(const struct change *c)
{
    return (struct bytes){c->bytes, c->key_len};
}

static int apply(const struct expiry *x, const struct change *c)
{
    if (c->op == CHANGE_DELETE)
        return expiry_delete(x, c->table, change_key(c));
    return expiry_put(x, c->table, change_key(c),
                      (struct bytes){c->bytes + c->key_len, c->value_len});
}

static int apply_all(const struct expiry *x, const struct change *first)
{
    int rc = 0;

    for (const struct change *c = first; rc == 0 && c != NULL; c = c->next)
        rc = apply(x, c);
    return rc;
}

/* The next records of CHANGE_FORGET; *more: there may be others. */
static int forget_some(const struct expiry *x, const struct change *c, bool *more)
{
    unsigned forgotten;
    int rc = expiry_forget(x, c->table, change_key(c), FORGET_RECORDS, &forgotten);

    *more = forgotten == FORGET_RECORDS;
    if (rc == 0)
        *c->count += forgotten;
    return rc;
}

static int try_transaction(struct store *s, const struct change *first, bool *more)
{
    uint64_t count = first->op == CHANGE_FORGET ? *first->count : 0;
    struct expiry x = {&s->environment, &s->health, NULL};
    int rc = mdb_txn_begin(s->environment.env, NULL, 0, &x.txn);

    *more = false;
    if (rc != 0)
        return rc;
    rc = first->op == CHANGE_FORGET ? forget_some(&x, first, more) : apply_all(&x, first);
    if (rc == 0)
        rc = mdb_txn_commit(x.txn);
    else
        mdb_txn_abort(x.txn);
    if (rc != 0 && first->op == CHANGE_FORGET)
        *first->count = count;
    return rc;
}

static uint64_t count_changes(const struct change *first)
{
    uint64_t n = 0;

    for (const struct change *c = first; c != NULL; c = c->next)
        n++;
    return n;
}

static bool commit(void *arg, const struct change *first)
{
    struct store *s = arg;
    uint64_t changes = count_changes(first);
    bool more = true;
    int rc = 0;

    while (rc == 0 && more) {
        rc = MDB_PANIC;
        if (recovery_ready(&s->recovery))
            rc = try_transaction(s, first, &more);
        if (rc == MDB_MAP_FULL && upkeep_make_room(&s->upkeep))
            rc = try_transaction(s, first, &more);
        if (rc == 0)
            atomic_fetch_add(&s->commits, 1);
    }
    atomic_fetch_add(rc == 0 ? &s->committed : &s->failed, changes);
    if (rc != 0) {
        recovery_failed(&s->recovery, rc, changes);
        return false;
    }
    recovery_worked(&s->recovery);
    upkeep_committed(&s->upkeep, changes);
    return true;
}

static int64_t tend(void *arg)
{
    struct store *s = arg;

    return upkeep_tend(&s->upkeep);
}

static bool queue(struct store *s, struct change *c, enum store_table table, store_done done,
                  void *arg)
{
    c->table = (unsigned)table;
    c->done = done;
    c->arg = arg;
    if (writer_queue(s->writer, c))
        return true;
    free(c);
    health_report(&s->health, "cannot write", "too much is waiting to be committed");
    return false;
}

bool store_put(struct store *s, enum store_table table, const void *key, size_t key_len,
               const void *value, size_t value_len, int64_t expires, store_done done, void *arg)
{
    struct change *c;

    if (key_len == 0 || key_len > STORE_KEY_MAX || value_len > STORE_VALUE_MAX || expires < 0)
        return false;
    c = change_new(CHANGE_PUT, key_len, ENVELOPE_SIZE + value_len);
    if (c == NULL)
        return false;
    memcpy(c->bytes, key, key_len);
    envelope_seal((struct bytes){key, key_len}, (struct bytes){value, value_len}, expires,
                  c->bytes + key_len);
    return queue(s, c, table, done, arg);
}

/* A change that is all key. */
static bool queue_key(struct store *s, enum change_op op, enum store_table table, struct bytes key,
                      uint64_t *count, store_done done, void *arg)
{
    struct change *c;

    if (key.len == 0 || key.len > STORE_KEY_MAX)
        return false;
    c = change_new(op, key.len, 0);
    if (c == NULL)
        return false;
    c->count = count;
    memcpy(c->bytes, key.data, key.len);
    return queue(s, c, table, done, arg);
}

bool store_delete(struct store *s, enum store_table table, const void *key, size_t key_len,
                  store_done done, void *arg)
{
    return queue_key(s, CHANGE_DELETE, table, (struct bytes){key, key_len}, NULL, done, arg);
}

bool store_forget(struct store *s, enum store_table table, const void *prefix, size_t prefix_len,
                  uint64_t *count, store_done done, void *arg)
{
    *count = 0;
    return queue_key(s, CHANGE_FORGET, table, (struct bytes){prefix, prefix_len}, count, done, arg);
}

void store_flush(struct store *s)
{
    writer_flush(s->writer);
}

/*
 * Telling
 */

static int measure_file(const struct store *s, uint64_t *length)
{
    struct stat st;
    int fd, rc = mdb_env_get_fd(s->environment.env, &fd);

    if (rc == 0 && fstat(fd, &st) != 0)
        return EIO;
    if (rc == 0)
        *length = (uint64_t)st.st_size;
    return rc;
}

static int measure_tables(struct store *s, MDB_txn *txn, struct store_report *out)
{
    struct expiry x = {&s->environment, &s->health, txn};
    MDB_stat stat;
    int rc = 0;

    for (int i = 0; rc == 0 && i < STORE_TABLE_COUNT; i++) {
        rc = mdb_stat(txn, s->environment.tables[i], &stat);
        if (rc == 0)
            out->entries[i] = stat.ms_entries;
    }
    return rc != 0 ? rc : expiry_next(&x, &out->next_expiry);
}

bool store_report(struct store *s, struct store_report *out)
{
    struct reader *r = begin_reading(s);
    int rc;

    if (r == NULL)
        return false;
    *out = (struct store_report){
        .size = s->environment.size,
        .commits = atomic_load(&s->commits),
        .committed = atomic_load(&s->committed),
        .failed = atomic_load(&s->failed),
        .swept = atomic_load(&s->upkeep.swept),
        .evicted = atomic_load(&s->upkeep.evicted),
    };
    rc = measure_tables(s, r->txn, out);
    if (rc == 0)
        rc = pages_used(s->environment.env, r->txn, &out->used);
    if (rc == 0)
        rc = measure_file(s, &out->file);
    return was_read(s, r, rc);
}

bool store_failing(struct store *s, char *text, size_t size)
{
    return health_failing(&s->health, text, size);
}

/*
 * Life
 */

/* Batches that change no more than a part of all pages: what they replace stays until later. */
static bool start_writer(struct store *s, const struct store_opts *opts, struct error *err)
{
    uint64_t batch = opts->size >> BATCH_SHIFT, bytes = opts->size >> BATCH_BYTES;
    struct writer_opts writer = {
        .commit_ms = opts->commit_ms,
        .commit_max = opts->commit_max,
        .batch_max = batch < BATCH_MIN   ? BATCH_MIN
                     : batch > BATCH_MAX ? BATCH_MAX
                                         : (unsigned)batch,
        .batch_bytes = bytes > BATCH_BYTES_MAX ? BATCH_BYTES_MAX : (size_t)bytes,
        .commit = commit,
        .tend = tend,
        .arg = s,
    };

    return writer_start(&s->writer, &writer, err);
}

bool store_open(struct store **sp, const struct store_opts *opts, bool *in_use, struct error *err)
{
    struct store *s = calloc(1, sizeof(*s));

    *sp = NULL;
    if (in_use != NULL)
        *in_use = false;
    if (s == NULL) {
        error_set(err, "store %s: out of memory", opts->dir);
        return false;
    }
    health_init(&s->health, s->environment.path);
    s->readers.environment = &s->environment;
    s->recovery = (struct recovery){
        .environment = &s->environment, .readers = &s->readers, .health = &s->health};
    if (!environment_open(&s->environment, opts, in_use, err)) {
        store_close(&s);
        return false;
    }
    upkeep_init(&s->upkeep, &s->recovery);
    if (!start_writer(s, opts, err)) {
        store_close(&s);
        return false;
    }
    *sp = s;
    return true;
}

void store_close(struct store **sp)
{
    struct store *s = *sp;

    if (s == NULL)
        return;
    writer_stop(&s->writer);
    (void)readers_shut(&s->readers);
    environment_close(&s->environment);
    health_destroy(&s->health);
    free(s);
    *sp = NULL;
}
