/* callout/breaker: its edges, how long it stays open, and what is kept of the reply. */
#include <check.h>
#include <string.h>

#include "base/str.h"
#include "callout/breaker.h"
#include "suite.h"

#define NOW INT64_C(1700000000)
#define ONE 11 /* hashes of two domains */
#define TWO 22

static struct breaker b;

static uint32_t least(uint32_t bound)
{
    ck_assert_uint_gt(bound, 0);
    return 0;
}

static uint32_t most(uint32_t bound)
{
    return bound - 1;
}

static void setup(void)
{
    memset(&b, 0, sizeof(b));
}

static struct verdict blocked(enum smtp_stage stage)
{
    struct verdict v;

    verdict_init(&v, REASON_BLOCKED, SOURCE_PROBE);
    v.has_evidence = true;
    v.evidence.stage = stage;
    v.evidence.code = 554;
    v.evidence.enhanced = (struct enhanced_code){5, 7, 1};
    (void)str_copy(v.evidence.text, sizeof(v.evidence.text), "you are\r\nlisted");
    (void)str_copy(v.evidence.mx, sizeof(v.evidence.mx), "mx1.example.net");
    return v;
}

static bool refused(enum smtp_stage stage, uint64_t domain, int64_t now)
{
    struct verdict v = blocked(stage);

    return breaker_refused(&b, &v, false, domain, now, least);
}

/* Opened at NOW, its trial begun. */
static void in_trial(void)
{
    ck_assert(refused(SMTP_STAGE_MAIL, ONE, NOW));
    ck_assert(breaker_admit(&b, NOW + BREAKER_OPEN_FIRST));
    ck_assert_int_eq(b.state, BREAKER_TRIAL);
}

START_TEST(test_clock_set_back)
{
    ck_assert(refused(SMTP_STAGE_MAIL, ONE, NOW));
    ck_assert(!breaker_is_due(&b, NOW - 3600));
    ck_assert(breaker_is_due(&b, NOW - 7 * BREAKER_OPEN_MAX));
    ck_assert(breaker_admit(&b, NOW - 7 * BREAKER_OPEN_MAX));
    ck_assert_int_eq(b.state, BREAKER_TRIAL);
}
END_TEST

START_TEST(test_closed)
{
    ck_assert_int_eq(b.state, BREAKER_CLOSED);
    ck_assert(breaker_admit(&b, 0));
    ck_assert(breaker_admit(&b, NOW));
    ck_assert(!breaker_answered(&b));
    breaker_unanswered(&b, NOW);
    ck_assert_int_eq(b.state, BREAKER_CLOSED);
    ck_assert_int_eq(b.opened_at, 0);
}
END_TEST

START_TEST(test_before_rcpt)
{
    static const enum smtp_stage stages[] = {SMTP_STAGE_CONNECT,  SMTP_STAGE_GREETING,
                                             SMTP_STAGE_EHLO,     SMTP_STAGE_HELO,
                                             SMTP_STAGE_STARTTLS, SMTP_STAGE_MAIL};

    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        setup();
        ck_assert(refused(stages[i], ONE, NOW));
        ck_assert_int_eq(b.state, BREAKER_OPEN);
        ck_assert_uint_eq(b.level, 1);
        ck_assert_int_eq(b.opened_at, NOW);
        ck_assert(!breaker_admit(&b, NOW));
    }
}
END_TEST

START_TEST(test_second_at_rcpt)
{
    static const uint64_t second[] = {ONE, TWO};

    for (size_t i = 0; i < 2; i++) {
        setup();
        ck_assert(!refused(SMTP_STAGE_RCPT, ONE, NOW));
        ck_assert_uint_eq(b.struck, ONE);
        ck_assert_uint_eq(b.code, 0);
        ck_assert(breaker_admit(&b, NOW));
        ck_assert(refused(SMTP_STAGE_RCPT, second[i], NOW));
        ck_assert_int_eq(b.state, BREAKER_OPEN);
    }
}
END_TEST

START_TEST(test_answer_between)
{
    ck_assert(!refused(SMTP_STAGE_RCPT, ONE, NOW));
    ck_assert(!breaker_answered(&b));
    ck_assert_uint_eq(b.struck, 0);
    ck_assert(!refused(SMTP_STAGE_RCPT, TWO, NOW));
    ck_assert_int_eq(b.state, BREAKER_CLOSED);
    ck_assert(refused(SMTP_STAGE_GREETING, TWO, NOW));
}
END_TEST

/* What was asked before it opened comes in late. */
START_TEST(test_open)
{
    ck_assert(refused(SMTP_STAGE_MAIL, ONE, NOW));
    ck_assert(!refused(SMTP_STAGE_MAIL, TWO, NOW + 1));
    ck_assert(!refused(SMTP_STAGE_RCPT, TWO, NOW + 1));
    ck_assert(!breaker_answered(&b));
    breaker_unanswered(&b, NOW + 1);
    ck_assert_int_eq(b.state, BREAKER_OPEN);
    ck_assert_uint_eq(b.level, 1);
    ck_assert_int_eq(b.open_until, NOW + BREAKER_OPEN_FIRST);
    ck_assert(!breaker_admit(&b, b.open_until - 1));
    ck_assert_int_eq(b.state, BREAKER_OPEN);
}
END_TEST

