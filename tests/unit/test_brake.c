/* policy/brake: who is braked, when, for how long, and that it remembers no more than it may. */
#include <check.h>
#include <stdio.h>

#include "policy/brake.h"
#include "policy/class.h"
#include "suite.h"

#define WINDOW 1000

static const struct brake_opts opts = {.invalid = 3, .share = 50, .window_ms = WINDOW};
static const struct mail_client alice = {.sasl_username = "alice", .address = "192.0.2.1"};
static const struct mail_client host = {.sasl_username = "", .address = "192.0.2.1"};
static struct brake *b;

static void setup(void)
{
    b = brake_new(100);
    ck_assert_ptr_nonnull(b);
}

static void teardown(void)
{
    brake_free(&b);
    ck_assert_ptr_null(b);
    brake_free(&b);
}

/* Counts so many at `now`; how many of these put the brake on. */
static int count(const struct mail_client *c, int n, bool invalid, int64_t now)
{
    int put_on = 0;

    for (int i = 0; i < n; i++)
        put_on += brake_count(b, &opts, c, invalid, now);
    return put_on;
}

START_TEST(test_both_limits)
{
    ck_assert_int_eq(count(&alice, 2, true, 0), 0);
    ck_assert(!brake_holds(b, &opts, &alice, 0));
    ck_assert_int_eq(count(&alice, 4, false, 0), 0);
    ck_assert_int_eq(count(&alice, 1, true, 0), 0); /* 3 of 7 */
    ck_assert(!brake_holds(b, &opts, &alice, 0));
    ck_assert_int_eq(count(&alice, 1, true, 0), 1); /* 4 of 8 */
    ck_assert(brake_holds(b, &opts, &alice, 0));
}
END_TEST

/* It says so once. */
START_TEST(test_put_on_once)
{
    ck_assert_int_eq(count(&alice, 10, true, 0), 1);
    ck_assert(brake_holds(b, &opts, &alice, 0));
}
END_TEST

/* Counted from the first recipient, braked from the last that it took. */
START_TEST(test_window)
{
    ck_assert_int_eq(count(&alice, 2, true, 0), 0);
    ck_assert_int_eq(count(&alice, 1, true, WINDOW), 0);
    ck_assert(!brake_holds(b, &opts, &alice, WINDOW));
    ck_assert_int_eq(count(&alice, 2, true, WINDOW + 10), 1);
    ck_assert(brake_holds(b, &opts, &alice, 2 * WINDOW + 9));
    ck_assert(!brake_holds(b, &opts, &alice, 2 * WINDOW + 10));
    ck_assert_int_eq(count(&alice, 2, true, 2 * WINDOW + 10), 0);
}
END_TEST

START_TEST(test_who)
{
    static const struct mail_client elsewhere = {.sasl_username = "alice", .address = "192.0.2.9"};
    static const struct mail_client nobody = {.address = "unknown"}, nothing = {NULL, NULL, NULL};
    static const struct mail_client v6 = {.address = "2001:db8::1"};
    static const struct mail_client same_64 = {.address = "2001:db8::ffff:0:0:1"};
    static const struct mail_client next_64 = {.address = "2001:db8:0:1::1"};

    ck_assert_int_eq(count(&alice, 3, true, 0), 1);
    ck_assert(brake_holds(b, &opts, &elsewhere, 0));
    ck_assert(!brake_holds(b, &opts, &host, 0));
    ck_assert_int_eq(count(&nobody, 9, true, 0), 0);
    ck_assert_int_eq(count(&nothing, 9, true, 0), 0);
    ck_assert(!brake_holds(b, &opts, &nobody, 0));
    ck_assert(!brake_holds(b, &opts, &nothing, 0));
    ck_assert_int_eq(count(&v6, 3, true, 0), 1);
    ck_assert(brake_holds(b, &opts, &same_64, 0));
    ck_assert(!brake_holds(b, &opts, &next_64, 0));
}
END_TEST

START_TEST(test_off)
{
    struct brake_opts off = opts;

    off.invalid = 0;
    for (int i = 0; i < 100; i++)
        ck_assert(!brake_count(b, &off, &alice, true, 0));
    ck_assert(!brake_holds(b, &off, &alice, 0));
    ck_assert_int_eq(count(&alice, 3, true, 0), 1);
    ck_assert(!brake_holds(b, &off, &alice, 0)); /* a reload takes it off */
}
END_TEST

/* The one longest without a recipient makes room, not the one that began first. */
START_TEST(test_bounded)
{
    struct mail_client c = {NULL, NULL, NULL};
    char ip[32];

    ck_assert_int_eq(count(&alice, 3, true, 0), 1);
    ck_assert_int_eq(count(&host, 3, true, 0), 1);
    for (int i = 0; i < 99; i++) {
        (void)snprintf(ip, sizeof(ip), "198.51.100.%d", i);
        c.address = ip;
        ck_assert_int_eq(count(&c, 1, true, 1), 0);
        ck_assert_int_eq(count(&alice, 1, false, 1), 0);
    }
    ck_assert(brake_holds(b, &opts, &alice, 1));
    ck_assert(!brake_holds(b, &opts, &host, 1));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("brake");
    TCase *t = tcase_create("brake");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_both_limits);
    tcase_add_test(t, test_put_on_once);
    tcase_add_test(t, test_window);
    tcase_add_test(t, test_who);
    tcase_add_test(t, test_off);
    tcase_add_test(t, test_bounded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
