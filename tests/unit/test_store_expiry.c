/* store: what has expired is swept, what expires soonest makes room, the index of it, the report.
 */
#include <check.h>
#include <lmdb.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clocks.h"
#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

#define EARLIER 1000000000 /* expired, and not so long ago that the clock is doubted */

static struct store_rig rig;
static char value[1024];

static void setup(void)
{
    clocks_wall = EARLIER + 1000;
    rig_init_in_memory(&rig);
}

static void teardown(void)
{
    rig_remove(&rig);
}

static void put(enum store_table table, const char *key, int64_t expires)
{
    ck_assert(store_put(rig.store, table, key, strlen(key), "v", 1, expires, NULL, NULL));
    store_flush(rig.store);
}

static struct store_report report(void)
{
    struct store_report r;

    ck_assert(store_report(rig.store, &r));
    return r;
}

/* The store does it in its own time. */
static struct store_report await_swept(uint64_t swept)
{
    static const struct timespec pause = {.tv_nsec = 2000000};
    struct store_report r = report();

    while (r.swept < swept) {
        (void)nanosleep(&pause, NULL);
        r = report();
    }
    ck_assert_uint_eq(r.swept, swept);
    return r;
}

/* Entries of the index, of a store that is closed. */
static size_t count_index(void)
{
    MDB_env *env = rig_raw_open(&rig);
    MDB_txn *txn;
    MDB_stat stat;
    MDB_dbi dbi;

    ck_assert_int_eq(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, "expiry", 0, &dbi), 0);
    ck_assert_int_eq(mdb_stat(txn, dbi, &stat), 0);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return stat.ms_entries;
}

START_TEST(the_expired_are_swept)
{
    struct store_report r;

    rig_open(&rig);
    put(STORE_TABLE_ADDRESS, "old", EARLIER);
    put(STORE_TABLE_DOMAIN, "old", EARLIER - 1);
    put(STORE_TABLE_DUE, "old", EARLIER + 1);
    put(STORE_TABLE_ADDRESS, "young", RIG_NOW + 1);
    r = await_swept(3);
    ck_assert_uint_eq(r.entries[STORE_TABLE_ADDRESS], 1);
    ck_assert_uint_eq(r.entries[STORE_TABLE_DOMAIN], 0);
    ck_assert_uint_eq(r.entries[STORE_TABLE_DUE], 0);
    ck_assert_int_eq(r.next_expiry, RIG_NOW + 1);
    ck_assert_int_eq(rig_get(&rig, "young", value), STORE_OK);
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 1);
}
END_TEST

START_TEST(many_are_swept_in_steps)
{
    struct store_report r;

    rig_open(&rig);
    for (uint32_t i = 0; i < 3000; i++)
        ck_assert(store_put(rig.store, STORE_TABLE_ADDRESS, &i, sizeof(i), "v", 1,
                            i % 3 == 0 ? RIG_NOW + 1 : EARLIER + i % 7, NULL, NULL));
    store_flush(rig.store);
    r = await_swept(2000);
    ck_assert_uint_eq(r.entries[STORE_TABLE_ADDRESS], 1000);
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 1000);
}
END_TEST

START_TEST(a_put_moves_its_entry)
{
    rig_open(&rig);
    put(STORE_TABLE_ADDRESS, "a", RIG_NOW + 1);
    put(STORE_TABLE_ADDRESS, "a", RIG_NOW + 1);
    put(STORE_TABLE_ADDRESS, "b", RIG_NOW + 2);
    ck_assert_int_eq(report().next_expiry, RIG_NOW + 1);
    put(STORE_TABLE_ADDRESS, "a", RIG_NOW + 3);
    ck_assert_int_eq(report().next_expiry, RIG_NOW + 2);
    ck_assert(rig_delete(&rig, "b"));
    ck_assert_int_eq(report().next_expiry, RIG_NOW + 3);
    ck_assert(rig_delete(&rig, "b"));
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 1);
    rig_open(&rig);
    ck_assert(rig_delete(&rig, "a"));
    ck_assert_int_eq(report().next_expiry, 0);
}
END_TEST

