#include "store/store.h"

#include <lmdb.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/envelope.h"
#include "store/environment.h"
#include "store/writer.h"

#define READERS_MAX     256 /* at the same time; more wait their turn */
#define REPORT_QUIET_MS 60000
#define WALK_RECORDS    1000 /* of store_each() in one read transaction, which pins old pages */

/* A read transaction, kept reset between uses. Whoever has set `busy` has it. */
struct reader {
    atomic_bool busy;
    MDB_txn *txn; /* NULL until it is first needed */
};

struct store {
    struct environment environment;
    struct reader readers[READERS_MAX];
    struct writer *writer;
    _Atomic int64_t quiet_until; /* clock_mono_ms: no report of a fault before */
};

/* A fault at work. One line a minute tells as much as thousands, and they come in thousands. */
static void report(struct store *s, const char *what, const char *why)
{
    int64_t now = clock_mono_ms(), quiet = atomic_load(&s->quiet_until);

    if (now >= quiet &&
        atomic_compare_exchange_strong(&s->quiet_until, &quiet, now + REPORT_QUIET_MS))
        log_error("store %s: %s: %s; more of this is not logged for a minute", s->environment.path,
                  what, why);
}

static void report_bad_value(struct store *s, struct bytes key, const char *why)
{
    char name[STORE_KEY_MAX + 1], what[STORE_KEY_MAX + 64];

    str_printable(name, sizeof(name), key.data, key.len);
    (void)str_format(what, sizeof(what), "ignored the value of \"%s\"", name);
    report(s, what, why);
}

/*
 * Reading
 */

static struct reader *take_reader(struct store *s)
{
    int cpu = sched_getcpu();
    unsigned first = cpu < 0 ? 0 : (unsigned)cpu;

    for (;;) {
        for (unsigned i = 0; i < READERS_MAX; i++) {
            struct reader *r = &s->readers[(first + i) % READERS_MAX];

            if (!atomic_exchange_explicit(&r->busy, true, memory_order_acquire))
                return r;
        }
        (void)sched_yield();
    }
}

static void give_back(struct reader *r)
{
    atomic_store_explicit(&r->busy, false, memory_order_release);
}

/* A reader with its transaction begun; NULL: reported. */
static struct reader *begin_reading(struct store *s)
{
    struct reader *r = take_reader(s);
    int rc = r->txn != NULL ? mdb_txn_renew(r->txn)
                            : mdb_txn_begin(s->environment.env, NULL, MDB_RDONLY, &r->txn);

    if (rc == 0)
        return r;
    give_back(r);
    report(s, "cannot read", environment_explain(rc));
    return NULL;
}

static void end_reading(struct reader *r)
{
    mdb_txn_reset(r->txn);
    give_back(r);
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
    report_bad_value(s, key, "it is damaged");
    return STORE_BAD;
}

