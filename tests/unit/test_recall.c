/* callout/recall and callout/facts: what a record is good for, what a verdict leaves behind. */
#include <check.h>
#include <stdlib.h>

#include "base/str.h"
#include "callout/facts.h"
#include "callout/recall.h"
#include "suite.h"

#define NOW 1000000

static const struct recall_rules plain = {
    .lifetimes =
        {
            [STATUS_VALID] = {700, 3100},
            [STATUS_INVALID] = {30, 300},
            [STATUS_CATCH_ALL] = {700, 3100},
            [STATUS_UNKNOWN] = {100, 1200},
            [STATUS_DEFERRED] = {5, 60},
        },
};

static struct recall_rules rules_of(uint32_t ttl, int64_t confirm, uint32_t dice)
{
    struct recall_rules rules = plain;

    rules.ttl = ttl;
    rules.confirm = confirm;
    rules.dice = dice;
    return rules;
}

static struct record record_of(enum verdict_reason reason, int64_t refresh, int64_t expires)
{
    struct record r = {.retry_at = 0, .noted = reason};

    verdict_init(&r.verdict, reason, SOURCE_PROBE);
    r.verdict.refresh_at = refresh;
    r.verdict.expires_at = expires;
    return r;
}

#define ACCEPTING ((UINT64_C(1) << REASON_MAILBOX_EXISTS) | (UINT64_C(1) << REASON_TIMEOUT))

static const struct {
    const char *name;
    enum verdict_reason reason;
    int64_t refresh, expires, retry;
    enum recall want;
    enum verdict_reason answer;
} judgements[] = {
    {"fresh valid", REASON_MAILBOX_EXISTS, NOW + 1, NOW + 9, 0, RECALL_ANSWER,
     REASON_MAILBOX_EXISTS},
    {"fresh invalid", REASON_NO_MAILBOX, NOW + 1, NOW + 9, 0, RECALL_ANSWER, REASON_NO_MAILBOX},
    {"stale, accepting", REASON_MAILBOX_EXISTS, NOW, NOW + 9, 0, RECALL_ANSWER_REFRESH,
     REASON_MAILBOX_EXISTS},
    {"stale, accepting, resting", REASON_MAILBOX_EXISTS, NOW, NOW + 9, NOW + 1, RECALL_ANSWER,
     REASON_MAILBOX_EXISTS},
    {"stale, accepting, rested", REASON_MAILBOX_EXISTS, NOW - 5, NOW + 9, NOW,
     RECALL_ANSWER_REFRESH, REASON_MAILBOX_EXISTS},
    {"stale, rejecting", REASON_NO_MAILBOX, NOW, NOW + 9, 0, RECALL_ASK, REASON_NO_MAILBOX},
    {"stale, rejecting, resting", REASON_NO_MAILBOX, NOW, NOW + 9, NOW + 1, RECALL_ANSWER,
     REASON_UNREACHABLE},
    {"expired valid", REASON_MAILBOX_EXISTS, NOW - 9, NOW, 0, RECALL_ASK, REASON_MAILBOX_EXISTS},
    {"expired, resting", REASON_MAILBOX_EXISTS, NOW - 9, NOW, NOW + 5, RECALL_ASK,
     REASON_MAILBOX_EXISTS},
};

START_TEST(judge)
{
    struct record r =
        record_of(judgements[_i].reason, judgements[_i].refresh, judgements[_i].expires);
    struct verdict v;

    r.retry_at = judgements[_i].retry;
    r.noted = REASON_UNREACHABLE;
    ck_assert_msg(recall_judge(&r, NOW, ACCEPTING, &v) == judgements[_i].want, "%s",
                  judgements[_i].name);
    if (judgements[_i].want == RECALL_ASK)
        return;
    ck_assert_msg(v.reason == judgements[_i].answer, "%s: %s", judgements[_i].name,
                  verdict_reason_name(v.reason));
    ck_assert_int_eq(v.status, verdict_reason_status(v.reason));
    ck_assert_int_eq(v.source, SOURCE_STORE);
}
END_TEST

