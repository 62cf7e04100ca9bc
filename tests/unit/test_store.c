/* store: values in and out, expiry, damage, several threads at once. */
#include <check.h>
#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

static struct store_rig rig;
static char value[1024];

static void setup(void)
{
    rig_init(&rig);
}

static void teardown(void)
{
    rig_remove(&rig);
}

START_TEST(keeps_what_was_put)
{
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_MISS);
    ck_assert(rig_put(&rig, "joe", "valid"));
    ck_assert(rig_put(&rig, "jim", ""));
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert_str_eq(value, "valid");
    ck_assert_int_eq(rig_get(&rig, "jim", value), STORE_OK);
    ck_assert_str_eq(value, "");
    ck_assert(rig_put(&rig, "joe", "invalid"));
    store_close(&rig.store);
    ck_assert_ptr_null(rig.store);
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert_str_eq(value, "invalid");
}
END_TEST

START_TEST(forgets_what_was_deleted)
{
    rig_open(&rig);
    ck_assert(rig_put(&rig, "joe", "valid"));
    ck_assert(rig_put(&rig, "joes", "valid"));
    ck_assert(rig_delete(&rig, "joe"));
    ck_assert(rig_delete(&rig, "joe"));
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_MISS);
    ck_assert_int_eq(rig_get(&rig, "joes", value), STORE_OK);
}
END_TEST

START_TEST(expired_is_a_miss)
{
    rig_open(&rig);
    ck_assert(store_put(rig.store, STORE_TABLE_ADDRESS, "a", 1, "x", 1, RIG_NOW, NULL, NULL));
    ck_assert(store_put(rig.store, STORE_TABLE_ADDRESS, "b", 1, "x", 1, RIG_NOW + 1, NULL, NULL));
    store_flush(rig.store);
    ck_assert_int_eq(rig_get(&rig, "a", value), STORE_MISS);
    ck_assert_int_eq(rig_get(&rig, "b", value), STORE_OK);
}
END_TEST

START_TEST(bounds_hold)
{
    char key[STORE_KEY_MAX + 1], big[STORE_VALUE_MAX + 1], out[STORE_VALUE_MAX];
    size_t len;

    rig_open(&rig);
    memset(key, 'k', sizeof(key));
    memset(big, 'v', sizeof(big));
    ck_assert(!store_put(rig.store, 0, key, 0, "x", 1, INT64_MAX, NULL, NULL));
    ck_assert(!store_put(rig.store, 0, key, sizeof(key), "x", 1, INT64_MAX, NULL, NULL));
    ck_assert(!store_put(rig.store, 0, key, 1, big, sizeof(big), INT64_MAX, NULL, NULL));
    ck_assert(!store_put(rig.store, 0, key, 1, "x", 1, -1, NULL, NULL));
    ck_assert(!store_delete(rig.store, 0, key, 0, NULL, NULL));
    ck_assert(!store_delete(rig.store, 0, key, sizeof(key), NULL, NULL));
    ck_assert_int_eq(store_get(rig.store, 0, key, 0, RIG_NOW, out, sizeof(out), &len), STORE_MISS);
    ck_assert_int_eq(store_get(rig.store, 0, key, sizeof(key), RIG_NOW, out, sizeof(out), &len),
                     STORE_MISS);
    ck_assert(
        store_put(rig.store, 0, key, STORE_KEY_MAX, big, STORE_VALUE_MAX, INT64_MAX, NULL, NULL));
    store_flush(rig.store);
    ck_assert_int_eq(store_get(rig.store, 0, key, STORE_KEY_MAX, RIG_NOW, out, sizeof(out), &len),
                     STORE_OK);
    ck_assert_uint_eq(len, STORE_VALUE_MAX);
    ck_assert_mem_eq(out, big, len);
    ck_assert_int_eq(
        store_get(rig.store, 0, key, STORE_KEY_MAX, RIG_NOW, out, STORE_VALUE_MAX - 1, &len),
        STORE_BAD);
}
END_TEST