/* Inside a read transaction, whose end ends the life of what LMDB points to. */
static enum store_result read_value(struct store *s, MDB_txn *txn, enum store_table table,
                                    struct bytes key, int64_t now, void *buf, size_t size,
                                    size_t *len)
{
    MDB_val name = {key.len, (void *)(uintptr_t)key.data}, data;
    enum store_result result;
    struct bytes value;
    int rc = mdb_get(txn, s->environment.tables[table], &name, &data);

    if (rc == MDB_NOTFOUND)
        return STORE_MISS;
    if (rc != 0) {
        report(s, "cannot read", environment_explain(rc));
        return STORE_ERROR;
    }
    result = unwrap(s, key, (struct bytes){data.mv_data, data.mv_size}, now, &value);
    if (result != STORE_OK)
        return result;
    if (value.len > size) {
        report_bad_value(s, key, "it is too long");
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
    end_reading(r);
    return result;
}

/*
 * Walking
 */

struct walk {
    enum store_table table;
    int64_t now;
    store_visit visit;
    void *arg;
    bool ended; /* there are no more, or the visitor has seen enough */
    uint8_t last[STORE_KEY_MAX];
    size_t last_len; /* 0: none was seen yet */
};

/* To the first record behind the last one; that may be gone by now. */
static int walk_on(const struct walk *w, MDB_cursor *cursor, MDB_val *key, MDB_val *data)
{
    int rc;

    if (w->last_len == 0)
        return mdb_cursor_get(cursor, key, data, MDB_FIRST);
    *key = (MDB_val){w->last_len, (void *)(uintptr_t)w->last};
    rc = mdb_cursor_get(cursor, key, data, MDB_SET_RANGE);
    if (rc == 0 && key->mv_size == w->last_len && memcmp(key->mv_data, w->last, w->last_len) == 0)
        rc = mdb_cursor_get(cursor, key, data, MDB_NEXT);
    return rc;
}

static bool visit_record(struct store *s, const struct walk *w, const MDB_val *key,
                         const MDB_val *data)
{
    struct bytes name = {key->mv_data, key->mv_size}, value;

    if (unwrap(s, name, (struct bytes){data->mv_data, data->mv_size}, w->now, &value) != STORE_OK)
        return true;
    return w->visit(w->arg, name.data, name.len, value.data, value.len);
}

static int walk_records(struct store *s, struct walk *w, MDB_cursor *cursor)
{
    MDB_val key, data;
    int rc = walk_on(w, cursor, &key, &data);

    for (unsigned n = 1; rc == 0; n++) {
        w->ended = !visit_record(s, w, &key, &data);
        w->last_len = key.mv_size;
        memcpy(w->last, key.mv_data, key.mv_size);
        if (w->ended || n == WALK_RECORDS)
            return 0;
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    w->ended = true;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The records of one transaction. */
static bool walk_part(struct store *s, struct walk *w)
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
    end_reading(r);
    if (rc != 0)
        report(s, "cannot read", environment_explain(rc));
    return rc == 0;
}

bool store_each(struct store *s, enum store_table table, int64_t now, store_visit visit, void *arg)
{
    struct walk w = {.table = table, .now = now, .visit = visit, .arg = arg};

    while (!w.ended)
        if (!walk_part(s, &w))
            return false;
    return true;
}

/*
 * Writing
 */

static int apply(struct store *s, MDB_txn *txn, const struct change *c)
{
    MDB_val key = {c->key_len, (void *)(uintptr_t)c->bytes};
    MDB_val value = {c->value_len, (void *)(uintptr_t)(c->bytes + c->key_len)};
    MDB_dbi table = s->environment.tables[c->table];
    int rc;

    if (c->op == CHANGE_PUT)
        return mdb_put(txn, table, &key, &value, 0);
    rc = mdb_del(txn, table, &key, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool commit(void *arg, const struct change *first)
{
    struct store *s = arg;
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->environment.env, NULL, 0, &txn);

    if (rc == 0) {
        for (const struct change *c = first; rc == 0 && c != NULL; c = c->next)
            rc = apply(s, txn, c);
        if (rc == 0)
            rc = mdb_txn_commit(txn);
        else
            mdb_txn_abort(txn);
    }
    if (rc != 0)
        report(s, "cannot write, so what was learned is not kept", environment_explain(rc));
    return rc == 0;
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
    report(s, "cannot write", "too much is waiting to be committed");
    return false;
}

bool store_put(struct store *s, enum store_table table, const void *key, size_t key_len,
               const void *value, size_t value_len, int64_t expires, store_done done, void *arg)
{
    struct change *c;

    if (key_len == 0 || key_len > STORE_KEY_MAX || value_len > STORE_VALUE_MAX)
        return false;
    c = change_new(CHANGE_PUT, key_len, ENVELOPE_SIZE + value_len);
    if (c == NULL)
        return false;
    memcpy(c->bytes, key, key_len);
    envelope_seal((struct bytes){key, key_len}, (struct bytes){value, value_len}, expires,
                  c->bytes + key_len);
    return queue(s, c, table, done, arg);
}

bool store_delete(struct store *s, enum store_table table, const void *key, size_t key_len,
                  store_done done, void *arg)
{
    struct change *c;

    if (key_len == 0 || key_len > STORE_KEY_MAX)
        return false;
    c = change_new(CHANGE_DELETE, key_len, 0);
    if (c == NULL)
        return false;
    memcpy(c->bytes, key, key_len);
    return queue(s, c, table, done, arg);
}

void store_flush(struct store *s)
{
    writer_flush(s->writer);
}

/*
 * Life
 */

bool store_open(struct store **sp, const struct store_opts *opts, bool *in_use, struct error *err)
{
    struct store *s = calloc(1, sizeof(*s));
    struct writer_opts writer = {
        .commit_ms = opts->commit_ms, .commit_max = opts->commit_max, .commit = commit, .arg = s};

    *sp = NULL;
    if (in_use != NULL)
        *in_use = false;
    if (s == NULL) {
        error_set(err, "store %s: out of memory", opts->dir);
        return false;
    }
    if (!environment_open(&s->environment, opts, in_use, err) ||
        !writer_start(&s->writer, &writer, err)) {
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
    for (int i = 0; i < READERS_MAX; i++)
        if (s->readers[i].txn != NULL)
            mdb_txn_abort(s->readers[i].txn);
    environment_close(&s->environment);
    free(s);
    *sp = NULL;
}