static const struct {
    const char *name;
    int old; /* reason of the stored record, -1 for none */
    int64_t old_expires;
    enum verdict_reason new;
    bool stores;
    enum verdict_reason kept;
    bool noted;
} storings[] = {
    {"first answer", -1, 0, REASON_NO_MAILBOX, true, REASON_NO_MAILBOX, false},
    {"first doubt", -1, 0, REASON_TIMEOUT, true, REASON_TIMEOUT, false},
    {"valid turns invalid", REASON_MAILBOX_EXISTS, NOW + 9, REASON_NO_MAILBOX, true,
     REASON_NO_MAILBOX, false},
    {"doubt over live valid", REASON_MAILBOX_EXISTS, NOW + 9, REASON_TIMEOUT, true,
     REASON_MAILBOX_EXISTS, true},
    {"doubt over live invalid", REASON_NO_MAILBOX, NOW + 9, REASON_CANNOT_VERIFY, true,
     REASON_NO_MAILBOX, true},
    {"doubt over live catch-all", REASON_ACCEPTS_EVERYTHING, NOW + 9, REASON_GREYLISTED, true,
     REASON_ACCEPTS_EVERYTHING, true},
    {"doubt over expired valid", REASON_MAILBOX_EXISTS, NOW, REASON_TIMEOUT, true, REASON_TIMEOUT,
     false},
    {"doubt over doubt", REASON_TIMEOUT, NOW + 9, REASON_CANNOT_VERIFY, true, REASON_CANNOT_VERIFY,
     false},
    {"refusal about us", -1, 0, REASON_BLOCKED, false, REASON_BLOCKED, false},
    {"sender refused", -1, 0, REASON_SENDER_REFUSED, false, REASON_BLOCKED, false},
    {"refusal about us over live valid", REASON_MAILBOX_EXISTS, NOW + 9, REASON_BLOCKED, false, 0,
     false},
    {"local fault", REASON_MAILBOX_EXISTS, NOW + 9, REASON_LOCAL_FAULT, false, 0, false},
    {"pending", -1, 0, REASON_PENDING, false, 0, false},
    {"overload", -1, 0, REASON_OVERLOAD, false, 0, false},
    {"skipped", -1, 0, REASON_SKIPPED, false, 0, false},
};

START_TEST(store)
{
    struct record old, out;
    struct verdict v;
    enum recall_effect effect;
    bool stores;

    if (storings[_i].old >= 0)
        old = record_of((enum verdict_reason)storings[_i].old, NOW - 5, storings[_i].old_expires);
    verdict_init(&v, storings[_i].new, SOURCE_PROBE);
    effect = recall_store(storings[_i].old >= 0 ? &old : NULL, &v, NOW, &plain, &out);
    stores = effect != RECALL_NOTHING;
    ck_assert_msg(stores == storings[_i].stores, "%s", storings[_i].name);
    if (!stores)
        return;
    ck_assert_msg(out.verdict.reason == storings[_i].kept, "%s", storings[_i].name);
    if (storings[_i].noted) {
        ck_assert_int_eq(effect, RECALL_NOTE);
        ck_assert_int_eq(out.noted, storings[_i].new);
        ck_assert_int_eq(out.retry_at, NOW + plain.lifetimes[STATUS_DEFERRED].refresh);
        ck_assert_int_eq(out.verdict.expires_at, storings[_i].old_expires);
        ck_assert_int_eq(v.expires_at, 0);
    } else {
        ck_assert_int_eq(effect, RECALL_STORE);
        ck_assert_int_eq(out.retry_at, 0);
        ck_assert_int_eq(out.verdict.refresh_at, NOW + plain.lifetimes[v.status].refresh);
        ck_assert_int_eq(v.expires_at, NOW + plain.lifetimes[v.status].forget);
    }
}
END_TEST

START_TEST(an_invalid_made_by_dns_lives_its_ttl)
{
    struct recall_rules rules = rules_of(77, 0, UINT32_MAX);
    struct record out;
    struct verdict v;

    verdict_init(&v, REASON_NO_DOMAIN, SOURCE_DNS);
    ck_assert_int_eq(recall_store(NULL, &v, NOW, &rules, &out), RECALL_STORE);
    ck_assert_int_eq(out.verdict.expires_at, NOW + 77);
    ck_assert_int_eq(out.verdict.refresh_at, NOW + 77);
    rules.ttl = 86400;
    ck_assert_int_eq(recall_store(NULL, &v, NOW, &rules, &out), RECALL_STORE);
    ck_assert_int_eq(out.verdict.expires_at, NOW + plain.lifetimes[STATUS_INVALID].forget);
    rules.ttl = 0;
    ck_assert_int_eq(recall_store(NULL, &v, NOW, &rules, &out), RECALL_NOTHING);
}
END_TEST

