/* callout/pace: the bucket, what trouble takes of it, and how that comes back. */
#include <check.h>
#include <limits.h>

#include "callout/pace.h"
#include "suite.h"

/* Two a second, five at once. */
static const struct pace_limits two = {.connections = 8, .rate_milli = 2000, .burst = 5};
static const struct pace_limits none = {.burst = 1};
static struct pace p;

static uint32_t least(uint32_t bound)
{
    ck_assert_uint_gt(bound, 0);
    return 0;
}

static uint32_t most(uint32_t bound)
{
    return bound - 1;
}

static uint32_t middle(uint32_t bound)
{
    return bound / 2;
}

static void take(unsigned n, int64_t now)
{
    while (n-- > 0)
        pace_take(&p, now);
}

/* As many as may be asked about at once. */
static unsigned drain(int64_t now)
{
    unsigned n = 0;

    for (; n < 1000 && pace_wait(&p, now) == 0; n++)
        pace_take(&p, now);
    return n;
}

static void good(unsigned n, int64_t now)
{
    while (n-- > 0)
        pace_good(&p, now);
}

START_TEST(test_bucket)
{
    pace_init(&p, &two, 1000);
    ck_assert_uint_eq(drain(1000), 5);
    ck_assert_int_eq(pace_wait(&p, 1000), 500);
    ck_assert_int_eq(pace_wait(&p, 1499), 1);
    ck_assert_int_eq(pace_wait(&p, 1500), 0);
    ck_assert_uint_eq(drain(1500), 1);
    ck_assert_uint_eq(drain(2999), 2); /* and 999 thousandths: nothing is lost of them */
    ck_assert_int_eq(pace_wait(&p, 2999), 1);
    ck_assert_uint_eq(drain(3000), 1);
    ck_assert_uint_eq(drain(3000 + 2500), 5);
}
END_TEST

/* However long nobody asks, it is five at once. */
START_TEST(test_bucket_after_a_rest)
{
    pace_init(&p, &two, 0);
    ck_assert_uint_eq(drain(0), 5);
    ck_assert_uint_eq(drain(INT64_C(1000000000000)), 5);
    ck_assert_uint_eq(drain(INT64_MAX), 5);
    ck_assert_uint_eq(drain(INT64_MAX), 0);
}
END_TEST

/* A clock that stands still, or was read before another did, gives and takes nothing. */
START_TEST(test_bucket_no_time)
{
    pace_init(&p, &two, 1000);
    take(5, 1000);
    ck_assert_int_eq(pace_wait(&p, 900), 500);
    ck_assert_int_eq(pace_wait(&p, 1000), 500);
    ck_assert_int_eq(pace_wait(&p, 1250), 250);
    ck_assert_int_eq(pace_wait(&p, 1100), 250);
    ck_assert_int_eq(pace_wait(&p, 1500), 0);
}
END_TEST

START_TEST(test_bucket_in_advance)
{
    pace_init(&p, &two, 0);
    take(8, 0);
    ck_assert_int_eq(pace_wait(&p, 0), 2000);
    ck_assert_int_eq(pace_wait(&p, 1999), 1);
    ck_assert_int_eq(pace_wait(&p, 2000), 0);
    ck_assert_uint_eq(drain(2000), 1);
}
END_TEST

START_TEST(test_bucket_slow)
{
    static const struct pace_limits slow = {.rate_milli = 3, .burst = 0}; /* that counts as one */

    pace_init(&p, &slow, 0);
    ck_assert_uint_eq(drain(0), 1);
    ck_assert_int_eq(pace_wait(&p, 0), 333334);
    ck_assert_int_eq(pace_wait(&p, 333333), 1);
    ck_assert_uint_eq(drain(333334), 1);
}
END_TEST

START_TEST(test_bucket_extremes)
{
    static const struct pace_limits vast = {.rate_milli = UINT_MAX, .burst = UINT_MAX};

    pace_init(&p, &vast, 0);
    take(1000, 0);
    ck_assert_int_eq(pace_wait(&p, INT64_MAX), 0);
    pace_init(&p, &two, 0);
    p.tokens_micro = INT64_MIN / 2; /* what nobody could have taken */
    take(10, 0);
    ck_assert_int_gt(pace_wait(&p, 0), 0);
    ck_assert_int_eq(pace_wait(&p, INT64_MAX), 0);
}
END_TEST

START_TEST(test_no_rate)
{
    pace_init(&p, &none, 0);
    ck_assert_uint_eq(drain(0), 1000);
    ck_assert_uint_eq(pace_connections(&p), UINT_MAX);
    pace_set_limits(&p, &two, 0); /* nothing was used of a bucket that was not there */
    ck_assert_uint_eq(drain(0), 5);
    pace_set_limits(&p, &none, 0);
    ck_assert_uint_eq(drain(0), 1000);
    pace_set_limits(&p, &two, 1);
    ck_assert_uint_eq(drain(1), 5);
}
END_TEST

START_TEST(test_other_limits)
{
    struct pace_limits more = two, less = two, slower;

    more.burst = 20;
    less.burst = 2;
    slower = less;
    slower.rate_milli = 1000;
    pace_init(&p, &two, 0);
    take(4, 0);
    pace_set_limits(&p, &more, 0);
    ck_assert_uint_eq(drain(0), 16);
    pace_set_limits(&p, &less, 0); /* which is no reason to wait for 18 */
    ck_assert_int_eq(pace_wait(&p, 0), 500);
    ck_assert_uint_eq(drain(60000), 2);
    pace_set_limits(&p, &slower, 60500); /* until now it was two a second */
    ck_assert_uint_eq(drain(60500), 1);
    ck_assert_int_eq(pace_wait(&p, 60500), 1000);
    pace_init(&p, &more, 0);
    pace_set_limits(&p, &less, 0);
    ck_assert_uint_eq(drain(0), 2);
}
END_TEST

