/* store/upkeep: when it looks for what has expired, and when it does not believe the clock. */
#include <check.h>
#include <string.h>

#include "clocks.h"
#include "store/upkeep.h"
#include "store_rig.h"
#include "suite.h"

#define START 2000000000 /* of the wall clock; both stand still */
#define DAY   86400

static struct store_rig rig;
static struct environment environment;
static struct readers readers;
static struct health health;
static struct recovery recovery;
static struct upkeep upkeep;

static void go_on(int64_t ms)
{
    clocks_mono_ms += ms;
    clocks_wall += ms / 1000;
}

static void setup(void)
{
    struct error err;

    clocks_wall = START;
    clocks_mono_ms = 1000000;
    rig_init_in_memory(&rig);
    ck_assert_msg(environment_open(&environment, &rig.opts, NULL, &err), "%s", err.text);
    health = (struct health){.path = NULL};
    health_init(&health, environment.path);
    readers = (struct readers){.environment = &environment};
    recovery =
        (struct recovery){.environment = &environment, .readers = &readers, .health = &health};
    upkeep = (struct upkeep){.step = 0};
    upkeep_init(&upkeep, &recovery);
    (void)upkeep_tend(&upkeep);
}

static void teardown(void)
{
    environment_close(&environment);
    health_destroy(&health);
    rig_remove(&rig);
}

/* As the store does. */
static void put(const char *name, int64_t expires)
{
    struct expiry x = {&environment, &health, NULL};
    struct bytes key = {name, strlen(name)};
    uint8_t sealed[ENVELOPE_SIZE + 1];

    envelope_seal(key, (struct bytes){"v", 1}, expires, sealed);
    ck_assert_int_eq(mdb_txn_begin(environment.env, NULL, 0, &x.txn), 0);
    ck_assert_int_eq(
        expiry_put(&x, STORE_TABLE_ADDRESS, key, (struct bytes){sealed, sizeof(sealed)}), 0);
    ck_assert_int_eq(mdb_txn_commit(x.txn), 0);
    upkeep_committed(&upkeep, 1);
}

static size_t last_transaction(void)
{
    MDB_envinfo info;

    ck_assert_int_eq(mdb_env_info(environment.env, &info), 0);
    return info.me_last_txnid;
}

/* Lets so much time pass, tending it when it wants to be; how often that was. */
static unsigned tend_for(int64_t ms)
{
    int64_t until = clocks_mono_ms + ms;
    unsigned times = 0;

    for (;;) {
        int64_t wait = upkeep_tend(&upkeep);

        ck_assert_int_ge(wait, 0);
        if (clocks_mono_ms + wait > until)
            break;
        go_on(wait);
        times++;
    }
    go_on(until - clocks_mono_ms);
    return times;
}

START_TEST(an_idle_one_sleeps)
{
    size_t before;

    put("young", START + DAY);
    (void)tend_for(2000);
    before = last_transaction();
    ck_assert_uint_le(tend_for(3600000), 60);
    ck_assert_uint_eq(last_transaction(), before);
}
END_TEST

START_TEST(what_expires_is_removed_in_time)
{
    put("a", START + 10);
    put("b", START + 500);
    (void)tend_for(9000);
    ck_assert_uint_eq(upkeep.swept, 0);
    (void)tend_for(3000);
    ck_assert_uint_eq(upkeep.swept, 1);
    (void)tend_for(480000);
    ck_assert_uint_eq(upkeep.swept, 1);
    (void)tend_for(10000);
    ck_assert_uint_eq(upkeep.swept, 2);
}
END_TEST

START_TEST(what_is_put_wakes_it)
{
    put("late", START + DAY);
    (void)tend_for(5000);
    put("soon", START + 6);
    (void)tend_for(3000);
    ck_assert_uint_eq(upkeep.swept, 1);
}
END_TEST

/* A clock without a battery, until it has asked somebody for the time. */
START_TEST(a_clock_that_is_ahead_for_a_while_empties_nothing)
{
    put("a", START + DAY);
    put("b", START + 30 * DAY);
    (void)tend_for(2000);
    clocks_wall += 365 * DAY;
    (void)tend_for(300000);
    ck_assert_uint_eq(upkeep.swept, 0);
    clocks_wall -= 365 * DAY;
    (void)tend_for(3600000);
    ck_assert_uint_eq(upkeep.swept, 0);
}
END_TEST

START_TEST(one_that_stays_ahead_is_believed)
{
    put("a", START + DAY);
    (void)tend_for(2000);
    clocks_wall += 365 * DAY;
    (void)tend_for(900000);
    ck_assert_uint_eq(upkeep.swept, 1);
    put("b", clocks_wall + 5);
    (void)tend_for(10000);
    ck_assert_uint_eq(upkeep.swept, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_upkeep");
    TCase *tc = tcase_create("upkeep");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_idle_one_sleeps);
    tcase_add_test(tc, what_expires_is_removed_in_time);
    tcase_add_test(tc, what_is_put_wakes_it);
    tcase_add_test(tc, a_clock_that_is_ahead_for_a_while_empties_nothing);
    tcase_add_test(tc, one_that_stays_ahead_is_believed);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
