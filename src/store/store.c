#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/envelope.h"
#include "store/writer.h"

#define READERS_MAX   1024
#define POOL_SIZE     64 /* read transactions kept for reuse */
#define COMPLAINT_GAP 60 /* seconds between two log lines about the store's own failures */
#define SIZE_MIN      (1024 * 1024)

#define X(id, name) +1
enum { TABLE_COUNT = 0 STORE_TABLES(X) };
#undef X

static const char *const table_names[TABLE_COUNT] = {
#define X(id, name) [STORE_TABLE_##id] = name,
    STORE_TABLES(X)
#undef X
};

/* A read transaction, reset and renewed; whoever sets `taken` may use it. */
struct reader {
    atomic_flag taken;
    MDB_txn *txn;
};

struct store {
    char path[1100];
    int lock_fd;
    MDB_env *env;
    MDB_dbi tables[TABLE_COUNT];
    struct reader pool[POOL_SIZE];
    struct writer *writer;
    atomic_llong complained_at; /* clock_wall of the last complaint */
};

/* The one place where LMDB's errors become words; at most one line a minute. */
static void complain(struct store *s, const char *what, int rc)
{
    long long now = clock_wall(), last = atomic_load(&s->complained_at);

    if (now - last >= COMPLAINT_GAP &&
        atomic_compare_exchange_strong(&s->complained_at, &last, now))
        log_error("store: %s: %s: %s", s->path, what, mdb_strerror(rc));
}

static bool open_failed(const struct store *s, int rc, struct error *err)
{
    error_set(err, "store: %s: %s", s->path, mdb_strerror(rc));
    return false;
}

/* A second process, or a second store in this one, gets no further than here. */
static bool lock_dir(struct store *s, const char *dir, bool *in_use, struct error *err)
{
    char path[1100];

    (void)str_format(path, sizeof(path), "%s/lock", dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (s->lock_fd >= 0 && flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (s->lock_fd >= 0 && errno == EWOULDBLOCK) {
        if (in_use != NULL)
            *in_use = true;
        error_set(err, "store: %s: in use by another process", dir);
    } else {
        error_set(err, "store: %s: %s", path, strerror(errno));
    }
    return false;
}

/* LMDB maps the file: a page that is not there would be a SIGBUS later, so it is looked for now. */
static bool check_length(const struct store *s, struct error *err)
{
    MDB_envinfo info;
    MDB_stat st;
    struct stat file;

    if (mdb_env_info(s->env, &info) != 0 || mdb_env_stat(s->env, &st) != 0 ||
        stat(s->path, &file) != 0) {
        error_set(err, "store: %s: cannot be examined", s->path);
        return false;
    }
    if ((uint64_t)file.st_size >= ((uint64_t)info.me_last_pgno + 1) * st.ms_psize)
        return true;
    error_set(err, "store: %s: the file is shorter than its last page (%lld octets): damaged",
              s->path, (long long)file.st_size);
    return false;
}

/* Makes the tables and the format mark of a new store; refuses a format that is not ours. */
static int open_tables(struct store *s, MDB_txn *txn, unsigned *format)
{
    MDB_val key = {.mv_size = 6, .mv_data = "format"}, value = {0};
    MDB_dbi meta;
    char text[16];
    int rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &meta);

    *format = STORE_FORMAT;
    if (rc == 0)
        rc = mdb_get(txn, meta, &key, &value);
    if (rc == 0) {
        (void)str_copyn(text, sizeof(text), value.mv_data, value.mv_size);
        *format = (unsigned)strtoul(text, NULL, 10);
    } else if (rc == MDB_NOTFOUND) {
        (void)str_format(text, sizeof(text), "%d", STORE_FORMAT);
        value = (MDB_val){.mv_size = strlen(text), .mv_data = text};
        rc = mdb_put(txn, meta, &key, &value, 0);
    }
    for (int i = 0; rc == 0 && *format == STORE_FORMAT && i < TABLE_COUNT; i++)
        rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &s->tables[i]);
    return rc;
}