START_TEST(lifetimes_are_up_to_a_tenth_shorter)
{
    int64_t refresh_min = INT64_MAX, refresh_max = 0, forget_min = INT64_MAX, forget_max = 0;
    struct record out;
    struct verdict v;

    for (unsigned i = 0; i < 1000; i++) {
        struct recall_rules rules = rules_of(0, 0, UINT32_MAX / 999 * i);

        verdict_init(&v, REASON_MAILBOX_EXISTS, SOURCE_PROBE);
        ck_assert_int_eq(recall_store(NULL, &v, NOW, &rules, &out), RECALL_STORE);
        ck_assert_int_lt(v.refresh_at, v.expires_at);
        refresh_min = v.refresh_at < refresh_min ? v.refresh_at : refresh_min;
        refresh_max = v.refresh_at > refresh_max ? v.refresh_at : refresh_max;
        forget_min = v.expires_at < forget_min ? v.expires_at : forget_min;
        forget_max = v.expires_at > forget_max ? v.expires_at : forget_max;
    }
    ck_assert_int_eq(refresh_max, NOW + 700);
    ck_assert_int_eq(refresh_min, NOW + 631);
    ck_assert_int_eq(forget_max, NOW + 3100);
    ck_assert_int_eq(forget_min, NOW + 2791);
}
END_TEST

START_TEST(none_is_forgotten_before_it_is_refreshed)
{
    struct record out;
    struct verdict v;

    for (unsigned i = 0; i < 1000; i++) {
        struct recall_rules rules = rules_of(0, 0, UINT32_MAX - i);

        rules.lifetimes[STATUS_VALID] = (struct lifetime){100, 110};
        verdict_init(&v, REASON_MAILBOX_EXISTS, SOURCE_PROBE);
        ck_assert_int_eq(recall_store(NULL, &v, NOW, &rules, &out), RECALL_STORE);
        ck_assert_int_le(v.refresh_at, v.expires_at);
    }
}
END_TEST

START_TEST(what_is_scheduled_is_exact)
{
    struct recall_rules rules = rules_of(0, 0, UINT32_MAX);
    struct record out;
    struct verdict v;

    rules.exact = true;
    rules.lifetimes[STATUS_DEFERRED] = (struct lifetime){300, 7000};
    verdict_init(&v, REASON_GREYLISTED, SOURCE_PROBE);
    ck_assert_int_eq(recall_store(NULL, &v, NOW, &rules, &out), RECALL_STORE);
    ck_assert_int_eq(v.refresh_at, NOW + 300);
    ck_assert_int_eq(v.expires_at, NOW + 7000);
}
END_TEST

/* What a callout at `at` comes to, kept in `r`. */
static enum recall_effect hears(struct record *r, enum verdict_reason reason, int64_t at)
{
    struct recall_rules rules = rules_of(0, 60, 0);
    struct record out = {.retry_at = -1};
    enum recall_effect effect;
    struct verdict v;

    verdict_init(&v, reason, SOURCE_PROBE);
    effect = recall_store(r, &v, at, &rules, &out);
    if (effect != RECALL_NOTHING)
        *r = out;
    return effect;
}

START_TEST(a_valid_is_asked_again_before_it_is_turned)
{
    struct record r = record_of(REASON_MAILBOX_EXISTS, NOW + 500, NOW + 900);
    struct verdict v;

    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW), RECALL_CONFIRM);
    ck_assert_int_eq(r.verdict.reason, REASON_MAILBOX_EXISTS);
    ck_assert_int_eq(r.retry_at, NOW + 60);
    ck_assert_int_eq(r.verdict.refresh_at, NOW + 60);
    ck_assert_int_eq(r.verdict.expires_at, NOW + 900);
    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW + 59), RECALL_CONFIRM);
    ck_assert_int_eq(r.retry_at, NOW + 60);
    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW + 60), RECALL_STORE);
    ck_assert_int_eq(r.verdict.reason, REASON_NO_MAILBOX);
    ck_assert_int_eq(recall_judge(&r, NOW + 61, 0, &v), RECALL_ANSWER);
    ck_assert_int_eq(v.status, STATUS_INVALID);
}
END_TEST

START_TEST(the_schedule_knows_when_the_pause_is_over)
{
    struct record r = record_of(REASON_MAILBOX_EXISTS, NOW + 500, NOW + 900), out;
    struct recall_rules rules = rules_of(0, 60, 0);
    struct verdict v;

    verdict_init(&v, REASON_NO_MAILBOX, SOURCE_PROBE);
    rules.again = true;
    ck_assert_int_eq(recall_store(&r, &v, NOW, &rules, &out), RECALL_CONFIRM);
    ck_assert_int_eq(recall_store(&out, &v, NOW + 59, &rules, &r), RECALL_STORE);
    ck_assert_int_eq(r.verdict.reason, REASON_NO_MAILBOX);
}
END_TEST