/* Changes a table behind the store's back. */
static void put_raw(const char *table, const void *key, size_t key_len, const void *data,
                    size_t len)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key}, v = {len, (void *)(uintptr_t)data};
    MDB_env *env = rig_raw_open(&rig);
    MDB_txn *txn;
    MDB_dbi dbi;

    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, table, 0, &dbi), 0);
    ck_assert_int_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(leftovers_of_the_index_harm_nobody)
{
    rig_open(&rig);
    put(STORE_TABLE_ADDRESS, "a", RIG_NOW + 1);
    put(STORE_TABLE_ADDRESS, "z", EARLIER);
    (void)await_swept(1);
    store_close(&rig.store);
    put_raw("expiry", "\0\0\0\0\x3b\x9a\xca\0\0a", 10, "", 0);   /* expires at another time */
    put_raw("expiry", "\0\0\0\0\x3b\x9a\xca\0\0b", 10, "", 0);   /* has no record */
    put_raw("expiry", "\0\0\0\0\x3b\x9a\xca\0\377a", 10, "", 0); /* of no table */
    put_raw("expiry", "\0\0\0", 3, "", 0);                       /* no entry at all */
    put_raw("expiry", "\377\0\0\0\0\0\0\1\0a", 10, "", 0);       /* no time */
    rig_open(&rig);
    put(STORE_TABLE_ADDRESS, "c", EARLIER);
    ck_assert_int_eq(await_swept(1).next_expiry, RIG_NOW + 1);
    ck_assert_int_eq(rig_get(&rig, "a", value), STORE_OK);
    store_close(&rig.store);
    ck_assert_uint_eq(count_index(), 2);
}
END_TEST

START_TEST(the_damaged_go_when_their_time_comes)
{
    rig_open(&rig);
    put(STORE_TABLE_ADDRESS, "a", RIG_NOW + 1);
    store_close(&rig.store);
    put_raw("address", "a", 1, "damaged", 7);
    put_raw("expiry", "\0\0\0\0\x3b\x9a\xca\0\0a", 10, "", 0);
    rig_open(&rig);
    ck_assert_uint_eq(await_swept(1).entries[STORE_TABLE_ADDRESS], 0);
}
END_TEST

static void note(void *arg, bool committed)
{
    *(int *)arg += committed ? 1 : 1000;
}

/* Spreads the numbers, as hosts and users are. */
static uint32_t key_of(uint32_t number)
{
    return number * 2654435761u;
}

/* Puts records that live the longer the higher their number, many times what there is room for. */
static void fill_over(uint32_t count, size_t len, unsigned at_once)
{
    char big[STORE_VALUE_MAX] = {0};
    int noted = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = key_of(i);

        ck_assert(store_put(rig.store, STORE_TABLE_ADDRESS, &key, sizeof(key), big, len,
                            RIG_NOW + 1 + i, note, &noted));
        if (i % at_once == at_once - 1)
            store_flush(rig.store);
    }
    store_flush(rig.store);
    ck_assert_int_eq(noted, (int)count);
}

static bool has(uint32_t number)
{
    char out[STORE_VALUE_MAX];
    uint32_t key = key_of(number);
    size_t len;

    return store_get(rig.store, STORE_TABLE_ADDRESS, &key, sizeof(key), RIG_NOW, out, sizeof(out),
                     &len) == STORE_OK;
}

/* Nobody is told that a put failed, the longest-lived are there, and most of the room is used. */
static void check_full(uint32_t count)
{
    struct store_report r = report();
    uint32_t first;

    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_gt(r.evicted, 0);
    ck_assert_uint_eq(r.swept, 0);
    ck_assert_uint_le(r.used, r.size);
    ck_assert_uint_gt(r.used, r.size / 2);
    ck_assert_uint_le(r.file, r.size);
    ck_assert(!store_failing(rig.store, value, sizeof(value)));
    store_close(&rig.store); /* which ends the evicting, too */
    rig.opts.size *= 4;
    rig_open(&rig);
    r = report();
    ck_assert_uint_gt(r.entries[STORE_TABLE_ADDRESS], 0);
    first = count - (uint32_t)r.entries[STORE_TABLE_ADDRESS];
    for (uint32_t i = 0; i < count; i++)
        ck_assert_int_eq(has(i), i >= first);
}

START_TEST(the_soonest_to_expire_make_room)
{
    rig.opts.size = 4u << 20;
    rig_open(&rig);
    fill_over(16000, 250, 200);
    check_full(16000);
}
END_TEST

START_TEST(a_small_store_makes_room_for_big_values)
{
    rig.opts.size = 1u << 20;
    rig_open(&rig);
    fill_over(2000, 4000, 1);
    check_full(2000);
}
END_TEST

START_TEST(a_store_made_smaller_shrinks_but_not_its_file)
{
    static const struct timespec pause = {.tv_nsec = 2000000};
    struct store_report before, r;

    rig.opts.size = 8u << 20;
    rig_open(&rig);
    fill_over(20000, 250, 1000);
    before = report();
    store_close(&rig.store);
    rig.opts.size = 4u << 20;
    rig_open(&rig);
    for (r = report(); r.used > r.size / 10 * 9; r = report())
        (void)nanosleep(&pause, NULL);
    ck_assert_uint_ge(r.file, before.file);
    ck_assert_uint_gt(r.evicted, 0);
    ck_assert(has(19999));
    ck_assert(rig_put(&rig, "joe", "there is room"));
    ck_assert_uint_eq(report().failed, 0);
}
END_TEST

