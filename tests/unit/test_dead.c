/* callout/dead: what is remembered of addresses, how long, and that it is never too many. */
#include <check.h>
#include <stdio.h>

#include "callout/dead.h"
#include "suite.h"

#define MAX  10
#define SMTP 25

static struct dead *d;
static struct netaddr a, b;

static void setup(void)
{
    d = dead_new(MAX);
    ck_assert_ptr_nonnull(d);
    ck_assert(netaddr_parse("192.0.2.1", &a));
    ck_assert(netaddr_parse("2001:db8::1", &b));
}

static void teardown(void)
{
    dead_free(&d);
    ck_assert_ptr_null(d);
    dead_free(&d);
}

static enum dead_state look(const struct netaddr *ip, int64_t now)
{
    return dead_look(d, ip, SMTP, now, NULL);
}

static void died(int64_t now)
{
    dead_failed(d, &a, SMTP, SMTP_FAILURE_TIMEOUT, now);
}

/* Dead until just then. */
static void assert_until(int64_t until)
{
    ck_assert_int_eq(look(&a, until - 1), DEAD_YES);
    ck_assert_int_eq(look(&a, until), DEAD_NOT);
}

START_TEST(test_failed)
{
    enum smtp_failure how = SMTP_FAILURE_NONE;

    ck_assert_int_eq(dead_look(d, &a, SMTP, 0, &how), DEAD_NOT);
    ck_assert_int_eq(how, SMTP_FAILURE_NONE);
    dead_failed(d, &a, SMTP, SMTP_FAILURE_REFUSED, 1000);
    ck_assert_int_eq(dead_look(d, &a, SMTP, 1000, &how), DEAD_YES);
    ck_assert_int_eq(how, SMTP_FAILURE_REFUSED);
    assert_until(1000 + DEAD_FIRST_MS);
    ck_assert_int_eq(look(&b, 1000), DEAD_NOT);
    ck_assert_int_eq(dead_look(d, &a, 24, 1000, NULL), DEAD_NOT);
}
END_TEST

/* The same bytes in another family are somebody else. */
START_TEST(test_families)
{
    struct netaddr v6 = a;

    v6.family = AF_INET6;
    died(0);
    ck_assert_int_eq(look(&v6, 0), DEAD_NOT);
}
END_TEST

START_TEST(test_longer_each_time)
{
    static const int64_t spans[] = {30000, 60000, 120000, 240000, 480000, 960000, 1800000, 1800000};
    int64_t now = 0;

    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        died(now);
        assert_until(now + spans[i]);
        now += spans[i] + spans[i] - 1; /* just not as long again */
    }
    now++;
    died(now);
    assert_until(now + DEAD_FIRST_MS);
}
END_TEST

/* Many found the same at the same time. */
START_TEST(test_one_death)
{
    enum smtp_failure how;

    for (int i = 0; i < 20; i++)
        died(i);
    assert_until(DEAD_FIRST_MS);
    dead_failed(d, &a, SMTP, SMTP_FAILURE_REFUSED, 20);
    ck_assert_int_eq(dead_look(d, &a, SMTP, 20, &how), DEAD_YES);
    ck_assert_int_eq(how, SMTP_FAILURE_REFUSED);
    died(DEAD_FIRST_MS);
    assert_until(3 * DEAD_FIRST_MS);
}
END_TEST

START_TEST(test_alive)
{
    died(0);
    died(DEAD_FIRST_MS);
    dead_alive(d, &a, SMTP);
    ck_assert_int_eq(look(&a, DEAD_FIRST_MS), DEAD_NOT);
    died(DEAD_FIRST_MS);
    assert_until(2 * DEAD_FIRST_MS);
    dead_alive(d, &b, SMTP);
    ck_assert_int_eq(look(&a, DEAD_FIRST_MS), DEAD_YES);
}
END_TEST

START_TEST(test_late)
{
    dead_late(d, &a, SMTP, 0);
    ck_assert_int_eq(look(&a, DEAD_LATE_MS - 1), DEAD_LATE);
    ck_assert_int_eq(look(&a, DEAD_LATE_MS), DEAD_NOT);
    dead_late(d, &a, SMTP, 0);
    dead_late(d, &a, SMTP, 1000);
    ck_assert_int_eq(look(&a, DEAD_LATE_MS), DEAD_LATE);
    dead_alive(d, &a, SMTP);
    ck_assert_int_eq(look(&a, 1000), DEAD_NOT);
}
END_TEST

START_TEST(test_late_and_dead)
{
    dead_late(d, &a, SMTP, 0);
    died(1000);
    dead_late(d, &a, SMTP, 2000); /* a race it was in before */
    ck_assert_int_eq(look(&a, 2000), DEAD_YES);
    ck_assert_int_eq(look(&a, 1000 + DEAD_FIRST_MS), DEAD_LATE);
    died(1000 + DEAD_FIRST_MS); /* and doubles still */
    ck_assert_int_eq(look(&a, 3 * DEAD_FIRST_MS + 999), DEAD_YES);
    ck_assert_int_eq(look(&a, 3 * DEAD_FIRST_MS + 1000), DEAD_LATE);
}
END_TEST

START_TEST(test_clear)
{
    died(0);
    dead_late(d, &b, SMTP, 0);
    dead_clear(d);
    ck_assert_int_eq(look(&a, 0), DEAD_NOT);
    ck_assert_int_eq(look(&b, 0), DEAD_NOT);
    dead_clear(d);
    died(0);
    assert_until(DEAD_FIRST_MS);
}
END_TEST

/* The one longest without news makes room. */
START_TEST(test_bounded)
{
    struct netaddr other;
    char text[32];

    dead_late(d, &b, SMTP, 0);
    died(0);
    for (int i = 0; i < 3 * MAX; i++) {
        (void)snprintf(text, sizeof(text), "198.51.100.%d", i);
        ck_assert(netaddr_parse(text, &other));
        dead_failed(d, &other, SMTP, SMTP_FAILURE_REFUSED, 0);
        died(0);
        ck_assert_int_eq(look(&other, 0), DEAD_YES);
    }
    ck_assert_int_eq(look(&a, 0), DEAD_YES);
    ck_assert_int_eq(look(&b, 0), DEAD_NOT);
    ck_assert(netaddr_parse("198.51.100.20", &other));
    ck_assert_int_eq(look(&other, 0), DEAD_NOT);
    ck_assert(netaddr_parse("198.51.100.21", &other));
    ck_assert_int_eq(look(&other, 0), DEAD_YES);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dead");
    TCase *t = tcase_create("dead");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_failed);
    tcase_add_test(t, test_families);
    tcase_add_test(t, test_longer_each_time);
    tcase_add_test(t, test_one_death);
    tcase_add_test(t, test_alive);
    tcase_add_test(t, test_late);
    tcase_add_test(t, test_late_and_dead);
    tcase_add_test(t, test_clear);
    tcase_add_test(t, test_bounded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