/* A reload takes no trouble away. */
START_TEST(test_other_limits_in_trouble)
{
    pace_init(&p, &two, 0);
    ck_assert(pace_trouble(&p, 0, least));
    pace_set_limits(&p, &none, 0);
    ck_assert(pace_paused(&p, 0));
    ck_assert_uint_eq(pace_connections(&p), 8); /* half of 16 */
}
END_TEST

START_TEST(test_pauses)
{
    static const int64_t pauses[] = {5000,   10000,  20000,   40000,   80000,   160000,
                                     320000, 640000, 1280000, 1800000, 1800000, 1800000};
    int64_t now = 0;

    pace_init(&p, &two, 0);
    ck_assert(!pace_paused(&p, 0));
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        ck_assert(pace_trouble(&p, now, middle));
        ck_assert_uint_eq(p.level, i < PACE_LEVEL_MAX ? i + 1 : PACE_LEVEL_MAX);
        now += pauses[i];
        ck_assert(pace_paused(&p, now - 1));
        ck_assert(!pace_paused(&p, now));
    }
}
END_TEST

START_TEST(test_jitter)
{
    pace_init(&p, &two, 100);
    ck_assert(pace_trouble(&p, 100, least));
    ck_assert_int_eq(p.pause_until, 100 + 3750);
    pace_init(&p, &two, 100);
    ck_assert(pace_trouble(&p, 100, most));
    ck_assert_int_eq(p.pause_until, 100 + 6250);
    p.level = PACE_LEVEL_MAX;
    ck_assert(pace_trouble(&p, 7000, most));
    ck_assert_int_eq(p.pause_until, 7000 + 2250000);
}
END_TEST

START_TEST(test_one_trouble)
{
    pace_init(&p, &two, 0);
    ck_assert(pace_trouble(&p, 0, middle));
    ck_assert(!pace_trouble(&p, 4999, middle));
    ck_assert(!pace_shrink(&p, 4999, middle));
    ck_assert_uint_eq(p.level, 1);
    ck_assert(!pace_paused(&p, 5000));
    ck_assert(pace_trouble(&p, 5000, middle));
    ck_assert_uint_eq(p.level, 2);
}
END_TEST

START_TEST(test_budget)
{
    static const unsigned left[] = {8, 4, 2, 1, 1, 1};

    pace_init(&p, &two, 0);
    for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        ck_assert_uint_eq(pace_connections(&p), left[i]);
        ck_assert(pace_trouble(&p, p.pause_until, middle));
    }
    p.level = PACE_LEVEL_MAX;
    ck_assert_uint_eq(pace_connections(&p), 1);
}
END_TEST

START_TEST(test_shrink)
{
    pace_init(&p, &two, 0);
    ck_assert(pace_shrink(&p, 0, middle));
    ck_assert(!pace_paused(&p, 0));
    ck_assert_uint_eq(pace_connections(&p), 4);
    ck_assert(!pace_shrink(&p, 4999, middle)); /* another connection heard the same */
    ck_assert(pace_shrink(&p, 5000, middle));
    ck_assert_uint_eq(pace_connections(&p), 2);
    ck_assert(pace_trouble(&p, 5001, middle)); /* nobody is left who may go on */
    ck_assert(pace_paused(&p, 5001));
    ck_assert_uint_eq(pace_connections(&p), 1);
}
END_TEST

START_TEST(test_recovery)
{
    pace_init(&p, &two, 0);
    good(100, 0); /* are no credit for later */
    ck_assert(pace_trouble(&p, 0, middle));
    ck_assert(pace_trouble(&p, 5000, middle));
    good(100, 14999); /* in the pause */
    ck_assert_uint_eq(p.level, 2);
    good(PACE_GOOD_ANSWERS - 1, 15000);
    ck_assert_uint_eq(p.level, 2);
    good(1, 15000);
    ck_assert_uint_eq(p.level, 1);
    good(PACE_GOOD_ANSWERS - 1, 15000);
    ck_assert(pace_shrink(&p, 15000, middle)); /* not in a row */
    good(1, 15000);
    ck_assert_uint_eq(p.level, 2);
    good(2 * PACE_GOOD_ANSWERS, 15000);
    ck_assert_uint_eq(p.level, 0);
    ck_assert_uint_eq(pace_connections(&p), 8);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pace");
    TCase *t = tcase_create("pace");

    tcase_add_test(t, test_bucket);
    tcase_add_test(t, test_bucket_after_a_rest);
    tcase_add_test(t, test_bucket_no_time);
    tcase_add_test(t, test_bucket_in_advance);
    tcase_add_test(t, test_bucket_slow);
    tcase_add_test(t, test_bucket_extremes);
    tcase_add_test(t, test_no_rate);
    tcase_add_test(t, test_other_limits);
    tcase_add_test(t, test_other_limits_in_trouble);
    tcase_add_test(t, test_pauses);
    tcase_add_test(t, test_jitter);
    tcase_add_test(t, test_one_trouble);
    tcase_add_test(t, test_budget);
    tcase_add_test(t, test_shrink);
    tcase_add_test(t, test_recovery);
    suite_add_tcase(s, t);
    return suite_run(s);
}