START_TEST(test_one_trial)
{
    in_trial();
    ck_assert(!breaker_admit(&b, NOW + BREAKER_OPEN_FIRST));
    ck_assert(!breaker_admit(&b, NOW + BREAKER_OPEN_MAX));
}
END_TEST

START_TEST(test_trial_answered)
{
    in_trial();
    ck_assert(breaker_answered(&b));
    ck_assert_int_eq(b.state, BREAKER_CLOSED);
    ck_assert_uint_eq(b.level, 0);
    ck_assert_uint_eq(b.struck, 0);
    ck_assert_int_eq(b.opened_at, NOW);
    ck_assert_str_eq(b.text, "you are  listed");
    ck_assert(!breaker_answered(&b));
    ck_assert(breaker_admit(&b, NOW));
}
END_TEST

START_TEST(test_trial_refused)
{
    int64_t then = NOW + BREAKER_OPEN_FIRST;

    in_trial();
    ck_assert(refused(SMTP_STAGE_RCPT, ONE, then)); /* once is enough now */
    ck_assert_int_eq(b.state, BREAKER_OPEN);
    ck_assert_uint_eq(b.level, 2);
    ck_assert_int_eq(b.opened_at, then);
    ck_assert_int_eq(b.open_until, then + 2 * BREAKER_OPEN_FIRST);
}
END_TEST

START_TEST(test_trial_unanswered)
{
    int64_t then = NOW + BREAKER_OPEN_FIRST;

    in_trial();
    breaker_unanswered(&b, then);
    ck_assert_int_eq(b.state, BREAKER_OPEN);
    ck_assert_uint_eq(b.level, 1);
    ck_assert_int_eq(b.open_until, then + BREAKER_TRIAL_AGAIN);
    ck_assert(!breaker_admit(&b, then + BREAKER_TRIAL_AGAIN - 1));
    ck_assert(breaker_admit(&b, then + BREAKER_TRIAL_AGAIN));
}
END_TEST

START_TEST(test_longer_each_time)
{
    static const int64_t spans[] = {1800, 3600, 7200, 14400, 28800, 57600, 86400};
    const size_t count = sizeof(spans) / sizeof(spans[0]);
    int64_t now = NOW;

    for (size_t i = 0; i < 30; i++) {
        ck_assert(refused(SMTP_STAGE_MAIL, ONE, now));
        ck_assert_int_eq(b.open_until - now, spans[i < count ? i : count - 1]);
        ck_assert_uint_le(b.level, BREAKER_LEVEL_MAX);
        now = b.open_until;
        ck_assert(breaker_admit(&b, now));
    }
}
END_TEST

START_TEST(test_jitter)
{
    struct verdict v = blocked(SMTP_STAGE_MAIL);

    ck_assert(breaker_refused(&b, &v, false, ONE, NOW, most));
    ck_assert_int_eq(b.open_until, NOW + BREAKER_OPEN_FIRST + BREAKER_OPEN_FIRST / 4);
}
END_TEST

START_TEST(test_evidence)
{
    struct verdict v = blocked(SMTP_STAGE_MAIL);

    memset(v.evidence.text, 'x', sizeof(v.evidence.text) - 1);
    ck_assert(breaker_refused(&b, &v, false, ONE, NOW, least));
    ck_assert_uint_eq(b.code, 554);
    ck_assert_uint_eq(b.enhanced.subject, 7);
    ck_assert_str_eq(b.mx, "mx1.example.net");
    ck_assert_uint_eq(strlen(b.text), sizeof(b.text) - 1);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(breaker_state_name(BREAKER_CLOSED), "closed");
    ck_assert_str_eq(breaker_state_name(BREAKER_OPEN), "open");
    ck_assert_str_eq(breaker_state_name(BREAKER_TRIAL), "trial");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("breaker");
    TCase *t = tcase_create("breaker");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_closed);
    tcase_add_test(t, test_clock_set_back);
    tcase_add_test(t, test_before_rcpt);
    tcase_add_test(t, test_second_at_rcpt);
    tcase_add_test(t, test_answer_between);
    tcase_add_test(t, test_open);
    tcase_add_test(t, test_one_trial);
    tcase_add_test(t, test_trial_answered);
    tcase_add_test(t, test_trial_refused);
    tcase_add_test(t, test_trial_unanswered);
    tcase_add_test(t, test_longer_each_time);
    tcase_add_test(t, test_jitter);
    tcase_add_test(t, test_evidence);
    tcase_add_test(t, test_names);
    suite_add_tcase(s, t);
    return suite_run(s);
}