START_TEST(who_is_to_be_confirmed_is_valid_meanwhile)
{
    struct record r = record_of(REASON_MAILBOX_FULL, NOW - 1, NOW + 900);
    struct verdict v;

    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW), RECALL_CONFIRM);
    ck_assert_int_eq(recall_judge(&r, NOW, 0, &v), RECALL_ANSWER);
    ck_assert_int_eq(v.reason, REASON_MAILBOX_FULL);
    ck_assert_int_eq(recall_judge(&r, NOW + 60, 0, &v), RECALL_ASK);
    ck_assert_int_eq(recall_judge(&r, NOW + 60, UINT64_C(1) << REASON_MAILBOX_FULL, &v),
                     RECALL_ANSWER_REFRESH);
}
END_TEST

START_TEST(doubt_between_does_not_count)
{
    struct record r = record_of(REASON_MAILBOX_EXISTS, NOW + 500, NOW + 900);

    ck_assert_int_eq(hears(&r, REASON_TIMEOUT, NOW), RECALL_NOTE);
    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW + 1), RECALL_CONFIRM);
    ck_assert_int_eq(r.retry_at, NOW + 61);
    ck_assert_int_eq(hears(&r, REASON_TIMEOUT, NOW + 61), RECALL_NOTE);
    ck_assert_int_eq(r.noted, REASON_NO_MAILBOX);
    ck_assert_int_eq(r.retry_at, NOW + 66);
    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW + 66), RECALL_STORE);
    ck_assert_int_eq(r.verdict.reason, REASON_NO_MAILBOX);
}
END_TEST

START_TEST(what_is_valid_again_is_forgiven)
{
    struct record r = record_of(REASON_MAILBOX_EXISTS, NOW + 500, NOW + 900);

    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW), RECALL_CONFIRM);
    ck_assert_int_eq(hears(&r, REASON_MAILBOX_EXISTS, NOW + 60), RECALL_STORE);
    ck_assert_int_eq(hears(&r, REASON_NO_MAILBOX, NOW + 120), RECALL_CONFIRM);
    ck_assert_int_eq(r.verdict.reason, REASON_MAILBOX_EXISTS);
}
END_TEST

START_TEST(only_a_live_valid_is_confirmed)
{
    struct record expired = record_of(REASON_MAILBOX_EXISTS, NOW - 9, NOW);
    struct record all = record_of(REASON_ACCEPTS_EVERYTHING, NOW + 5, NOW + 9);
    struct record other = record_of(REASON_MAILBOX_EXISTS, NOW + 5, NOW + 9);

    ck_assert_int_eq(hears(&expired, REASON_NO_MAILBOX, NOW), RECALL_STORE);
    ck_assert_int_eq(hears(&all, REASON_NO_MAILBOX, NOW), RECALL_STORE);
    ck_assert_int_eq(hears(&other, REASON_NULL_MX, NOW), RECALL_STORE);
}
END_TEST

START_TEST(what_was_learned_later_than_now_is_old)
{
    struct record r = record_of(REASON_MAILBOX_EXISTS, NOW + 90000, NOW + 99000);
    struct verdict v;

    r.verdict.probed_at = NOW + 3600;
    ck_assert_int_eq(recall_judge(&r, NOW, ACCEPTING, &v), RECALL_ANSWER);
    r.verdict.probed_at = NOW + 3601;
    ck_assert_int_eq(recall_judge(&r, NOW, ACCEPTING, &v), RECALL_ANSWER_REFRESH);
    ck_assert_int_eq(recall_judge(&r, NOW, 0, &v), RECALL_ASK);
    ck_assert_int_eq(hears(&r, REASON_TIMEOUT, NOW), RECALL_NOTE);
    ck_assert_int_eq(hears(&r, REASON_MAILBOX_EXISTS, NOW), RECALL_STORE);
    ck_assert_int_lt(r.verdict.expires_at, NOW + 99000);
}
END_TEST

