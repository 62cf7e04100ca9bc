/* callout/standing: what counts as trouble, what is told meanwhile, and what outlives a restart. */
#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/standing.h"
#include "store_rig.h"
#include "suite.h"

#define DOMAIN "example.org"

static const struct pace_limits limits = {
    .connections = 4, .per_connection = 20, .rate_milli = 2000, .burst = 20};

static struct store_rig rig;
static struct keep *keep;
static struct standing s;

static void begin(void)
{
    keep = keep_new(rig.store, 10);
    ck_assert_ptr_nonnull(keep);
    standing_init(&s, keep, "mx/example.net", &limits);
}

static void setup(void)
{
    rig_init(&rig);
    rig_open(&rig);
    begin();
}

static void restart(void)
{
    store_flush(rig.store);
    keep_free(&keep);
    begin();
}

static void teardown(void)
{
    keep_free(&keep);
    store_close(&rig.store);
    rig_remove(&rig);
}

static struct verdict reply(enum verdict_reason reason, enum smtp_stage stage, uint16_t code,
                            unsigned subject)
{
    struct verdict v;

    verdict_init(&v, reason, SOURCE_PROBE);
    v.has_evidence = true;
    v.evidence.stage = stage;
    v.evidence.code = code;
    if (subject != 0)
        v.evidence.enhanced = (struct enhanced_code){(uint8_t)(code / 100), (uint16_t)subject, 1};
    (void)str_copy(v.evidence.text, sizeof(v.evidence.text), "for <bob@example.org>");
    return v;
}

static struct verdict failure(enum verdict_reason reason, enum smtp_stage stage,
                              enum smtp_failure how)
{
    struct verdict v = reply(reason, stage, 0, 0);

    v.evidence.failure = how;
    return v;
}

static enum standing_news hear(struct verdict v)
{
    return standing_heard(&s, &(struct standing_word){.verdict = &v, .domain = DOMAIN});
}

static enum standing_news answer(enum verdict_reason reason)
{
    return hear(reply(reason, SMTP_STAGE_RCPT, reason == REASON_NO_MAILBOX ? 550 : 250, 1));
}

static bool refused(bool bulk, struct verdict *v)
{
    bool trial;

    return standing_refuses(&s, bulk, v, &trial);
}

START_TEST(test_what_slows_us_down)
{
    const struct {
        struct verdict v;
        bool throttle;
    } rows[] = {
        {reply(REASON_SERVER_ERROR, SMTP_STAGE_GREETING, 421, 0), true},
        {reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 450, 7), true},
        {reply(REASON_RATE_LIMITED, SMTP_STAGE_MAIL, 451, 0), true},
        {reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 450, 2),
         false}, /* one mailbox gets too much */
        {reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 450, 1), false},
        {reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 452, 5), false}, /* one transaction did */
        {reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 452, 0), false},
        {reply(REASON_GREYLISTED, SMTP_STAGE_RCPT, 451, 7), false},
        {reply(REASON_MAILBOX_EXISTS, SMTP_STAGE_RCPT, 250, 0), false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ck_assert_msg(standing_is_throttle(&rows[i].v) == rows[i].throttle, "row %zu", i);
}
END_TEST

START_TEST(test_pause)
{
    struct verdict v;

    ck_assert(!refused(false, &v));
    ck_assert_int_eq(hear(reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 450, 7)), STANDING_TROUBLE);
    ck_assert_uint_eq(s.pace.level, 1);
    ck_assert(refused(false, &v));
    ck_assert_int_eq(v.reason, REASON_RATE_LIMITED);
    ck_assert(v.passing);
    ck_assert_int_eq(v.source, SOURCE_STORE);
    ck_assert_uint_eq(v.evidence.code, 450);
    ck_assert_str_eq(v.evidence.text, ""); /* it names somebody else */
    ck_assert_int_eq(hear(reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 450, 7)), STANDING_SAME);
}
END_TEST