/* Flips one octet of a value behind the store's back. */
static void damage(const char *key, size_t at)
{
    MDB_val k = {strlen(key), (void *)(uintptr_t)key}, old, new;
    MDB_env *env = rig_raw_open(&rig);
    char copy[256];
    MDB_txn *txn;
    MDB_dbi dbi;

    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, "address", 0, &dbi), 0);
    ck_assert_int_eq(mdb_get(txn, dbi, &k, &old), 0);
    ck_assert(at < old.mv_size && old.mv_size <= sizeof(copy));
    memcpy(copy, old.mv_data, old.mv_size);
    copy[at] ^= 0x10;
    new = (MDB_val){old.mv_size, copy};
    ck_assert_int_eq(mdb_put(txn, dbi, &k, &new, 0), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(damaged_is_never_data)
{
    static const size_t places[] = {0, 8, 9, 17, 20};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        rig_open(&rig);
        ck_assert(rig_put(&rig, "joe", "valid"));
        ck_assert(rig_put(&rig, "jim", "valid"));
        store_close(&rig.store);
        damage("joe", places[i]);
        rig_open(&rig);
        ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_BAD);
        ck_assert_int_eq(rig_get(&rig, "jim", value), STORE_OK);
        ck_assert(rig_put(&rig, "joe", "new"));
        ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
        store_close(&rig.store);
    }
}
END_TEST

struct tally {
    atomic_uint committed, failed;
};

static void count(void *arg, bool committed)
{
    struct tally *t = arg;

    atomic_fetch_add(committed ? &t->committed : &t->failed, 1);
}

START_TEST(commits_in_groups)
{
    struct tally tally = {0};
    MDB_envinfo info;
    MDB_env *env;

    rig.opts.size = 1u << 30;
    rig.opts.commit_ms = 60000;
    rig.opts.commit_max = 1000;
    rig_open(&rig);
    for (uint32_t i = 0; i < 5000; i++)
        ck_assert(rig_put_number(rig.store, i, 100, count, &tally));
    store_flush(rig.store);
    ck_assert_uint_eq(atomic_load(&tally.committed), 5000);
    ck_assert_uint_eq(atomic_load(&tally.failed), 0);
    for (uint32_t i = 0; i < 5000; i++)
        ck_assert(rig_has_number(rig.store, i, 100));
    store_close(&rig.store);
    env = rig_raw_open(&rig);
    ck_assert_int_eq(mdb_env_info(env, &info), 0);
    ck_assert_uint_le(info.me_last_txnid, 1 + 6); /* the tables, 5 full groups, the flushed rest */
    mdb_env_close(env);
}
END_TEST

static void post(void *arg, bool committed)
{
    if (committed)
        sem_post(arg);
}

START_TEST(a_group_is_committed_without_a_push)
{
    sem_t committed;

    rig.opts.commit_ms = 5;
    rig.opts.commit_max = 1000000;
    ck_assert_int_eq(sem_init(&committed, 0, 0), 0);
    rig_open(&rig);
    ck_assert(rig_put_number(rig.store, 1, 100, post, &committed));
    while (sem_wait(&committed) != 0)
        ck_assert_int_eq(errno, EINTR);
    ck_assert(rig_has_number(rig.store, 1, 100));
    sem_destroy(&committed);
}
END_TEST

