#include "bench_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/address_store.h"
#include "quantiles.h"

#define STORE_BYTES (UINT64_C(64) << 30)
#define COMMIT_MS   10
#define COMMIT_MAX  1000
#define PATH_SIZE   (sizeof(((struct store_opts *)0)->dir) + 16)

static void fail(const char *dir, const char *why)
{
    printf("%s: %s\n", dir, why);
    exit(EXIT_FAILURE);
}

void bench_open(struct bench_store *b)
{
    struct store_opts opts = {
        .size = STORE_BYTES, .commit_ms = COMMIT_MS, .commit_max = COMMIT_MAX};
    struct error err;

    (void)str_copy(opts.dir, sizeof(opts.dir), b->dir);
    if (!store_open(&b->store, &opts, NULL, &err))
        fail(b->dir, err.text);
}

void bench_close(struct bench_store *b)
{
    store_close(&b->store);
}

static void data_file(const struct bench_store *b, char path[PATH_SIZE])
{
    (void)str_format(path, PATH_SIZE, "%s/store.mdb", b->dir);
}

uint64_t bench_file_size(const struct bench_store *b)
{
    char path[PATH_SIZE];
    struct stat st;

    data_file(b, path);
    if (stat(path, &st) != 0)
        fail(path, strerror(errno));
    return (uint64_t)st.st_size;
}

void bench_open_raw(struct bench_store *b)
{
    char path[PATH_SIZE];
    int rc = mdb_env_create(&b->env);

    data_file(b, path);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(b->env, 1);
    if (rc == 0)
        rc = mdb_env_open(b->env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_RDONLY, 0600);
    if (rc == 0)
        rc = mdb_txn_begin(b->env, NULL, MDB_RDONLY, &b->txn);
    if (rc == 0)
        rc = mdb_dbi_open(b->txn, "address", 0, &b->table);
    if (rc == 0)
        rc = mdb_txn_commit(b->txn);
    if (rc == 0)
        rc = mdb_txn_begin(b->env, NULL, MDB_RDONLY, &b->txn);
    if (rc != 0)
        fail(path, mdb_strerror(rc));
    mdb_txn_reset(b->txn);
}

void bench_close_raw(struct bench_store *b)
{
    mdb_txn_abort(b->txn);
    mdb_env_close(b->env);
    b->env = NULL;
}

static bool count_one(void *arg, const void *key, size_t key_len, const void *value,
                      size_t value_len)
{
    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    ++*(size_t *)arg;
    return true;
}

size_t bench_warm(struct bench_store *b)
{
    size_t count = 0;

    if (!store_each(b->store, STORE_TABLE_ADDRESS, clock_wall(), count_one, &count))
        fail(b->dir, "cannot be read");
    return count;
}

void bench_pick(struct bench_store *b, struct address *out)
{
    uint64_t number;

    do
        number = population_random(b->random++, 8) % b->people.count;
    while (!population_lasts(number));
    population_address(&b->people, number, out);
}

uint64_t bench_ask(void *store)
{
    struct bench_store *b = store;
    struct address a;
    struct verdict v;
    enum recall known;
    uint64_t began;

    bench_pick(b, &a);
    began = now_ns();
    known = address_store_recall(b->store, &a, false, UINT64_MAX, false, &v);
    began = now_ns() - began;
    if (known != RECALL_ANSWER)
        fail(b->dir, "was filled too long ago");
    return began;
}

uint64_t bench_get(void *store)
{
    struct bench_store *b = store;
    uint8_t key[RECORD_KEY_SIZE], value[RECORD_SIZE_MAX];
    size_t key_len, len;
    struct address a;
    uint64_t began;

    bench_pick(b, &a);
    key_len = record_key(&a, false, key);
    began = now_ns();
    (void)store_get(b->store, STORE_TABLE_ADDRESS, key, key_len, 1, value, sizeof(value), &len);
    return now_ns() - began;
}

uint64_t bench_get_raw(void *store)
{
    struct bench_store *b = store;
    uint8_t key[RECORD_KEY_SIZE];
    struct address a;
    MDB_val name, data;
    uint64_t began;
    int rc;

    bench_pick(b, &a);
    name = (MDB_val){record_key(&a, false, key), key};
    began = now_ns();
    rc = mdb_txn_renew(b->txn);
    if (rc == 0) {
        rc = mdb_get(b->txn, b->table, &name, &data);
        mdb_txn_reset(b->txn);
    }
    began = now_ns() - began;
    if (rc != 0)
        fail(b->dir, mdb_strerror(rc));
    return began;
}