START_TEST(test_no_pause_while_others_go_on)
{
    struct verdict v = reply(REASON_RATE_LIMITED, SMTP_STAGE_RCPT, 450, 7);

    const struct standing_word word = {.verdict = &v, .domain = DOMAIN, .others = true};

    ck_assert_int_eq(standing_heard(&s, &word), STANDING_CHANGED);
    ck_assert_uint_eq(pace_connections(&s.pace), 2);
    ck_assert(!refused(false, &v));
}
END_TEST

START_TEST(test_unreached)
{
    const struct verdict dead =
        failure(REASON_UNREACHABLE, SMTP_STAGE_CONNECT, SMTP_FAILURE_REFUSED);
    struct verdict v;

    ck_assert_int_eq(hear(dead), STANDING_SAME);
    ck_assert_int_eq(answer(REASON_MAILBOX_EXISTS), STANDING_SAME);
    ck_assert_int_eq(hear(dead), STANDING_SAME);
    ck_assert_int_eq(hear(failure(REASON_TIMEOUT, SMTP_STAGE_GREETING, SMTP_FAILURE_TIMEOUT)),
                     STANDING_TROUBLE);
    ck_assert(refused(false, &v));
    ck_assert_int_eq(v.reason, REASON_TIMEOUT);
}
END_TEST

START_TEST(test_blocked_at_once)
{
    struct verdict v;

    ck_assert_int_eq(hear(reply(REASON_BLOCKED, SMTP_STAGE_GREETING, 554, 7)), STANDING_REFUSED);
    ck_assert(refused(false, &v));
    ck_assert_int_eq(v.reason, REASON_BLOCKED);
    ck_assert(v.passing);
    ck_assert_uint_eq(v.evidence.code, 554);
}
END_TEST

START_TEST(test_blocked_second_in_a_row)
{
    const struct verdict at_rcpt = reply(REASON_BLOCKED, SMTP_STAGE_RCPT, 550, 7);
    struct verdict v;

    ck_assert_int_eq(hear(at_rcpt), STANDING_SAME);
    ck_assert(!refused(false, &v));
    ck_assert_int_eq(answer(REASON_NO_MAILBOX), STANDING_SAME);
    ck_assert_int_eq(hear(at_rcpt), STANDING_SAME);
    ck_assert_int_eq(hear(at_rcpt), STANDING_REFUSED);
}
END_TEST

/* One host of many: the destination has answered others. */
START_TEST(test_blocked_early_by_one_of_many)
{
    const struct verdict early = reply(REASON_BLOCKED, SMTP_STAGE_GREETING, 554, 0);

    ck_assert_int_eq(answer(REASON_MAILBOX_EXISTS), STANDING_SAME);
    ck_assert_int_eq(hear(early), STANDING_SAME);
    ck_assert_int_eq(hear(early), STANDING_REFUSED);
}
END_TEST

