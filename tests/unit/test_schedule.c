/* callout/schedule: entries as bytes, the order of time, holding, and what a restart leaves. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callout/schedule.h"
#include "store_rig.h"
#include "suite.h"

#define NOW    (INT64_C(1000) * RIG_NOW)
#define MINUTE INT64_C(60000)
#define HOLD   (10 * MINUTE)

static struct store_rig rig;
static struct schedule *schedule;

static void setup(void)
{
    schedule = schedule_new(NULL, 10000);
    ck_assert_ptr_nonnull(schedule);
}

static void teardown(void)
{
    schedule_free(&schedule);
    ck_assert_ptr_null(schedule);
    schedule_free(&schedule);
}

static void setup_stored(void)
{
    rig_init(&rig);
    rig_open(&rig);
    schedule = schedule_new(rig.store, 20000);
    ck_assert_ptr_nonnull(schedule);
}

static void teardown_stored(void)
{
    schedule_free(&schedule);
    rig_remove(&rig);
}

/* As a daemon that ends and starts again; returns how many were loaded. */
static size_t restart(int64_t now, int64_t spread)
{
    schedule_free(&schedule);
    store_close(&rig.store);
    rig_open(&rig);
    schedule = schedule_new(rig.store, 20000);
    ck_assert_ptr_nonnull(schedule);
    return schedule_load(schedule, now, spread);
}

static struct schedule_entry entry(unsigned number, int64_t due)
{
    struct schedule_entry e = {
        .null_sender = true,
        .helo = "mail.example.net",
        .first_at = NOW - MINUTE,
        .due = due,
        .last_due = due + 60 * MINUTE,
    };

    (void)snprintf(e.recipient, sizeof(e.recipient), "User%u@example.com", number);
    ck_assert(netaddr_parse("192.0.2.7", &e.source));
    return e;
}

/* The one number's key. */
static size_t key_of(unsigned number, uint8_t key[RECORD_KEY_SIZE])
{
    char local[16];
    size_t n = (size_t)snprintf(local, sizeof(local), "user%u", number);

    memcpy(key, "example.com", 12);
    memcpy(key + 12, local, n);
    return 12 + n;
}

static unsigned number_of(const struct schedule_entry *e)
{
    return (unsigned)strtoul(e->recipient + 4, NULL, 10);
}

static bool put_entry(unsigned number, const struct schedule_entry *e)
{
    uint8_t key[RECORD_KEY_SIZE];

    return schedule_put(schedule, key, key_of(number, key), e);
}

static bool put(unsigned number, int64_t due)
{
    struct schedule_entry e = entry(number, due);

    return put_entry(number, &e);
}

static bool get(unsigned number, struct schedule_entry *out)
{
    uint8_t key[RECORD_KEY_SIZE];

    return schedule_get(schedule, key, key_of(number, key), out);
}

static void drop(unsigned number)
{
    uint8_t key[RECORD_KEY_SIZE];

    schedule_remove(schedule, key, key_of(number, key));
}

/* The number of who is due at `now`; -1: nobody. */
static int take(int64_t now)
{
    struct schedule_entry e;

    return schedule_take(schedule, now, HOLD, &e) ? (int)number_of(&e) : -1;
}

static void check_same(const struct schedule_entry *a, const struct schedule_entry *b)
{
    ck_assert_str_eq(a->recipient, b->recipient);
    ck_assert_str_eq(a->sender, b->sender);
    ck_assert_str_eq(a->helo, b->helo);
    ck_assert(a->apart == b->apart && a->null_sender == b->null_sender &&
              a->want_catch_all == b->want_catch_all);
    ck_assert(netaddr_equal(&a->source, &b->source));
    ck_assert_int_eq(a->first_at, b->first_at);
    ck_assert_int_eq(a->due, b->due);
    ck_assert_int_eq(a->last_due, b->last_due);
    ck_assert_int_eq(a->learned_ms, b->learned_ms);
    ck_assert_uint_eq(a->step, b->step);
}

static struct schedule_entry full_entry(void)
{
    struct schedule_entry e = entry(1, NOW + 5 * MINUTE + 7);

    e.apart = true;
    e.want_catch_all = true;
    e.null_sender = false;
    memset(e.recipient, 'r', sizeof(e.recipient) - 1);
    memset(e.sender, 's', sizeof(e.sender) - 1);
    memset(e.helo, 'h', sizeof(e.helo) - 1);
    ck_assert(netaddr_parse("2001:db8:1111:2222:3333:4444:5555:6666", &e.source));
    e.learned_ms = 15 * MINUTE;
    e.step = UINT32_MAX;
    return e;
}