START_TEST(facts_are_bounded_and_end)
{
    struct facts *f = facts_new(2);
    struct verdict v, got;

    verdict_init(&v, REASON_BLOCKED, SOURCE_PROBE);
    v.ms = 5;
    facts_refused(f, "a.example", false, &v, NOW + 10);
    facts_refused(f, "b.example", false, &v, NOW + 20);
    ck_assert(facts_recall(f, "a.example", false, NOW + 9, &got));
    ck_assert_int_eq(got.reason, REASON_BLOCKED);
    ck_assert_int_eq(got.source, SOURCE_STORE);
    ck_assert_int_eq(got.ms, 0);
    ck_assert(!facts_recall(f, "a.example", false, NOW + 10, &got));
    facts_refused(f, "c.example", false, &v, NOW + 30);
    facts_refused(f, "d.example", false, &v, NOW + 30);
    ck_assert(!facts_recall(f, "b.example", false, NOW, &got));
    ck_assert(facts_recall(f, "d.example", false, NOW, &got));
    facts_answered(f, "d.example", false);
    ck_assert(!facts_recall(f, "d.example", false, NOW, &got));
    facts_answered(f, "never.example", false);
    facts_refused(f, "c.example", true, &v, NOW + 30);
    ck_assert(facts_recall(f, "c.example", true, NOW, &got));
    facts_answered(f, "c.example", false);
    ck_assert(!facts_recall(f, "c.example", false, NOW, &got));
    ck_assert(facts_recall(f, "c.example", true, NOW, &got));
    facts_free(&f);
    facts_free(&f);
}
END_TEST

START_TEST(facts_of_a_destination_are_forgotten)
{
    struct facts *f = facts_new(9);
    struct verdict v, got;

    verdict_init(&v, REASON_BLOCKED, SOURCE_PROBE);
    (void)str_copy(v.evidence.mx, sizeof(v.evidence.mx), "mx1.big.example");
    facts_refused(f, "a.example", false, &v, NOW + 10);
    facts_refused(f, "b.example", true, &v, NOW + 10);
    (void)str_copy(v.evidence.mx, sizeof(v.evidence.mx), "mx1.calm.example");
    facts_refused(f, "c.example", false, &v, NOW + 10);
    v.evidence.mx[0] = '\0';
    ck_assert(netaddr_parse("192.0.2.1", &v.evidence.ip));
    facts_refused(f, "[192.0.2.1]", false, &v, NOW + 10);
    facts_forget(f, "mx/big.example", NULL);
    ck_assert(!facts_recall(f, "a.example", false, NOW, &got));
    ck_assert(!facts_recall(f, "b.example", true, NOW, &got));
    ck_assert(facts_recall(f, "c.example", false, NOW, &got));
    facts_forget(f, "ip/192.0.2.1", NULL);
    ck_assert(!facts_recall(f, "[192.0.2.1]", false, NOW, &got));
    ck_assert(facts_recall(f, "c.example", false, NOW, &got));
    facts_free(&f);
}
END_TEST

START_TEST(test_untested)
{
    struct record r = record_of(REASON_MAILBOX_EXISTS, NOW + 1, NOW + 9);

    ck_assert(!recall_untested(&r)); /* not by a reply */
    r.verdict.has_evidence = true;
    ck_assert(recall_untested(&r));
    r.verdict.evidence.catch_all = CATCH_ALL_NOT_KNOWN;
    ck_assert(!recall_untested(&r));
    r = record_of(REASON_NO_MAILBOX, NOW + 1, NOW + 9);
    r.verdict.has_evidence = true;
    ck_assert(!recall_untested(&r));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recall");
    TCase *t = tcase_create("core");

    tcase_add_loop_test(t, judge, 0, (int)(sizeof(judgements) / sizeof(judgements[0])));
    tcase_add_loop_test(t, store, 0, (int)(sizeof(storings) / sizeof(storings[0])));
    tcase_add_test(t, an_invalid_made_by_dns_lives_its_ttl);
    tcase_add_test(t, lifetimes_are_up_to_a_tenth_shorter);
    tcase_add_test(t, none_is_forgotten_before_it_is_refreshed);
    tcase_add_test(t, what_is_scheduled_is_exact);
    tcase_add_test(t, a_valid_is_asked_again_before_it_is_turned);
    tcase_add_test(t, the_schedule_knows_when_the_pause_is_over);
    tcase_add_test(t, who_is_to_be_confirmed_is_valid_meanwhile);
    tcase_add_test(t, doubt_between_does_not_count);
    tcase_add_test(t, what_is_valid_again_is_forgiven);
    tcase_add_test(t, only_a_live_valid_is_confirmed);
    tcase_add_test(t, what_was_learned_later_than_now_is_old);
    tcase_add_test(t, test_untested);
    tcase_add_test(t, facts_are_bounded_and_end);
    tcase_add_test(t, facts_of_a_destination_are_forgotten);
    suite_add_tcase(s, t);
    return suite_run(s);
}