START_TEST(test_blocked_by_a_name)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(hear(reply(REASON_BLOCKED, SMTP_STAGE_RCPT, 550, 1)), STANDING_SAME);
    ck_assert_int_eq(s.breaker.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(test_trial)
{
    struct verdict v;
    bool trial;

    ck_assert_int_eq(hear(reply(REASON_BLOCKED, SMTP_STAGE_MAIL, 554, 7)), STANDING_REFUSED);
    s.breaker.open_until = 1; /* long ago */
    ck_assert(!standing_refuses(&s, false, &v, &trial));
    ck_assert(trial);
    ck_assert(standing_refuses(&s, false, &v, &trial));
    ck_assert(!trial);
    standing_unanswered(&s);
    ck_assert_int_eq(s.breaker.state, BREAKER_OPEN);
    s.breaker.open_until = 1;
    ck_assert(!standing_refuses(&s, false, &v, &trial));
    ck_assert_int_eq(answer(REASON_MAILBOX_EXISTS), STANDING_SAME);
    ck_assert_int_eq(s.breaker.state, BREAKER_CLOSED);
    ck_assert(!standing_refuses(&s, false, &v, &trial));
    ck_assert(!trial);
}
END_TEST

/* A refusal by 4yz, after which another host is asked: the trial is over with the first. */
START_TEST(test_trial_refused_softly)
{
    const struct verdict soft = reply(REASON_BLOCKED, SMTP_STAGE_GREETING, 451, 7);
    int64_t first;
    struct verdict v;
    bool trial;

    ck_assert_int_eq(hear(soft), STANDING_REFUSED);
    first = s.breaker.open_until - s.breaker.opened_at;
    s.breaker.open_until = 1; /* long ago */
    ck_assert(!standing_refuses(&s, false, &v, &trial));
    (void)hear(soft);
    standing_unanswered(&s); /* turn_end() */
    ck_assert_int_ge(s.breaker.open_until, clock_wall() + first);
}
END_TEST

/* Whoever has mended what was held against us need not wait; but nobody can ask on and on. */
START_TEST(test_tried_on_purpose)
{
    const struct verdict early = reply(REASON_BLOCKED, SMTP_STAGE_GREETING, 554, 7);
    struct verdict v;
    bool trial;

    standing_try_now(&s); /* nothing to try */
    ck_assert_int_eq(hear(early), STANDING_REFUSED);
    ck_assert(refused(false, &v));
    standing_try_now(&s);
    ck_assert(!standing_refuses(&s, false, &v, &trial));
    ck_assert(trial);
    ck_assert_int_eq(hear(early), STANDING_REFUSED);
    standing_try_now(&s);
    ck_assert(refused(false, &v));
}
END_TEST

START_TEST(test_restart)
{
    struct verdict v;

    ck_assert_int_eq(hear(reply(REASON_SERVER_ERROR, SMTP_STAGE_EHLO, 421, 0)), STANDING_TROUBLE);
    restart();
    ck_assert_uint_eq(s.pace.level, 1);
    ck_assert(refused(false, &v));
    ck_assert_int_eq(v.reason, REASON_RATE_LIMITED);
    ck_assert_int_eq(hear(reply(REASON_BLOCKED, SMTP_STAGE_GREETING, 554, 7)), STANDING_REFUSED);
    restart();
    ck_assert(refused(false, &v));
    ck_assert_int_eq(v.reason, REASON_BLOCKED);
    ck_assert_int_eq(v.evidence.stage, SMTP_STAGE_GREETING);
}
END_TEST

START_TEST(test_bulk)
{
    struct verdict v;

    for (int i = 0; i < STANDING_RECENT; i++)
        ck_assert_int_eq(
            answer(i < STANDING_UNKNOWN_MAX ? REASON_NO_MAILBOX : REASON_MAILBOX_EXISTS),
            STANDING_SAME);
    ck_assert(!refused(true, &v));
    ck_assert_int_eq(answer(REASON_NO_MAILBOX), STANDING_SAME); /* one of the first goes */
    ck_assert(!refused(true, &v));
    for (int i = 0; i < STANDING_UNKNOWN_MAX; i++)
        ck_assert_int_eq(answer(REASON_NO_MAILBOX), STANDING_SAME);
    ck_assert(refused(true, &v));
    ck_assert_int_eq(v.reason, REASON_RATE_LIMITED);
    ck_assert(v.passing);
    ck_assert(!refused(false, &v));
    s.bulk_until = 1; /* long ago */
    ck_assert(!refused(true, &v));
    ck_assert_uint_eq(s.recent_count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("standing");
    TCase *tc = tcase_create("standing");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_what_slows_us_down);
    tcase_add_test(tc, test_pause);
    tcase_add_test(tc, test_no_pause_while_others_go_on);
    tcase_add_test(tc, test_unreached);
    tcase_add_test(tc, test_blocked_at_once);
    tcase_add_test(tc, test_blocked_second_in_a_row);
    tcase_add_test(tc, test_blocked_early_by_one_of_many);
    tcase_add_test(tc, test_blocked_by_a_name);
    tcase_add_test(tc, test_trial);
    tcase_add_test(tc, test_trial_refused_softly);
    tcase_add_test(tc, test_tried_on_purpose);
    tcase_add_test(tc, test_restart);
    tcase_add_test(tc, test_bulk);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