START_TEST(bytes_keep_all)
{
    struct schedule_entry entries[] = {full_entry(), entry(1, NOW), {.recipient = "a@b"}}, out;
    uint8_t buf[SCHEDULE_ENTRY_SIZE_MAX];

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        size_t len = schedule_entry_encode(&entries[i], buf, sizeof(buf));

        ck_assert_uint_gt(len, 0);
        ck_assert_uint_eq(schedule_entry_encode(&entries[i], buf, len - 1), 0);
        ck_assert_uint_eq(schedule_entry_encode(&entries[i], buf, len), len);
        ck_assert(schedule_entry_decode(buf, len, &out));
        check_same(&entries[i], &out);
    }
}
END_TEST

START_TEST(negative_times_are_refused)
{
    struct schedule_entry e = entry(1, -1);

    ck_assert(!put_entry(1, &e));
    ck_assert_uint_eq(schedule_count(schedule), 0);
}
END_TEST

START_TEST(every_cut_shows)
{
    uint8_t buf[SCHEDULE_ENTRY_SIZE_MAX + 1] = {0};
    struct schedule_entry e = entry(1, NOW), out;
    size_t whole = schedule_entry_encode(&e, buf, sizeof(buf));

    for (size_t len = 0; len < whole; len++) {
        uint8_t *exact = malloc(len + 1);

        ck_assert_ptr_nonnull(exact);
        memcpy(exact, buf, len);
        ck_assert(!schedule_entry_decode(exact, len, &out));
        free(exact);
    }
    ck_assert(!schedule_entry_decode(buf, whole + 1, &out));
}
END_TEST

