/* callout/greylist: which replies may be that, and the steps that are left. */
#include <check.h>

#include "callout/greylist.h"
#include "suite.h"

#define MINUTE INT64_C(60000)

static struct verdict reply_at_rcpt(uint16_t code, uint16_t subject, uint16_t detail)
{
    struct verdict v;

    verdict_init(&v, REASON_SERVER_ERROR, SOURCE_PROBE);
    v.has_evidence = true;
    v.evidence.stage = SMTP_STAGE_RCPT;
    v.evidence.code = code;
    v.evidence.enhanced = (struct enhanced_code){4, subject, detail};
    return v;
}

static bool may_be(uint16_t code, uint16_t subject, uint16_t detail)
{
    struct verdict v = reply_at_rcpt(code, subject, detail);

    return greylist_may_be(&v);
}

START_TEST(says_so)
{
    struct verdict v;

    verdict_init(&v, REASON_GREYLISTED, SOURCE_PROBE);
    ck_assert(greylist_may_be(&v));
    v.has_evidence = true;
    v.evidence.stage = SMTP_STAGE_MAIL;
    v.evidence.code = 421;
    ck_assert(greylist_may_be(&v));
}
END_TEST

START_TEST(could_be)
{
    struct verdict bare = reply_at_rcpt(451, 0, 0);

    bare.evidence.enhanced.cls = 0;
    ck_assert(greylist_may_be(&bare));
    bare.evidence.code = 450;
    ck_assert(greylist_may_be(&bare));
    ck_assert(may_be(450, 2, 0));
    ck_assert(may_be(451, 0, 0));
    ck_assert(may_be(451, 7, 1));
    ck_assert(may_be(450, 7, 0));
    ck_assert(may_be(450, 3, 2));
}
END_TEST

START_TEST(blames_something_else)
{
    struct verdict bare = reply_at_rcpt(452, 0, 0);

    bare.evidence.enhanced.cls = 0;
    ck_assert(!greylist_may_be(&bare));
    bare.evidence.code = 421;
    ck_assert(!greylist_may_be(&bare));
    ck_assert(!may_be(452, 7, 1));
    ck_assert(!may_be(454, 7, 0));
    ck_assert(!may_be(450, 1, 1));
    ck_assert(!may_be(451, 3, 0));
    ck_assert(!may_be(451, 3, 2));
    ck_assert(!may_be(450, 3, 5));
    ck_assert(!may_be(451, 4, 4));
    ck_assert(!may_be(452, 5, 3));
    ck_assert(!may_be(451, 5, 1));
    ck_assert(!may_be(451, 6, 0));
}
END_TEST

START_TEST(is_no_reply_at_rcpt)
{
    struct verdict v = reply_at_rcpt(451, 7, 1);

    v.evidence.stage = SMTP_STAGE_MAIL;
    ck_assert(!greylist_may_be(&v));
    v.evidence.stage = SMTP_STAGE_RCPT;
    v.evidence.failure = SMTP_FAILURE_CLOSED;
    ck_assert(!greylist_may_be(&v));
    v.evidence.failure = SMTP_FAILURE_NONE;
    v.has_evidence = false;
    ck_assert(!greylist_may_be(&v));
}
END_TEST

START_TEST(other_reasons_are_not)
{
    for (int reason = 0; reason < VERDICT_REASON_COUNT; reason++) {
        struct verdict v = reply_at_rcpt(451, 7, 1);

        v.reason = (enum verdict_reason)reason;
        v.status = verdict_reason_status(v.reason);
        ck_assert_int_eq(greylist_may_be(&v),
                         reason == REASON_GREYLISTED || reason == REASON_SERVER_ERROR);
    }
}
END_TEST

static const struct greylist_opts usual = {
    .count = 5,
    .retry_ms = {5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE},
};

/* The plan is these delays; 0 ends them. */
static void check_plan(const struct greylist_opts *opts, int64_t learned_ms, const int64_t *delays)
{
    struct greylist_plan plan;
    size_t n = 0;

    greylist_make_plan(opts, learned_ms, &plan);
    for (; delays[n] != 0; n++) {
        ck_assert_uint_lt(n, plan.count);
        ck_assert_int_eq(plan.delay_ms[n], delays[n]);
    }
    ck_assert_uint_eq(plan.count, n);
}

#define CHECK_PLAN(opts, learned_ms, ...) \
    check_plan((opts), (learned_ms), (const int64_t[]){__VA_ARGS__, 0})

START_TEST(nothing_learned)
{
    CHECK_PLAN(&usual, 0, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE);
}
END_TEST

START_TEST(learned_comes_first)
{
    CHECK_PLAN(&usual, 15 * MINUTE, 15 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE);
    CHECK_PLAN(&usual, 20 * MINUTE, 20 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE);
    CHECK_PLAN(&usual, 5 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE);
    CHECK_PLAN(&usual, MINUTE, MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
               60 * MINUTE);
    CHECK_PLAN(&usual, 119 * MINUTE, 119 * MINUTE, 60 * MINUTE);
    CHECK_PLAN(&usual, 120 * MINUTE, 120 * MINUTE);
    CHECK_PLAN(&usual, 600 * MINUTE, 600 * MINUTE);
}
END_TEST

START_TEST(not_to_be_believed)
{
    static const int64_t learned[] = {INT64_MIN, -1, 999, 1440 * MINUTE + 1, INT64_MAX};

    for (size_t i = 0; i < sizeof(learned) / sizeof(learned[0]); i++)
        CHECK_PLAN(&usual, learned[i], 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
                   60 * MINUTE);
    CHECK_PLAN(&usual, 1440 * MINUTE, 1440 * MINUTE);
}
END_TEST

START_TEST(nobody_is_asked_again)
{
    static const struct greylist_opts none = {0};

    CHECK_PLAN(&none, 0, 0);
    CHECK_PLAN(&none, 15 * MINUTE, 0);
}
END_TEST

START_TEST(the_longest_plan_fits)
{
    struct greylist_opts opts = {.count = GREYLIST_STEPS_MAX};
    struct greylist_plan plan;

    for (size_t i = 0; i < GREYLIST_STEPS_MAX; i++)
        opts.retry_ms[i] = 2000;
    greylist_make_plan(&opts, 1000, &plan);
    ck_assert_uint_eq(plan.count, GREYLIST_STEPS_MAX + 1);
    ck_assert_int_eq(plan.delay_ms[0], 1000);
    ck_assert_int_eq(plan.delay_ms[GREYLIST_STEPS_MAX], 2000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("greylist");
    TCase *tc = tcase_create("greylist");

    tcase_add_test(tc, says_so);
    tcase_add_test(tc, could_be);
    tcase_add_test(tc, blames_something_else);
    tcase_add_test(tc, is_no_reply_at_rcpt);
    tcase_add_test(tc, other_reasons_are_not);
    tcase_add_test(tc, nothing_learned);
    tcase_add_test(tc, learned_comes_first);
    tcase_add_test(tc, not_to_be_believed);
    tcase_add_test(tc, nobody_is_asked_again);
    tcase_add_test(tc, the_longest_plan_fits);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
