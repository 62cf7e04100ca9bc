/* callout/recall and callout/facts: what a record is good for, what a verdict leaves behind. */
#include <check.h>
#include <stdlib.h>

#include "callout/facts.h"
#include "callout/recall.h"
#include "suite.h"

#define NOW 1000000

static const struct lifetime lives[VERDICT_STATUS_COUNT] = {
    [STATUS_VALID] = {700, 3100},   [STATUS_INVALID] = {30, 300}, [STATUS_CATCH_ALL] = {700, 3100},
    [STATUS_UNKNOWN] = {100, 1200}, [STATUS_DEFERRED] = {5, 60},
};

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
    bool stores;

    if (storings[_i].old >= 0)
        old = record_of((enum verdict_reason)storings[_i].old, NOW - 5, storings[_i].old_expires);
    verdict_init(&v, storings[_i].new, SOURCE_PROBE);
    stores = recall_store(storings[_i].old >= 0 ? &old : NULL, &v, NOW, 0, lives, &out);
    ck_assert_msg(stores == storings[_i].stores, "%s", storings[_i].name);
    if (!stores)
        return;
    ck_assert_msg(out.verdict.reason == storings[_i].kept, "%s", storings[_i].name);
    if (storings[_i].noted) {
        ck_assert_int_eq(out.noted, storings[_i].new);
        ck_assert_int_eq(out.retry_at, NOW + lives[STATUS_DEFERRED].refresh);
        ck_assert_int_eq(out.verdict.expires_at, storings[_i].old_expires);
        ck_assert_int_eq(v.expires_at, 0);
    } else {
        ck_assert_int_eq(out.retry_at, 0);
        ck_assert_int_eq(out.verdict.refresh_at, NOW + lives[v.status].refresh);
        ck_assert_int_eq(v.expires_at, NOW + lives[v.status].forget);
    }
}
END_TEST

START_TEST(an_invalid_made_by_dns_lives_its_ttl)
{
    struct record out;
    struct verdict v;

    verdict_init(&v, REASON_NO_DOMAIN, SOURCE_DNS);
    ck_assert(recall_store(NULL, &v, NOW, 77, lives, &out));
    ck_assert_int_eq(out.verdict.expires_at, NOW + 77);
    ck_assert_int_eq(out.verdict.refresh_at, NOW + 77);
    ck_assert(recall_store(NULL, &v, NOW, 86400, lives, &out));
    ck_assert_int_eq(out.verdict.expires_at, NOW + lives[STATUS_INVALID].forget);
    ck_assert(!recall_store(NULL, &v, NOW, 0, lives, &out));
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
    tcase_add_test(t, test_untested);
    tcase_add_test(t, facts_are_bounded_and_end);
    suite_add_tcase(s, t);
    return suite_run(s);
}