/* No octet is without meaning: what is taken is another entry, with that one encoding. */
START_TEST(garbled_is_refused_or_means_that)
{
    uint8_t buf[SCHEDULE_ENTRY_SIZE_MAX], again[SCHEDULE_ENTRY_SIZE_MAX];
    struct schedule_entry e = entry(1, NOW), out;
    size_t len = schedule_entry_encode(&e, buf, sizeof(buf));

    for (size_t bit = 0; bit < len * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (schedule_entry_decode(buf, len, &out)) {
            ck_assert_uint_eq(schedule_entry_encode(&out, again, sizeof(again)), len);
            ck_assert_mem_eq(again, buf, len);
        }
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buf[0] = 2;
    ck_assert(!schedule_entry_decode(buf, len, &out));
}
END_TEST

START_TEST(nobody_waits)
{
    struct schedule_entry out;

    ck_assert_int_eq(schedule_next(schedule), INT64_MAX);
    ck_assert_int_eq(take(INT64_MAX), -1);
    ck_assert(!get(1, &out));
    drop(1);
    ck_assert_uint_eq(schedule_count(schedule), 0);
    ck_assert_uint_eq(schedule_load(schedule, NOW, 100), 0);
}
END_TEST

START_TEST(gives_back_what_was_put)
{
    struct schedule_entry e = full_entry(), out;

    ck_assert(put_entry(1, &e));
    ck_assert(get(1, &out));
    check_same(&e, &out);
    ck_assert(!get(2, &out));
    ck_assert_int_eq(schedule_next(schedule), e.due);
    ck_assert(!schedule_take(schedule, e.due - 1, HOLD, &out));
    ck_assert(schedule_take(schedule, e.due, HOLD, &out));
    check_same(&e, &out);
    drop(1);
    ck_assert(!get(1, &out));
    ck_assert_uint_eq(schedule_count(schedule), 0);
}
END_TEST

START_TEST(replaces)
{
    struct schedule_entry out;

    ck_assert(put(1, NOW + 1));
    ck_assert(put(2, NOW + 2));
    ck_assert(put(1, NOW + 3));
    ck_assert_uint_eq(schedule_count(schedule), 2);
    ck_assert_int_eq(take(NOW + 1), -1);
    ck_assert_int_eq(take(NOW + 2), 2);
    ck_assert_int_eq(take(NOW + 2), -1);
    ck_assert_int_eq(take(NOW + 3), 1);
    ck_assert(get(1, &out));
    ck_assert_int_eq(out.due, NOW + 3 + HOLD);
}
END_TEST

START_TEST(holds_what_was_taken)
{
    struct schedule_entry out;

    ck_assert(put(1, NOW));
    ck_assert(put(2, NOW + MINUTE));
    ck_assert_int_eq(take(NOW), 1);
    ck_assert_int_eq(take(NOW + HOLD - 1), 2);
    ck_assert_int_eq(take(NOW + HOLD - 1), -1);
    ck_assert(get(1, &out));
    ck_assert_int_eq(out.due, NOW + HOLD);
    ck_assert_int_eq(schedule_next(schedule), NOW + HOLD);
    ck_assert_int_eq(take(NOW + HOLD), 1);
}
END_TEST

START_TEST(ties_keep_their_order)
{
    for (unsigned n = 0; n < 100; n++)
        ck_assert(put(n, NOW));
    drop(17);
    ck_assert(put(3, NOW)); /* goes to the end */
    for (int n = 0; n < 100; n++)
        if (n != 3 && n != 17)
            ck_assert_int_eq(take(NOW), n);
    ck_assert_int_eq(take(NOW), 3);
    ck_assert_int_eq(take(NOW), -1);
    ck_assert_int_eq(take(NOW + HOLD), 0);
}
END_TEST

START_TEST(is_bounded)
{
    uint8_t key[RECORD_KEY_SIZE + 1] = "k";
    struct schedule_entry e = entry(1, NOW);

    ck_assert(!schedule_put(schedule, key, 0, &e));
    ck_assert(!schedule_put(schedule, key, sizeof(key), &e));
    for (unsigned n = 0; n < 10000; n++)
        ck_assert(put(n, NOW + n));
    ck_assert(!put(10000, NOW));
    ck_assert(!put(10001, NOW));
    ck_assert(put(7, NOW + 20000));
    ck_assert_uint_eq(schedule_count(schedule), 10000);
    drop(8);
    ck_assert(put(10000, NOW));
}
END_TEST

#define MODEL 200

/* The plainest schedule there is: who is due when, by number. */
struct model {
    int64_t due[MODEL]; /* -1: not in it */
    uint64_t order[MODEL];
    uint64_t next_order;
};

static void model_put(struct model *m, unsigned number, int64_t due)
{
    m->due[number] = due;
    m->order[number] = m->next_order++;
}

static int model_first(const struct model *m)
{
    int first = -1;

    for (int n = 0; n < MODEL; n++)
        if (m->due[n] >= 0 && (first < 0 || m->due[n] < m->due[first] ||
                               (m->due[n] == m->due[first] && m->order[n] < m->order[first])))
            first = n;
    return first;
}

static void check_model(const struct model *m)
{
    int first = model_first(m);
    size_t count = 0;

    for (int n = 0; n < MODEL; n++)
        count += m->due[n] >= 0;
    ck_assert_uint_eq(schedule_count(schedule), count);
    ck_assert_int_eq(schedule_next(schedule), first < 0 ? INT64_MAX : m->due[first]);
}

static void model_take(struct model *m, int64_t now)
{
    int first = model_first(m);

    if (first >= 0 && m->due[first] > now)
        first = -1;
    ck_assert_int_eq(take(now), first);
    if (first >= 0)
        model_put(m, (unsigned)first, now + HOLD);
}

START_TEST(does_as_the_model)
{
    struct model m = {.next_order = 0};
    int64_t now = NOW;

    srand(1);
    for (int n = 0; n < MODEL; n++)
        m.due[n] = -1;
    for (int i = 0; i < 20000; i++) {
        unsigned number = (unsigned)rand() % MODEL;
        int64_t due = now + rand() % 1000 * MINUTE / 100;

        switch (rand() % 4) {
        case 0:
            ck_assert(put(number, due));
            model_put(&m, number, due);
            break;
        case 1:
            drop(number);
            m.due[number] = -1;
            break;
        default:
            now += rand() % 3000;
            model_take(&m, now);
        }
        check_model(&m);
    }
}
END_TEST

START_TEST(survives_a_restart)
{
    struct schedule_entry e = full_entry(), out;

    ck_assert(put_entry(1, &e));
    ck_assert(put(2, NOW + MINUTE));
    ck_assert(put(3, NOW + MINUTE));
    ck_assert(put(3, NOW + 2 * MINUTE));
    drop(2);
    ck_assert_uint_eq(restart(NOW, 100), 2);
    ck_assert(get(1, &out));
    check_same(&e, &out);
    ck_assert(!get(2, &out));
    ck_assert(get(3, &out));
    ck_assert_int_eq(out.due, NOW + 2 * MINUTE);
    drop(1);
    drop(3);
    ck_assert_uint_eq(restart(NOW, 100), 0);
}
END_TEST

START_TEST(what_was_taken_comes_again)
{
    struct schedule_entry out;

    ck_assert(put(1, NOW));
    ck_assert_int_eq(take(NOW), 1);
    ck_assert_uint_eq(restart(NOW + 1, 100), 1);
    ck_assert(get(1, &out));
    ck_assert_int_eq(out.due, NOW + 1);
    ck_assert_int_eq(take(NOW + 1), 1);
}
END_TEST

START_TEST(is_forgotten_a_day_after_its_last)
{
    struct schedule_entry e = entry(1, NOW - 60 * MINUTE);

    e.last_due = NOW + 1;
    ck_assert(put_entry(1, &e));
    ck_assert_uint_eq(restart(NOW + 1440 * MINUTE + 999, 100), 1);
    ck_assert_uint_eq(restart(NOW + 1440 * MINUTE + 1000, 100), 0);
}
END_TEST

static void put_stored(const char *key, const void *value, size_t len)
{
    ck_assert(
        store_put(rig.store, STORE_TABLE_DUE, key, strlen(key), value, len, INT64_MAX, NULL, NULL));
}

START_TEST(damaged_is_passed_by)
{
    uint8_t buf[SCHEDULE_ENTRY_SIZE_MAX];
    struct schedule_entry e = entry(9, NOW + 1);
    size_t len = schedule_entry_encode(&e, buf, sizeof(buf));
    char long_key[RECORD_KEY_SIZE + 2];

    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    ck_assert(put(1, NOW + 1));
    put_stored("a", "garbage", 7);
    put_stored("b", buf, len - 1);
    put_stored("c", buf, len);
    put_stored("d", "", 0);
    put_stored(long_key, buf, len);
    ck_assert_uint_eq(restart(NOW, 100), 2);
    ck_assert_int_eq(take(NOW + 1), 9);
    ck_assert_int_eq(take(NOW + 1), 1);
    ck_assert_int_eq(take(NOW + 1), -1);
}
END_TEST

START_TEST(no_more_is_loaded_than_allowed)
{
    for (unsigned n = 0; n < 10; n++)
        ck_assert(put(n, NOW + n));
    store_flush(rig.store);
    schedule_free(&schedule);
    schedule = schedule_new(rig.store, 4);
    ck_assert_uint_eq(schedule_load(schedule, NOW, 100), 4);
    ck_assert_uint_eq(schedule_count(schedule), 4);
}
END_TEST

#define MANY   10000
#define SPREAD 250

/* Half of them before RIG_NOW, in no order, some at the same time. */
static int64_t due_of(unsigned number)
{
    return NOW + ((int64_t)(number * 7919u % MANY) - MANY / 2) / 3 * 1000;
}

/* Takes all, each at its time, and returns how many of them had been overdue at NOW. */
static unsigned take_all(bool *taken)
{
    int64_t last_due = 0, late = NOW, last = 0;
    unsigned overdue = 0;

    for (unsigned i = 0; i < MANY; i++) {
        int64_t now = schedule_next(schedule);
        struct schedule_entry e;

        ck_assert_int_ge(now, last);
        last = now;
        ck_assert(!schedule_take(schedule, now - 1, HOLD, &e));
        ck_assert(schedule_take(schedule, now, INT64_C(1) << 40, &e));
        ck_assert(!taken[number_of(&e)]);
        taken[number_of(&e)] = true;
        if (due_of(number_of(&e)) > NOW) {
            ck_assert_int_eq(now, due_of(number_of(&e)));
            continue;
        }
        ck_assert_int_eq(now, late);
        ck_assert_int_ge(due_of(number_of(&e)), last_due);
        last_due = due_of(number_of(&e));
        late += SPREAD;
        overdue++;
    }
    return overdue;
}

START_TEST(none_lost_none_early_none_bunched)
{
    static bool taken[MANY];
    unsigned overdue = 0;

    for (unsigned n = 0; n < MANY; n++) {
        ck_assert(put(n, due_of(n)));
        overdue += due_of(n) <= NOW;
    }
    ck_assert_uint_eq(restart(NOW, SPREAD), MANY);
    ck_assert_uint_eq(schedule_count(schedule), MANY);
    ck_assert_uint_eq(take_all(taken), overdue);
    ck_assert_uint_gt(overdue, MANY / 3);
    ck_assert_int_gt(schedule_next(schedule), NOW + (INT64_C(1) << 39));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *memory = tcase_create("memory"), *stored = tcase_create("stored");

    tcase_add_checked_fixture(memory, setup, teardown);
    tcase_add_test(memory, bytes_keep_all);
    tcase_add_test(memory, negative_times_are_refused);
    tcase_add_test(memory, every_cut_shows);
    tcase_add_test(memory, garbled_is_refused_or_means_that);
    tcase_add_test(memory, nobody_waits);
    tcase_add_test(memory, gives_back_what_was_put);
    tcase_add_test(memory, replaces);
    tcase_add_test(memory, holds_what_was_taken);
    tcase_add_test(memory, ties_keep_their_order);
    tcase_add_test(memory, is_bounded);
    tcase_add_test(memory, does_as_the_model);
    suite_add_tcase(suite, memory);
    tcase_add_checked_fixture(stored, setup_stored, teardown_stored);
    tcase_add_test(stored, survives_a_restart);
    tcase_add_test(stored, what_was_taken_comes_again);
    tcase_add_test(stored, is_forgotten_a_day_after_its_last);
    tcase_add_test(stored, damaged_is_passed_by);
    tcase_add_test(stored, no_more_is_loaded_than_allowed);
    tcase_add_test(stored, none_lost_none_early_none_bunched);
    suite_add_tcase(suite, stored);
    return suite_run(suite);
}