START_TEST(closing_commits)
{
    struct tally tally = {0};

    rig.opts.commit_ms = 60000;
    rig_open(&rig);
    for (uint32_t i = 0; i < 50; i++)
        ck_assert(rig_put_number(rig.store, i, 100, count, &tally));
    store_close(&rig.store);
    ck_assert_uint_eq(atomic_load(&tally.committed), 50);
    rig_open(&rig);
    for (uint32_t i = 0; i < 50; i++)
        ck_assert(rig_has_number(rig.store, i, 100));
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    struct tally tally = {0};
    unsigned queued = 0;

    rig.opts.commit_ms = 60000;
    rig.opts.commit_max = 1000000;
    while (queued < 10000) {
        if (rig.store == NULL)
            rig_open(&rig);
        if (!rig_put_number(rig.store, queued, STORE_VALUE_MAX, count, &tally))
            break;
        queued++;
    }
    ck_assert_uint_gt(queued, 3000);
    ck_assert_uint_lt(queued, 5000);
    store_flush(rig.store);
    ck_assert_uint_eq(atomic_load(&tally.committed), queued);
    ck_assert(rig_put(&rig, "joe", "there is room again"));
}
END_TEST

#define READ_THREADS 8
#define NUMBERS      64

static atomic_bool reading;
static atomic_uint reads;

/* Every number is always there, whole, in one of its lengths. */
static void *read_numbers(void *arg)
{
    uint8_t out[STORE_VALUE_MAX];
    uint32_t n = 0;
    size_t len;

    (void)arg;
    while (atomic_load(&reading)) {
        enum store_result result =
            store_get(rig.store, 0, &n, sizeof(n), RIG_NOW, out, sizeof(out), &len);

        if (result != STORE_OK || (len != 50 && len != 3000) ||
            out[len - 1] != (uint8_t)(n * 31 + (len - 1) * 7))
            return "a number is missing";
        n = (n + 1) % NUMBERS;
        atomic_fetch_add(&reads, 1);
    }
    return NULL;
}

START_TEST(reads_while_writing)
{
    pthread_t threads[READ_THREADS];
    void *complaint;

    rig_open(&rig);
    for (uint32_t n = 0; n < NUMBERS; n++)
        ck_assert(rig_put_number(rig.store, n, 50, NULL, NULL));
    store_flush(rig.store);
    atomic_store(&reading, true);
    for (int i = 0; i < READ_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_numbers, NULL), 0);
    for (uint32_t i = 0; i < 4000 || atomic_load(&reads) < 10000; i++) {
        ck_assert(rig_put_number(rig.store, i % NUMBERS, i % 2 == 0 ? 3000 : 50, NULL, NULL));
        if (i % 16 == 0)
            store_flush(rig.store);
    }
    atomic_store(&reading, false);
    for (int i = 0; i < READ_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &complaint), 0);
        ck_assert_msg(complaint == NULL, "%s", (char *)complaint);
    }
}
END_TEST

#define WRITE_THREADS 4

static void *write_numbers(void *arg)
{
    struct tally *t = arg;

    for (uint32_t n = 0; n < 500; n++) {
        if (!rig_put_number(rig.store, n, 200, count, t))
            return "refused";
        if (n % 100 == 0)
            store_flush(rig.store);
    }
    return NULL;
}

START_TEST(writes_from_several_threads)
{
    pthread_t threads[WRITE_THREADS];
    struct tally tally = {0};
    void *complaint;

    rig_open(&rig);
    for (int i = 0; i < WRITE_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_numbers, &tally), 0);
    for (int i = 0; i < WRITE_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &complaint), 0);
        ck_assert_msg(complaint == NULL, "%s", (char *)complaint);
    }
    store_flush(rig.store);
    ck_assert_uint_eq(atomic_load(&tally.committed), WRITE_THREADS * 500);
    ck_assert(rig_has_number(rig.store, 499, 200));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("store");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, keeps_what_was_put);
    tcase_add_test(tc, forgets_what_was_deleted);
    tcase_add_test(tc, expired_is_a_miss);
    tcase_add_test(tc, bounds_hold);
    tcase_add_test(tc, damaged_is_never_data);
    tcase_add_test(tc, commits_in_groups);
    tcase_add_test(tc, a_group_is_committed_without_a_push);
    tcase_add_test(tc, closing_commits);
    tcase_add_test(tc, the_queue_is_bounded);
    tcase_add_test(tc, reads_while_writing);
    tcase_add_test(tc, writes_from_several_threads);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
