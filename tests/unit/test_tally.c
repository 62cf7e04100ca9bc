/* callout/tally: counts, the window's rates, percentiles. */
#include <check.h>

#include "callout/tally.h"
#include "suite.h"

START_TEST(counts_and_ratios)
{
    struct tally *t = tally_new(77);
    struct tally_report r;

    tally_tell(t, &r);
    ck_assert_int_eq(r.began_at, 77);
    ck_assert_int_eq(r.ms_p50, -1);
    ck_assert(r.hit_ratio == 0);
    for (int i = 0; i < 6; i++)
        tally_asked(t, TALLY_STORE);
    tally_asked(t, TALLY_STALE);
    tally_asked(t, TALLY_ASKED);
    tally_called_out(t, 100);
    tally_step(t);
    tally_asked(t, TALLY_STORE);
    tally_asked(t, TALLY_ASKED);
    tally_tell(t, &r);
    ck_assert_uint_eq(r.answers[TALLY_STORE], 7);
    ck_assert_uint_eq(r.answers[TALLY_STALE], 1);
    ck_assert_uint_eq(r.answers[TALLY_ASKED], 2);
    ck_assert_uint_eq(r.callouts, 1);
    ck_assert(r.hit_ratio > 0.799 && r.hit_ratio < 0.801);
    tally_free(&t);
    ck_assert_ptr_null(t);
}
END_TEST

START_TEST(percentiles_are_within_a_fifth)
{
    static const int64_t latencies[] = {0, 1, 3, 4, 7, 8, 9, 50, 143, 999, 6000, 119999};
    struct tally_report r;

    for (size_t i = 0; i < sizeof(latencies) / sizeof(latencies[0]); i++) {
        struct tally *t = tally_new(0);
        int64_t ms = latencies[i];

        for (int n = 0; n < 60; n++)
            tally_called_out(t, ms);
        for (int n = 0; n < 40; n++)
            tally_called_out(t, ms * 10 + 100);
        tally_tell(t, &r);
        ck_assert_msg(r.ms_p50 * 5 >= ms * 4 && r.ms_p50 * 5 <= ms * 6, "%d: %d", (int)ms,
                      (int)r.ms_p50);
        ck_assert_int_gt(r.ms_p95, r.ms_p50);
        ck_assert_int_eq(r.ms_p95, r.ms_p99);
        tally_free(&t);
    }
}
END_TEST

START_TEST(the_window_moves_on)
{
    struct tally *t = tally_new(0);
    struct tally_report r;

    tally_asked(t, TALLY_STORE);
    tally_called_out(t, 10);
    for (int i = 0; i <= TALLY_WINDOW_S * 1000 / TALLY_STEP_MS; i++)
        tally_step(t);
    tally_tell(t, &r);
    ck_assert_uint_eq(r.answers[TALLY_STORE], 1);
    ck_assert_uint_eq(r.callouts, 1);
    ck_assert(r.hit_ratio == 0);
    ck_assert_int_eq(r.ms_p50, -1);
    tally_called_out(t, INT64_MAX);
    tally_called_out(t, -1);
    tally_tell(t, &r);
    ck_assert_int_eq(r.ms_p50, 0);
    tally_free(&t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tally");
    TCase *t = tcase_create("core");

    tcase_add_test(t, counts_and_ratios);
    tcase_add_test(t, percentiles_are_within_a_fifth);
    tcase_add_test(t, the_window_moves_on);
    suite_add_tcase(s, t);
    return suite_run(s);
}
