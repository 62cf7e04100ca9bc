/* store: environments of older programs become such as this one writes. */
#include <check.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>

#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

#define MANY 2500 /* records, of several transactions */

static struct store_rig rig;
static char value[1024];

static void setup(void)
{
    rig_init(&rig);
    rig_open(&rig);
}

static void teardown(void)
{
    rig_remove(&rig);
}

static MDB_txn *begin_raw(MDB_env **env)
{
    MDB_txn *txn;

    *env = rig_raw_open(&rig);
    ck_assert_int_eq(mdb_txn_begin(*env, NULL, 0, &txn), 0);
    return txn;
}

static void end_raw(MDB_env *env, MDB_txn *txn)
{
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static MDB_dbi table(MDB_txn *txn, const char *name)
{
    MDB_dbi dbi;

    ck_assert_int_eq(mdb_dbi_open(txn, name, 0, &dbi), 0);
    return dbi;
}

static void set_format(MDB_txn *txn, const char *format)
{
    MDB_val key = {6, "format"}, data = {4, (void *)(uintptr_t)format};

    ck_assert_int_eq(mdb_put(txn, table(txn, "meta"), &key, &data, 0), 0);
}

/* As format 1 was: without the index. The store is closed for it. */
static void make_format_1(void)
{
    MDB_env *env;
    MDB_txn *txn;

    store_close(&rig.store);
    txn = begin_raw(&env);
    ck_assert_int_eq(mdb_drop(txn, table(txn, "expiry"), 1), 0);
    set_format(txn, "\1\0\0");
    end_raw(env, txn);
}

static void put_raw(MDB_txn *txn, const void *key, size_t len, const char *data)
{
    MDB_val k = {len, (void *)(uintptr_t)key}, v = {strlen(data), (void *)(uintptr_t)data};

    ck_assert_int_eq(mdb_put(txn, table(txn, "address"), &k, &v, 0), 0);
}

static size_t count_index(void)
{
    MDB_env *env;
    MDB_txn *txn = begin_raw(&env);
    MDB_stat stat;

    ck_assert_int_eq(mdb_stat(txn, table(txn, "expiry"), &stat), 0);
    end_raw(env, txn);
    return stat.ms_entries;
}

static void put_many(void)
{
    for (uint32_t i = 0; i < MANY; i++) {
        ck_assert(rig_put_number(rig.store, i, 100, NULL, NULL));
        ck_assert(store_put(rig.store, STORE_TABLE_DUE, &i, sizeof(i), "due", 3, RIG_NOW + 1 + i,
                            NULL, NULL));
    }
    store_flush(rig.store);
}

START_TEST(format_1_is_indexed)
{
    struct store_report r;

    put_many();
    make_format_1();
    rig_open(&rig);
    ck_assert(store_report(rig.store, &r));
    ck_assert_int_eq(r.next_expiry, RIG_NOW + 1);
    ck_assert_uint_eq(r.entries[STORE_TABLE_ADDRESS], MANY);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert(rig_has_number(rig.store, i, 100));
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 2 * MANY);
}
END_TEST

START_TEST(an_empty_one_of_format_1)
{
    make_format_1();
    rig_open(&rig);
    ck_assert(rig_put(&rig, "joe", "valid"));
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 1);
}
END_TEST

START_TEST(what_could_never_expire_is_removed)
{
    char key[511];
    MDB_env *env;
    MDB_txn *txn;

    memset(key, 'z', sizeof(key));
    ck_assert(rig_put(&rig, "joe", "valid"));
    make_format_1();
    txn = begin_raw(&env);
    put_raw(txn, "jim", 3, "");
    put_raw(txn, "jo", 2, "long enough, but without a checksum");
    put_raw(txn, key, sizeof(key), "whatever it is");
    end_raw(env, txn);
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert_int_eq(rig_get(&rig, "jim", value), STORE_MISS);
    ck_assert_int_eq(rig_get(&rig, "jo", value), STORE_MISS);
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 1);
}
END_TEST

/* The index is there by half, or all but the number of the format. */
START_TEST(a_migration_that_was_killed_begins_anew)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, data;

    put_many();
    store_close(&rig.store);
    txn = begin_raw(&env);
    set_format(txn, "\1\0\0");
    ck_assert_int_eq(mdb_cursor_open(txn, table(txn, "expiry"), &cursor), 0);
    for (unsigned n = 0; n < MANY / 2; n++) {
        ck_assert_int_eq(mdb_cursor_get(cursor, &key, &data, MDB_FIRST), 0);
        ck_assert_int_eq(mdb_cursor_del(cursor, 0), 0);
    }
    mdb_cursor_close(cursor);
    end_raw(env, txn);
    rig_open(&rig);
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 2 * MANY);
}
END_TEST

/* Format 1 filled its map to the last page. */
START_TEST(a_full_one_of_format_1)
{
    struct store_report r;

    put_many();
    make_format_1();
    rig.opts.size = 1u << 19; /* less than the file has already */
    rig_open(&rig);
    ck_assert(rig_put(&rig, "joe", "valid"));
    ck_assert(store_report(rig.store, &r));
    ck_assert_uint_eq(r.failed, 0);
}
END_TEST

/* One more table is made when it is first missed. */
START_TEST(a_table_that_is_not_there_is_made)
{
    MDB_env *env;
    MDB_txn *txn;

    ck_assert(rig_put(&rig, "joe", "valid"));
    store_close(&rig.store);
    txn = begin_raw(&env);
    ck_assert_int_eq(mdb_drop(txn, table(txn, "due"), 1), 0);
    end_raw(env, txn);
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert(store_put(rig.store, STORE_TABLE_DUE, "a", 1, "1", 1, RIG_NOW + 1, NULL, NULL));
    store_flush(rig.store);
    ck_assert_int_eq(store_get(rig.store, STORE_TABLE_DUE, "a", 1, RIG_NOW, value, 1, &(size_t){0}),
                     STORE_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_migration");
    TCase *tc = tcase_create("migration");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, format_1_is_indexed);
    tcase_add_test(tc, an_empty_one_of_format_1);
    tcase_add_test(tc, what_could_never_expire_is_removed);
    tcase_add_test(tc, a_migration_that_was_killed_begins_anew);
    tcase_add_test(tc, a_full_one_of_format_1);
    tcase_add_test(tc, a_table_that_is_not_there_is_made);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
