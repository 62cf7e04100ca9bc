/* store: walks over a table, all of it or a range, and forgetting one. */
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

static void put_key(enum store_table table, const char *key)
{
    ck_assert(store_put(rig.store, table, key, strlen(key), "", 0, RIG_NOW + 1, NULL, NULL));
}

/* The keys of a range, page after page of `most`. */
static const char *range(const char *prefix, unsigned most)
{
    static struct seen seen;
    struct store_place place = {.key_len = 0};
    unsigned pages = 0;

    seen = (struct seen){0};
    for (; !place.ended; pages++)
        ck_assert(store_page(rig.store, STORE_TABLE_ADDRESS, prefix, strlen(prefix), RIG_NOW, most,
                             &place, see, &seen));
    ck_assert_uint_ge(pages, seen.count / most);
    return seen.text;
}

START_TEST(a_range_is_walked_in_pages)
{
    static const char *const keys[] = {"a", "b", "ba", "bb", "bba", "c", "b\377", "b\377\377"};

    rig_open(&rig);
    ck_assert_str_eq(range("b", 1), "");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        put_key(STORE_TABLE_ADDRESS, keys[i]);
    store_flush(rig.store);
    for (unsigned most = 1; most < 9; most++) {
        ck_assert_str_eq(range("b", most), "b= ba= bb= bba= b\377= b\377\377= ");
        ck_assert_str_eq(range("bb", most), "bb= bba= ");
        ck_assert_str_eq(range("b\377", most), "b\377= b\377\377= ");
        ck_assert_str_eq(range("d", most), "");
        ck_assert_str_eq(range("", most), "a= b= ba= bb= bba= b\377= b\377\377= c= ");
    }
}
END_TEST

START_TEST(a_page_ends_where_enough_was_seen)
{
    struct seen seen = {.enough = 2};
    struct store_place place = {.key_len = 0};

    rig_open(&rig);
    put_key(STORE_TABLE_ADDRESS, "a");
    put_key(STORE_TABLE_ADDRESS, "b");
    put_key(STORE_TABLE_ADDRESS, "c");
    store_flush(rig.store);
    ck_assert(store_page(rig.store, STORE_TABLE_ADDRESS, NULL, 0, RIG_NOW, STORE_PAGE_MAX, &place,
                         see, &seen));
    ck_assert(place.ended);
    ck_assert_str_eq(seen.text, "a= b= ");
    ck_assert_mem_eq(place.key, "b", place.key_len);
}
END_TEST

static void note(void *arg, bool committed)
{
    *(int *)arg += committed ? 1 : -1;
}

static uint64_t forget(enum store_table table, const char *prefix)
{
    uint64_t count = 99;
    int noted = 0;

    ck_assert(store_forget(rig.store, table, prefix, strlen(prefix), &count, note, &noted));
    store_flush(rig.store);
    ck_assert_int_eq(noted, 1);
    return count;
}

START_TEST(a_range_is_forgotten)
{
    uint64_t count;

    rig_open(&rig);
    put_key(STORE_TABLE_ADDRESS, "a");
    put_key(STORE_TABLE_ADDRESS, "b");
    put_key(STORE_TABLE_ADDRESS, "bb");
    put_key(STORE_TABLE_ADDRESS, "c");
    put_key(STORE_TABLE_DOMAIN, "b");
    ck_assert_uint_eq(forget(STORE_TABLE_ADDRESS, "b"), 2);
    ck_assert_uint_eq(forget(STORE_TABLE_ADDRESS, "b"), 0);
    ck_assert_str_eq(range("", 10), "a= c= ");
    ck_assert_uint_eq(forget(STORE_TABLE_DOMAIN, "b"), 1);
    ck_assert(!store_forget(rig.store, STORE_TABLE_ADDRESS, "", 0, &count, NULL, NULL));
}
END_TEST

/* All of it is queued before any is committed. */
START_TEST(is_forgotten_in_its_turn)
{
    uint64_t first, second;

    rig.opts.commit_ms = 60000;
    rig.opts.commit_max = 1000;
    rig_open(&rig);
    put_key(STORE_TABLE_ADDRESS, "b1");
    put_key(STORE_TABLE_ADDRESS, "b2");
    ck_assert(store_forget(rig.store, STORE_TABLE_ADDRESS, "b", 1, &first, NULL, NULL));
    put_key(STORE_TABLE_ADDRESS, "b3");
    ck_assert(store_forget(rig.store, STORE_TABLE_ADDRESS, "b3", 2, &second, NULL, NULL));
    put_key(STORE_TABLE_ADDRESS, "b4");
    store_flush(rig.store);
    ck_assert_uint_eq(first, 2);
    ck_assert_uint_eq(second, 1);
    ck_assert_str_eq(range("", 10), "b4= ");
}
END_TEST

#define DOMAIN_SIZE 25000 /* more than one transaction forgets */

START_TEST(a_big_range_is_forgotten)
{
    struct store_report r;
    char key[32];

    rig.opts.commit_max = 1000;
    rig_open(&rig);
    put_key(STORE_TABLE_ADDRESS, "example.net");
    for (int i = 0; i < DOMAIN_SIZE; i++) {
        (void)snprintf(key, sizeof(key), "example.com/%d", i);
        put_key(STORE_TABLE_ADDRESS, key);
    }
    ck_assert_uint_eq(forget(STORE_TABLE_ADDRESS, "example.com/"), DOMAIN_SIZE);
    ck_assert(store_report(rig.store, &r));
    ck_assert_uint_eq(r.entries[STORE_TABLE_ADDRESS], 1);
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
    tcase_add_test(tc, a_range_is_walked_in_pages);
    tcase_add_test(tc, a_page_ends_where_enough_was_seen);
    tcase_add_test(tc, a_range_is_forgotten);
    tcase_add_test(tc, is_forgotten_in_its_turn);
    tcase_add_test(tc, a_big_range_is_forgotten);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
