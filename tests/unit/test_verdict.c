/* callout/verdict: names and statuses, both ways. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "callout/verdict.h"
#include "suite.h"

START_TEST(test_every_reason_has_its_name)
{
    enum verdict_reason r = (enum verdict_reason)_i, back;

    ck_assert_str_ne(verdict_reason_name(r), "?");
    ck_assert(verdict_reason_parse(verdict_reason_name(r), &back));
    ck_assert_int_eq(back, r);
    ck_assert_int_lt(verdict_reason_status(r), VERDICT_STATUS_COUNT);
}
END_TEST

START_TEST(test_every_status_has_its_name)
{
    enum verdict_status s = (enum verdict_status)_i, back;

    ck_assert(verdict_status_parse(verdict_status_name(s), &back));
    ck_assert_int_eq(back, s);
}
END_TEST

START_TEST(test_statuses_of_reasons)
{
    ck_assert_int_eq(verdict_reason_status(REASON_MAILBOX_FULL), STATUS_VALID);
    ck_assert_int_eq(verdict_reason_status(REASON_NULL_MX), STATUS_INVALID);
    ck_assert_int_eq(verdict_reason_status(REASON_ACCEPTS_EVERYTHING), STATUS_CATCH_ALL);
    ck_assert_int_eq(verdict_reason_status(REASON_BLOCKED), STATUS_UNKNOWN);
    ck_assert_int_eq(verdict_reason_status(REASON_GREYLISTED), STATUS_DEFERRED);
}
END_TEST

START_TEST(test_unknown_names)
{
    enum verdict_reason r;
    enum verdict_status s;

    ck_assert(!verdict_reason_parse("", &r));
    ck_assert(!verdict_reason_parse("No_Mailbox", &r));
    ck_assert(!verdict_status_parse("no_mailbox", &s));
    ck_assert_str_eq(verdict_reason_name(VERDICT_REASON_COUNT), "?");
    ck_assert_str_eq(verdict_status_name((enum verdict_status)VERDICT_STATUS_COUNT), "?");
    ck_assert_str_eq(verdict_source_name((enum verdict_source)99), "?");
    ck_assert_str_eq(verdict_source_name(SOURCE_PROBE), "probe");
    /* What is of no known reason must not become a rejection. */
    ck_assert_int_eq(verdict_reason_status(VERDICT_REASON_COUNT), STATUS_UNKNOWN);
}
END_TEST

START_TEST(test_init)
{
    struct verdict v;

    memset(&v, 0xa5, sizeof(v));
    verdict_init(&v, REASON_NO_DOMAIN, SOURCE_DNS);
    ck_assert_int_eq(v.reason, REASON_NO_DOMAIN);
    ck_assert_int_eq(v.status, STATUS_INVALID);
    ck_assert_int_eq(v.source, SOURCE_DNS);
    ck_assert(!v.has_evidence);
    ck_assert_int_eq(v.evidence.ip.family, AF_UNSPEC);
    ck_assert_int_eq(v.expires_at, 0);
    ck_assert_str_eq(v.evidence.mx, "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("verdict");
    TCase *t = tcase_create("verdict");

    tcase_add_loop_test(t, test_every_reason_has_its_name, 0, VERDICT_REASON_COUNT);
    tcase_add_loop_test(t, test_every_status_has_its_name, 0, VERDICT_STATUS_COUNT);
    tcase_add_test(t, test_statuses_of_reasons);
    tcase_add_test(t, test_unknown_names);
    tcase_add_test(t, test_init);
    suite_add_tcase(s, t);
    return suite_run(s);
}
