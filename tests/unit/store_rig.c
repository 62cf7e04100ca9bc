#include "store_rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool make_dir(struct store_rig *r, const char *below)
{
    (void)snprintf(r->opts.dir, sizeof(r->opts.dir), "%s/test_store.XXXXXX", below);
    return mkdtemp(r->opts.dir) != NULL;
}

static void init_below(struct store_rig *r, const char *below)
{
    *r = (struct store_rig){.opts = {.size = 64u << 20, .commit_ms = 1, .commit_max = 100}};
    ck_assert(make_dir(r, below) || make_dir(r, "/tmp"));
    (void)snprintf(r->data, sizeof(r->data), "%s/store.mdb", r->opts.dir);
}

void rig_init(struct store_rig *r)
{
    init_below(r, "/tmp");
}

void rig_init_in_memory(struct store_rig *r)
{
    init_below(r, "/dev/shm");
}

void rig_remove(struct store_rig *r)
{
    static const char *const names[] = {"store.mdb", "store.mdb-lock", "store.lock"};
    char path[1100];

    store_close(&r->store);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", r->opts.dir, names[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(r->opts.dir), 0);
}

void rig_open(struct store_rig *r)
{
    struct error err;

    ck_assert_msg(store_open(&r->store, &r->opts, NULL, &err), "%s", err.text);
}

static void note(void *arg, bool committed)
{
    *(int *)arg += committed ? 1 : -1;
}

bool rig_put(struct store_rig *r, const char *key, const char *value)
{
    int noted = 0;

    ck_assert(store_put(r->store, STORE_TABLE_ADDRESS, key, strlen(key), value, strlen(value),
                        INT64_MAX, note, &noted));
    store_flush(r->store);
    ck_assert(noted == 1 || noted == -1);
    return noted == 1;
}

bool rig_delete(struct store_rig *r, const char *key)
{
    int noted = 0;

    ck_assert(store_delete(r->store, STORE_TABLE_ADDRESS, key, strlen(key), note, &noted));
    store_flush(r->store);
    ck_assert(noted == 1 || noted == -1);
    return noted == 1;
}

enum store_result rig_get(struct store_rig *r, const char *key, char *value)
{
    size_t len = 0;
    enum store_result result =
        store_get(r->store, STORE_TABLE_ADDRESS, key, strlen(key), RIG_NOW, value, 1023, &len);

    value[result == STORE_OK ? len : 0] = '\0';
    return result;
}

static void fill(uint8_t *value, uint32_t number, size_t len)
{
    for (size_t i = 0; i < len; i++)
        value[i] = (uint8_t)(number * 31 + i * 7);
}

bool rig_put_number(struct store *s, uint32_t number, size_t len, store_done done, void *arg)
{
    uint8_t value[STORE_VALUE_MAX];

    fill(value, number, len);
    return store_put(s, STORE_TABLE_ADDRESS, &number, sizeof(number), value, len, INT64_MAX, done,
                     arg);
}

bool rig_has_number(struct store *s, uint32_t number, size_t len)
{
    uint8_t wanted[STORE_VALUE_MAX], found[STORE_VALUE_MAX];
    size_t found_len = 0;

    fill(wanted, number, len);
    return store_get(s, STORE_TABLE_ADDRESS, &number, sizeof(number), RIG_NOW, found, sizeof(found),
                     &found_len) == STORE_OK &&
           found_len == len && memcmp(found, wanted, len) == 0;
}

MDB_env *rig_raw_open(struct store_rig *r)
{
    MDB_env *env;

    ck_assert_int_eq(mdb_env_create(&env), 0);
    ck_assert_int_eq(mdb_env_set_mapsize(env, (size_t)r->opts.size), 0);
    ck_assert_int_eq(mdb_env_set_maxdbs(env, 8), 0);
    ck_assert_int_eq(mdb_env_open(env, r->data, MDB_NOSUBDIR, 0600), 0);
    return env;
}
