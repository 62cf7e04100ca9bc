/* callout/schedule: what is read again, where the store was changed by somebody else. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "callout/schedule.h"
#include "store_rig.h"
#include "suite.h"

#define NOW    (INT64_C(1000) * RIG_NOW)
#define MINUTE INT64_C(60000)

static struct store_rig rig;
static struct schedule *schedule;

static void setup(void)
{
    rig_init(&rig);
    rig_open(&rig);
    schedule = schedule_new(rig.store, 20000);
    ck_assert_ptr_nonnull(schedule);
}

static void teardown(void)
{
    schedule_free(&schedule);
    rig_remove(&rig);
}

static struct schedule_entry entry(unsigned number, int64_t due)
{
    struct schedule_entry e = {.helo = "mail.example.net", .due = due, .last_due = due};

    (void)snprintf(e.recipient, sizeof(e.recipient), "user%u@example.com", number);
    ck_assert(netaddr_parse("192.0.2.7", &e.source));
    return e;
}

static size_t key_of(unsigned number, uint8_t key[RECORD_KEY_SIZE])
{
    memcpy(key, "example.com", 12);
    return 12 + (size_t)snprintf((char *)key + 12, 16, "user%u", number);
}

/* By the schedule. */
static bool put(unsigned number)
{
    struct schedule_entry e = entry(number, NOW + MINUTE);
    uint8_t key[RECORD_KEY_SIZE];

    return schedule_put(schedule, key, key_of(number, key), &e);
}

static bool get(unsigned number, struct schedule_entry *out)
{
    uint8_t key[RECORD_KEY_SIZE];

    return schedule_get(schedule, key, key_of(number, key), out);
}

/* By another than the schedule. */
static void store_entry(unsigned number, const struct schedule_entry *e)
{
    uint8_t key[RECORD_KEY_SIZE], bytes[SCHEDULE_ENTRY_SIZE_MAX];
    size_t key_len = key_of(number, key), len = schedule_entry_encode(e, bytes, sizeof(bytes));

    ck_assert(store_put(rig.store, STORE_TABLE_DUE, key, key_len, bytes, len,
                        schedule_entry_expires(e), NULL, NULL));
    store_flush(rig.store);
}

static void unstore(unsigned number)
{
    uint8_t key[RECORD_KEY_SIZE];

    ck_assert(store_delete(rig.store, STORE_TABLE_DUE, key, key_of(number, key), NULL, NULL));
    store_flush(rig.store);
}

static void reread(unsigned number)
{
    uint8_t key[RECORD_KEY_SIZE];

    schedule_reread(schedule, key, key_of(number, key), NOW);
}

START_TEST(reads_one_again)
{
    struct schedule_entry e = entry(1, NOW + MINUTE), got;

    ck_assert(put(1));
    ck_assert(put(10));
    store_flush(rig.store);
    e.due = NOW + 2 * MINUTE;
    store_entry(1, &e);
    store_entry(2, &e);
    reread(1);
    reread(2);
    reread(3);
    ck_assert_uint_eq(schedule_count(schedule), 3);
    ck_assert(get(1, &got));
    ck_assert_int_eq(got.due, NOW + 2 * MINUTE);
    ck_assert(get(2, &got));
    unstore(1);
    reread(1);
    ck_assert(!get(1, &got));
    ck_assert(get(10, &got));
}
END_TEST

START_TEST(reads_a_domain_again)
{
    struct schedule_entry e = entry(1, NOW + MINUTE), got;

    for (unsigned i = 0; i < 2000; i++)
        ck_assert(put(i));
    store_flush(rig.store);
    unstore(7);
    store_entry(2000, &e);
    schedule_reread_domain(schedule, "example.co", NOW);
    ck_assert_uint_eq(schedule_count(schedule), 2000);
    ck_assert(get(7, &got));
    schedule_reread_domain(schedule, "example.com", NOW);
    ck_assert_uint_eq(schedule_count(schedule), 2000);
    ck_assert(!get(7, &got));
    ck_assert(get(2000, &got));
    ck_assert_int_eq(schedule_next(schedule), NOW + MINUTE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("schedule_reread");
    TCase *t = tcase_create("core");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reads_one_again);
    tcase_add_test(t, reads_a_domain_again);
    suite_add_tcase(s, t);
    return suite_run(s);
}
