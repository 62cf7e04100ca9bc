/* store: walks over a table, and a table that an older environment lacks. */
#include <check.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>

#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

static struct store_rig rig;

static void setup(void)
{
    rig_init(&rig);
}

static void teardown(void)
{
    rig_remove(&rig);
}

static void put_due(const char *key, const char *value, int64_t expires)
{
    ck_assert(store_put(rig.store, STORE_TABLE_DUE, key, strlen(key), value, strlen(value), expires,
                        NULL, NULL));
}

/* What was visited, as "key=value " each. */
struct seen {
    char text[256];
    unsigned enough; /* 0: never */
    unsigned count;
};

static bool see(void *arg, const void *key, size_t key_len, const void *value, size_t value_len)
{
    struct seen *seen = arg;
    size_t at = strlen(seen->text);

    (void)snprintf(seen->text + at, sizeof(seen->text) - at, "%.*s=%.*s ", (int)key_len,
                   (const char *)key, (int)value_len, (const char *)value);
    return ++seen->count != seen->enough;
}

START_TEST(goes_in_the_order_of_keys)
{
    struct seen seen = {0};

    rig_open(&rig);
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, see, &seen));
    ck_assert_uint_eq(seen.count, 0);
    put_due("b", "2", INT64_MAX);
    put_due("c", "", INT64_MAX);
    put_due("a", "1", INT64_MAX);
    put_due("aa", "11", INT64_MAX);
    ck_assert(rig_put(&rig, "z", "of another table"));
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, see, &seen));
    ck_assert_str_eq(seen.text, "a=1 aa=11 b=2 c= ");
}
END_TEST

START_TEST(ends_when_told)
{
    struct seen seen = {.enough = 2};

    rig_open(&rig);
    put_due("a", "1", INT64_MAX);
    put_due("b", "2", INT64_MAX);
    put_due("c", "3", INT64_MAX);
    store_flush(rig.store);
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, see, &seen));
    ck_assert_str_eq(seen.text, "a=1 b=2 ");
}
END_TEST

START_TEST(passes_the_expired_by)
{
    struct seen seen = {0};

    rig_open(&rig);
    put_due("a", "1", RIG_NOW);
    put_due("b", "2", RIG_NOW + 1);
    put_due("c", "3", 0);
    store_flush(rig.store);
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, see, &seen));
    ck_assert_str_eq(seen.text, "b=2 ");
}
END_TEST

/* Puts a value that no store wrote. */
static void put_raw(const char *key, const char *value)
{
    MDB_val k = {strlen(key), (void *)(uintptr_t)key};
    MDB_val v = {strlen(value), (void *)(uintptr_t)value};
    MDB_env *env = rig_raw_open(&rig);
    MDB_txn *txn;
    MDB_dbi dbi;

    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, "due", 0, &dbi), 0);
    ck_assert_int_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(passes_the_damaged_by)
{
    struct seen seen = {0};

    rig_open(&rig);
    put_due("a", "1", INT64_MAX);
    put_due("b", "2", INT64_MAX);
    put_due("c", "3", INT64_MAX);
    store_close(&rig.store);
    put_raw("b", "");
    put_raw("bb", "long enough, but without a checksum");
    rig_open(&rig);
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, see, &seen));
    ck_assert_str_eq(seen.text, "a=1 c=3 ");
}
END_TEST

#define MANY 5000

/* Numbers as keys, in their order. */
static void number_key(uint32_t number, uint8_t key[4])
{
    for (int i = 0; i < 4; i++)
        key[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void put_many(void)
{
    uint8_t key[4];

    for (uint32_t n = 0; n < MANY; n++) {
        number_key(n, key);
        ck_assert(store_put(rig.store, STORE_TABLE_DUE, key, sizeof(key), &n, sizeof(n),
                            n % 7 == 3 ? RIG_NOW : INT64_MAX, NULL, NULL));
    }
    store_flush(rig.store);
}

/* Deletes each record that it is shown, and the one behind. */
static bool delete_it(void *arg, const void *key, size_t key_len, const void *value,
                      size_t value_len)
{
    uint32_t *visited = arg, n;
    uint8_t behind[4];

    ck_assert_uint_eq(value_len, sizeof(n));
    memcpy(&n, value, sizeof(n));
    number_key(n + 1, behind);
    ck_assert(store_delete(rig.store, STORE_TABLE_DUE, key, key_len, NULL, NULL));
    ck_assert(store_delete(rig.store, STORE_TABLE_DUE, behind, sizeof(behind), NULL, NULL));
    if (n % 100 == 99)
        store_flush(rig.store);
    ++*visited;
    return true;
}

static bool expect_next(void *arg, const void *key, size_t key_len, const void *value,
                        size_t value_len)
{
    uint32_t *next = arg, n;
    uint8_t wanted[4];

    *next += *next % 7 == 3;
    number_key(*next, wanted);
    ck_assert_uint_eq(key_len, sizeof(wanted));
    ck_assert_mem_eq(key, wanted, sizeof(wanted));
    ck_assert_uint_eq(value_len, sizeof(n));
    memcpy(&n, value, sizeof(n));
    ck_assert_uint_eq(n, *next);
    ++*next;
    return true;
}

START_TEST(a_long_walk_sees_each_once)
{
    uint32_t next = 0;

    rig_open(&rig);
    put_many();
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, expect_next, &next));
    ck_assert_uint_eq(next, MANY);
}
END_TEST

START_TEST(the_ground_may_go_under_a_walk)
{
    uint32_t visited = 0, left = 0;

    rig.opts.commit_ms = 60000;
    rig_open(&rig);
    put_many();
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, delete_it, &visited));
    ck_assert_uint_gt(visited, MANY / 2);
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, delete_it, &left));
    ck_assert_uint_eq(left, 0);
}
END_TEST

/* As an environment is that was made before there was the table. */
static void drop_due(void)
{
    MDB_env *env = rig_raw_open(&rig);
    MDB_txn *txn;
    MDB_dbi dbi;

    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, "due", 0, &dbi), 0);
    ck_assert_int_eq(mdb_drop(txn, dbi, 1), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(an_older_environment_gets_its_table)
{
    struct seen seen = {0};
    char value[1024];

    rig_open(&rig);
    ck_assert(rig_put(&rig, "joe", "valid"));
    store_close(&rig.store);
    drop_due();
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert_str_eq(value, "valid");
    put_due("a", "1", INT64_MAX);
    store_close(&rig.store);
    rig_open(&rig);
    ck_assert(store_each(rig.store, STORE_TABLE_DUE, RIG_NOW, see, &seen));
    ck_assert_str_eq(seen.text, "a=1 ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_walk");
    TCase *tc = tcase_create("walk");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, goes_in_the_order_of_keys);
    tcase_add_test(tc, ends_when_told);
    tcase_add_test(tc, passes_the_expired_by);
    tcase_add_test(tc, passes_the_damaged_by);
    tcase_add_test(tc, a_long_walk_sees_each_once);
    tcase_add_test(tc, the_ground_may_go_under_a_walk);
    tcase_add_test(tc, an_older_environment_gets_its_table);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
