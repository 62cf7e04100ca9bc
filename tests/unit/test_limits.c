/* smtp/limits: what LIMITS says, and what fits into it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtp/limits.h"
#include "suite.h"

static const struct told {
    const char *params;
    uint32_t mail, rcpt, domain;
} tolds[] = {
    {"", 0, 0, 0},
    {" RCPTMAX=20 MAILMAX=5 RCPTDOMAINMAX=1", 5, 20, 1},
    {"  mailmax=1   rcptMax=999999 ", 1, 999999, 0},
    {" MAILMAX=1000000", 0, 0, 0},
    {" MAILMAX=0 RCPTMAX=000003", 0, 3, 0},
    {" MAILMAX= RCPTMAX RCPTDOMAINMAX=1x =5 =", 0, 0, 0},
    {" MAILMAX=-1 RCPTMAX=+2 RCPTDOMAINMAX=3,4", 0, 0, 0},
    {" MAILMAX=5=5 RCPTMAX==5 RCPTDOMAINMAX=\t5", 0, 0, 0},
    {" MAILMAXES=5 XMAILMAX=5 MAIL=5 X=Y RCPTMAX=2", 0, 2, 0},
    {" MAILMAX=7 MAILMAX=3 MAILMAX=5", 3, 0, 0},
};

START_TEST(test_told)
{
    const struct told *t = &tolds[_i];
    struct limits l = {0};

    limits_learn(&l, t->params);
    ck_assert_uint_eq(l.mail_max, t->mail);
    ck_assert_uint_eq(l.rcpt_max, t->rcpt);
    ck_assert_uint_eq(l.domain_max, t->domain);
    limits_forget(&l);
    ck_assert(l.mail_max == 0 && l.rcpt_max == 0 && l.domain_max == 0);
}
END_TEST

START_TEST(test_none_told)
{
    struct limits l = {0};

    for (int i = 0; i < 1000; i++) {
        limits_use_mail(&l);
        limits_use_rcpt(&l, "d.example");
    }
    ck_assert(limits_allow(&l, "d.example", true));
    ck_assert(limits_allow(&l, "e.example", false));
}
END_TEST

START_TEST(test_used_up)
{
    struct limits l = {0};

    limits_use_mail(&l);
    limits_use_rcpt(&l, "d.example");
    limits_learn(&l, " MAILMAX=2 RCPTMAX=2 RCPTDOMAINMAX=2");
    ck_assert(limits_allow(&l, "e.example", false));
    limits_use_rcpt(&l, "e.example");
    ck_assert(!limits_allow(&l, "d.example", false));
    ck_assert(limits_allow(&l, "d.example", true));
    ck_assert(!limits_allow(&l, "f.example", true));
    limits_use_mail(&l);
    ck_assert(limits_allow(&l, "d.example", false));
    ck_assert(!limits_allow(&l, "d.example", true));
}
END_TEST

START_TEST(test_domains_are_bounded)
{
    struct limits l = {0};
    char domain[32];

    limits_learn(&l, " RCPTDOMAINMAX=1000");
    for (int i = 0; i < 2 * LIMITS_DOMAINS_MAX; i++) {
        (void)snprintf(domain, sizeof(domain), "d%d.example", i);
        ck_assert_int_eq(limits_allow(&l, domain, true), i < LIMITS_DOMAINS_MAX);
        limits_use_rcpt(&l, domain);
    }
    ck_assert(limits_allow(&l, "d0.example", true));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *tc = tcase_create("limits");

    tcase_add_loop_test(tc, test_told, 0, sizeof(tolds) / sizeof(tolds[0]));
    tcase_add_test(tc, test_none_told);
    tcase_add_test(tc, test_used_up);
    tcase_add_test(tc, test_domains_are_bounded);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