static bool prepare_tables(struct store *s, struct error *err)
{
    MDB_txn *txn;
    unsigned format = 0;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

    if (rc != 0)
        return open_failed(s, rc, err);
    rc = open_tables(s, txn, &format);
    if (rc != 0 || format != STORE_FORMAT) {
        mdb_txn_abort(txn);
        if (rc != 0)
            return open_failed(s, rc, err);
        error_set(err, "store: %s: format %u is not known to this version, which knows %d", s->path,
                  format, STORE_FORMAT);
        return false;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 || open_failed(s, rc, err);
}

static bool open_env(struct store *s, const struct store_opts *opts, struct error *err)
{
    int dead, rc = mdb_env_create(&s->env);

    if (rc == 0)
        rc = mdb_env_set_mapsize(s->env, opts->size > SIZE_MIN ? opts->size : SIZE_MIN);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(s->env, TABLE_COUNT + 1);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(s->env, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_open(s->env, s->path, MDB_NOSUBDIR | MDB_NOTLS, 0640);
    if (rc != 0)
        return open_failed(s, rc, err);
    (void)mdb_reader_check(s->env, &dead);
    return check_length(s, err) && prepare_tables(s, err);
}

static bool commit_changes(void *arg, const struct change *changes);

bool store_open(struct store **sp, const struct store_opts *opts, bool *in_use, struct error *err)
{
    struct store *s = calloc(1, sizeof(*s));

    *sp = s;
    if (in_use != NULL)
        *in_use = false;
    if (s == NULL) {
        error_set(err, "store: out of memory");
        return false;
    }
    s->lock_fd = -1;
    for (int i = 0; i < POOL_SIZE; i++)
        atomic_flag_clear(&s->pool[i].taken);
    (void)str_format(s->path, sizeof(s->path), "%s/store.mdb", opts->dir);
    if (lock_dir(s, opts->dir, in_use, err) && open_env(s, opts, err)) {
        if (writer_start(&s->writer, opts->commit_ms, opts->commit_max, commit_changes, s))
            return true;
        error_set(err, "store: cannot start the writer thread");
    }
    store_close(sp);
    return false;
}

/* A transaction of the pool, or one of its own where the pool is all taken. */
static int reader_begin(struct store *s, struct reader **slot, MDB_txn **txn)
{
    for (size_t i = 0; i < POOL_SIZE; i++) {
        struct reader *r = &s->pool[i];
        int rc;

        if (atomic_flag_test_and_set_explicit(&r->taken, memory_order_acquire))
            continue;
        *slot = r;
        rc = r->txn != NULL ? mdb_txn_renew(r->txn)
                            : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &r->txn);
        *txn = r->txn;
        if (rc != 0)
            atomic_flag_clear_explicit(&r->taken, memory_order_release);
        return rc;
    }
    *slot = NULL;
    return mdb_txn_begin(s->env, NULL, MDB_RDONLY, txn);
}

static void reader_end(struct reader *slot, MDB_txn *txn)
{
    if (slot == NULL) {
        mdb_txn_abort(txn);
        return;
    }
    mdb_txn_reset(txn);
    atomic_flag_clear_explicit(&slot->taken, memory_order_release);
}

static enum store_result read_value(const MDB_val *value, int64_t now, void *buf, size_t size,
                                    size_t *len)
{
    const uint8_t *payload;
    int64_t expires;

    if (!envelope_open(value->mv_data, value->mv_size, &payload, len, &expires) || *len > size)
        return STORE_BAD;
    if (now >= expires)
        return STORE_MISS;
    memcpy(buf, payload, *len);
    return STORE_OK;
}

enum store_result store_get(struct store *s, enum store_table table, const void *key,
                            size_t key_len, int64_t now, void *buf, size_t size, size_t *len)
{
    MDB_val k = {.mv_size = key_len, .mv_data = (void *)(uintptr_t)key}, v;
    enum store_result result = STORE_MISS;
    struct reader *slot;
    MDB_txn *txn;
    int rc = reader_begin(s, &slot, &txn);

    *len = 0;
    if (rc == 0) {
        rc = mdb_get(txn, s->tables[table], &k, &v);
        if (rc == 0)
            result = read_value(&v, now, buf, size, len);
        reader_end(slot, txn);
    }
    if (rc == 0 || rc == MDB_NOTFOUND)
        return result;
    complain(s, "read", rc);
    return STORE_ERROR;
}

static int apply(struct store *s, MDB_txn *txn, const struct change *c)
{
    MDB_val k = {.mv_size = c->key_len, .mv_data = (void *)(uintptr_t)c->bytes};
    MDB_val v = {.mv_size = c->value_len, .mv_data = (void *)(uintptr_t)(c->bytes + c->key_len)};
    int rc;

    if (!c->remove)
        return mdb_put(txn, s->tables[c->table], &k, &v, 0);
    rc = mdb_del(txn, s->tables[c->table], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Writer thread. */
static bool commit_changes(void *arg, const struct change *changes)
{
    struct store *s = arg;
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

    if (rc == 0) {
        for (const struct change *c = changes; c != NULL && rc == 0; c = c->next)
            rc = apply(s, txn, c);
        if (rc == 0)
            rc = mdb_txn_commit(txn);
        else
            mdb_txn_abort(txn);
    }
    if (rc != 0)
        complain(s, "write", rc);
    return rc == 0;
}

static bool push_change(struct store *s, const struct change *head, const void *key,
                        const void *value, size_t value_len, int64_t expires)
{
    struct change *c = malloc(sizeof(*c) + head->key_len + value_len + ENVELOPE_OVERHEAD);

    if (c == NULL)
        return false;
    *c = *head;
    memcpy(c->bytes, key, c->key_len);
    if (!c->remove)
        c->value_len = envelope_seal(c->bytes + c->key_len, value, value_len, expires);
    if (writer_push(s->writer, c))
        return true;
    free(c);
    return false;
}

bool store_put(struct store *s, enum store_table table, const void *key, size_t key_len,
               const void *value, size_t value_len, int64_t expires, store_done done, void *arg)
{
    struct change head = {.table = table, .done = done, .arg = arg, .key_len = key_len};

    return key_len > 0 && key_len <= STORE_KEY_MAX && value_len <= STORE_VALUE_MAX &&
           push_change(s, &head, key, value, value_len, expires);
}

bool store_delete(struct store *s, enum store_table table, const void *key, size_t key_len,
                  store_done done, void *arg)
{
    struct change head = {
        .table = table, .done = done, .arg = arg, .remove = true, .key_len = key_len};

    return key_len > 0 && key_len <= STORE_KEY_MAX && push_change(s, &head, key, NULL, 0, 0);
}

void store_flush(struct store *s)
{
    writer_flush(s->writer);
}

void store_close(struct store **sp)
{
    struct store *s = *sp;

    if (s == NULL)
        return;
    writer_stop(&s->writer);
    for (int i = 0; i < POOL_SIZE; i++)
        if (s->pool[i].txn != NULL)
            mdb_txn_abort(s->pool[i].txn);
    if (s->env != NULL)
        mdb_env_close(s->env);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s);
    *sp = NULL;
}
