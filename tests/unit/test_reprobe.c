/* callout/reprobe: what is learned of a delay, and what ends a schedule. */
#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/destination.h"
#include "callout/reprobe.h"
#include "suite.h"

#define NAME   "mx/example.net"
#define MINUTE INT64_C(60000)

static struct engine engine;
static struct address bob;

static void setup(void)
{
    const char *why;

    memset(&engine, 0, sizeof(engine));
    engine.opts.greylist =
        (struct greylist_opts){5, {5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE}};
    engine.opts.callout_ms = 120000;
    engine.opts.total = 10;
    engine.loop = loop_new("test");
    engine.keep = keep_new(NULL, 10);
    engine.reprobe = reprobe_new(&engine);
    ck_assert_ptr_nonnull(engine.reprobe);
    ck_assert(address_parse("bob@example.org", 15, &bob, &why));
}

static void teardown(void)
{
    reprobe_free(&engine.reprobe);
    keep_free(&engine.keep);
    loop_free(&engine.loop);
}

static struct verdict reply(enum verdict_reason reason, uint16_t code)
{
    struct verdict v;

    verdict_init(&v, reason, SOURCE_PROBE);
    v.has_evidence = true;
    v.evidence.stage = SMTP_STAGE_RCPT;
    v.evidence.code = code;
    return v;
}

/* Returns for how many ms the answer is fresh: until it is asked again. -1: it is not. */
static int64_t hear(struct verdict v, bool again, int64_t began)
{
    struct callout_trail trail = {.destination = NAME, .helo = "mail.example.net"};
    const struct reprobe_case c = {
        .address = &bob, .again = again, .began = began, .trail = &trail};
    struct lifetime life;

    if (v.source == SOURCE_DNS || v.passing)
        trail.destination[0] = '\0';
    return reprobe_heard(engine.reprobe, &c, &v, &life) ? life.refresh * 1000 : -1;
}

static int64_t learned(void)
{
    struct destination_fact fact;

    (void)destination_get(engine.keep, NAME, clock_wall(), &fact);
    return fact.greylist_ms;
}

/* One recipient after the other, each let in at the first re-probe. */
START_TEST(test_learned_delay_stays)
{
    for (int i = 0; i < 100; i++) {
        int64_t began = clock_wall_ms();
        int64_t after = hear(reply(REASON_GREYLISTED, 450), false, began);

        ck_assert_int_gt(after, 0);
        ck_assert_int_eq(hear(reply(REASON_MAILBOX_EXISTS, 250), true, began + after), -1);
    }
    ck_assert_msg(learned() < 10 * MINUTE, "let in after 5 minutes each time, %lld s were learned",
                  (long long)(learned() / 1000));
}
END_TEST

/* The destination could not be asked for hours: that is not how long greylisting takes there. */
START_TEST(test_put_off_is_not_learned)
{
    struct verdict busy = reply(REASON_RATE_LIMITED, 0);
    int64_t began = clock_wall_ms(), after;

    busy.passing = true;
    (void)hear(reply(REASON_GREYLISTED, 450), false, began);
    after = hear(busy, true, began + 5 * MINUTE);
    ck_assert_int_gt(after, 0);
    ck_assert_int_eq(hear(reply(REASON_MAILBOX_EXISTS, 250), true, began + 300 * MINUTE), -1);
    ck_assert_msg(learned() < 60 * MINUTE, "%lld s were learned", (long long)(learned() / 1000));
}
END_TEST

/* Its domain is gone meanwhile: there is nobody left to be asked again. */
START_TEST(test_no_domain_any_more)
{
    struct verdict gone;
    int64_t began = clock_wall_ms();

    verdict_init(&gone, REASON_NO_DOMAIN, SOURCE_DNS);
    (void)hear(reply(REASON_GREYLISTED, 450), false, began);
    ck_assert_int_eq(hear(gone, true, began + 5 * MINUTE), -1);
    ck_assert_uint_eq(reprobe_count(engine.reprobe), 0);
}
END_TEST

/* A fault of ours is no try, and the last try no verdict of it. */
START_TEST(test_local_fault_is_no_try)
{
    int64_t began = clock_wall_ms();

    (void)hear(reply(REASON_GREYLISTED, 450), false, began);
    for (int i = 0; i < 5; i++) {
        struct verdict ours = reply(REASON_LOCAL_FAULT, 0);

        ours.evidence.stage = SMTP_STAGE_CONNECT;
        ours.evidence.failure = SMTP_FAILURE_LOCAL;
        ck_assert_msg(hear(ours, true, clock_wall_ms()) >= 0, "given up after %d", i + 1);
    }
}
END_TEST

/* Who asks with `fresh` in between, and hears nothing better, does not end it. */
START_TEST(test_ask_between_ends_nothing)
{
    int64_t began = clock_wall_ms();

    (void)hear(reply(REASON_GREYLISTED, 450), false, began);
    ck_assert_int_gt(hear(reply(REASON_TIMEOUT, 0), false, began), 0);
    ck_assert_uint_eq(reprobe_count(engine.reprobe), 1);
    ck_assert_int_eq(hear(reply(REASON_MAILBOX_EXISTS, 250), false, began), -1);
    ck_assert_uint_eq(reprobe_count(engine.reprobe), 0);
}
END_TEST

/* Nor does a re-probe begin another one where nothing is scheduled any more. */
START_TEST(test_ended_between)
{
    ck_assert_int_eq(hear(reply(REASON_TIMEOUT, 0), true, clock_wall_ms()), -1);
    ck_assert_uint_eq(reprobe_count(engine.reprobe), 0);
}
END_TEST

/* The clock was set back by days: whoever comes meanwhile makes the try. */
START_TEST(test_clock_set_back)
{
    const struct greylist_opts usual = engine.opts.greylist;
    int64_t began = clock_wall_ms();
    struct verdict v;

    engine.opts.greylist = (struct greylist_opts){1, {14400 * MINUTE}};
    (void)hear(reply(REASON_GREYLISTED, 450), false, began);
    engine.opts.greylist = usual;
    ck_assert(!reprobe_is_due(engine.reprobe, &bob, false, &v));
    ck_assert_int_lt(hear(reply(REASON_GREYLISTED, 450), false, began), 15 * MINUTE);
    reprobe_run(engine.reprobe);
    ck_assert(reprobe_is_due(engine.reprobe, &bob, false, &v));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reprobe");
    TCase *tc = tcase_create("reprobe");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_learned_delay_stays);
    tcase_add_test(tc, test_put_off_is_not_learned);
    tcase_add_test(tc, test_no_domain_any_more);
    tcase_add_test(tc, test_local_fault_is_no_try);
    tcase_add_test(tc, test_ask_between_ends_nothing);
    tcase_add_test(tc, test_ended_between);
    tcase_add_test(tc, test_clock_set_back);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