/* Another process, as mdb_copy is one: reads until `end` is closed. */
static pid_t hold_snapshot(int *end)
{
    int ready[2], ends[2];
    char octet;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(ends), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        MDB_txn *txn;

        (void)close(ends[1]);
        if (mdb_txn_begin(rig_raw_open(&rig), NULL, MDB_RDONLY, &txn) != 0 ||
            write(ready[1], "r", 1) != 1)
            _exit(1);
        (void)!read(ends[0], &octet, 1);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &octet, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    (void)close(ends[0]);
    *end = ends[1];
    return pid;
}

/* The same records: no more is used, but what they replace stays, until that fails. */
static void put_anew(uint32_t count)
{
    char big[4000] = {0};
    int noted = 1;

    for (uint32_t n = 0; noted == 1; n = (n + 1) % count) {
        uint32_t key = key_of(n);

        noted = 0;
        ck_assert(store_put(rig.store, STORE_TABLE_ADDRESS, &key, sizeof(key), big, sizeof(big),
                            RIG_NOW + 1 + n, note, &noted));
        store_flush(rig.store);
    }
}

START_TEST(a_snapshot_that_pins_pages_empties_nothing)
{
    char big[4000] = {0};
    int end, status;
    pid_t pid;

    rig.opts.size = 4u << 20;
    rig_open(&rig);
    fill_over(500, sizeof(big), 50);
    pid = hold_snapshot(&end);
    put_anew(500);
    ck_assert(store_failing(rig.store, value, sizeof(value)));
    for (uint32_t n = 0; n < 50; n++) {
        uint32_t key = key_of(n);

        ck_assert(store_put(rig.store, STORE_TABLE_ADDRESS, &key, sizeof(key), big, sizeof(big),
                            RIG_NOW + 1 + n, NULL, NULL));
        store_flush(rig.store);
    }
    ck_assert_uint_gt(report().entries[STORE_TABLE_ADDRESS], 400);
    (void)close(end);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert(rig_put(&rig, "joe", "there is room again"));
    ck_assert_msg(!store_failing(rig.store, value, sizeof(value)), "%s", value);
}
END_TEST

/* It takes its room from what is used, not from where the file ends. */
START_TEST(a_file_under_a_snapshot_does_not_grow_with_every_opening)
{
    int end, status;
    pid_t pid;

    rig.opts.size = 4u << 20;
    rig_open(&rig);
    fill_over(500, 4000, 50);
    store_close(&rig.store); /* or the other process would have its lock */
    pid = hold_snapshot(&end);
    rig_open(&rig);
    for (int i = 0; i < 10; i++) {
        put_anew(500);
        ck_assert_uint_le(report().file, rig.opts.size / 8 * 9);
        store_close(&rig.store);
        rig_open(&rig);
    }
    (void)close(end);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(rig_put(&rig, "joe", "there is room again"));
}
END_TEST

START_TEST(reports_what_there_is)
{
    struct store_report r;

    rig_open(&rig);
    r = report();
    ck_assert_uint_eq(r.size, rig.opts.size);
    ck_assert_uint_eq(r.entries[STORE_TABLE_ADDRESS], 0);
    ck_assert_int_eq(r.next_expiry, 0);
    ck_assert_uint_eq(r.commits, 0);
    ck_assert(rig_put(&rig, "joe", "valid"));
    put(STORE_TABLE_DESTINATION, "mx", RIG_NOW + 5);
    r = report();
    ck_assert_uint_eq(r.entries[STORE_TABLE_ADDRESS], 1);
    ck_assert_uint_eq(r.entries[STORE_TABLE_DESTINATION], 1);
    ck_assert_int_eq(r.next_expiry, RIG_NOW + 5);
    ck_assert_uint_eq(r.commits, 2);
    ck_assert_uint_eq(r.committed, 2);
    ck_assert_uint_eq(r.failed, 0);
    ck_assert_uint_gt(r.used, 0);
    ck_assert_uint_ge(r.file, r.used);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_expiry");
    TCase *tc = tcase_create("expiry");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 180);
    tcase_add_test(tc, the_expired_are_swept);
    tcase_add_test(tc, many_are_swept_in_steps);
    tcase_add_test(tc, a_put_moves_its_entry);
    tcase_add_test(tc, leftovers_of_the_index_harm_nobody);
    tcase_add_test(tc, the_damaged_go_when_their_time_comes);
    tcase_add_test(tc, the_soonest_to_expire_make_room);
    tcase_add_test(tc, a_small_store_makes_room_for_big_values);
    tcase_add_test(tc, a_store_made_smaller_shrinks_but_not_its_file);
    tcase_add_test(tc, a_snapshot_that_pins_pages_empties_nothing);
    tcase_add_test(tc, a_file_under_a_snapshot_does_not_grow_with_every_opening);
    tcase_add_test(tc, reports_what_there_is);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
