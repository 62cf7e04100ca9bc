/* policy/decision and policy/class: the default table, codes, monitor, classes, local domains. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/class.h"
#include "policy/decision.h"
#include "suite.h"

static void decide(const struct decision_opts *opts, enum mail_class c, enum verdict_reason reason,
                   struct decision *d)
{
    struct verdict v;

    verdict_init(&v, reason, SOURCE_PROBE);
    memset(d, 0xa5, sizeof(*d));
    decision_make(opts, &(struct decision_about){.mail_class = c}, &v, d);
}

/* What clients and scripts rely on. Code 0: accept. */
static const struct {
    enum mail_class c;
    enum verdict_reason reason;
    unsigned code;
    const char *enhanced;
} expected[] = {
    {CLASS_OUTBOUND, REASON_MAILBOX_EXISTS, 0, ""},
    {CLASS_INBOUND, REASON_MAILBOX_EXISTS, 0, ""},
    {CLASS_OUTBOUND, REASON_MAILBOX_FULL, 0, ""},
    {CLASS_INBOUND, REASON_MAILBOX_FULL, 452, "4.2.2"},
    {CLASS_INBOUND, REASON_FORWARDED, 0, ""},
    {CLASS_INBOUND, REASON_DELIVERED, 0, ""},
    {CLASS_OUTBOUND, REASON_NO_MAILBOX, 550, "5.1.1"},
    {CLASS_INBOUND, REASON_NO_MAILBOX, 550, "5.1.1"},
    {CLASS_OUTBOUND, REASON_MAILBOX_DISABLED, 550, "5.2.1"},
    {CLASS_OUTBOUND, REASON_MOVED, 550, "5.1.6"},
    {CLASS_OUTBOUND, REASON_BAD_SYNTAX, 553, "5.1.3"},
    {CLASS_OUTBOUND, REASON_NO_DOMAIN, 550, "5.1.2"},
    {CLASS_OUTBOUND, REASON_NULL_MX, 556, "5.1.10"},
    {CLASS_OUTBOUND, REASON_BOUNCED, 550, "5.1.1"},
    {CLASS_INBOUND, REASON_BOUNCED, 550, "5.1.1"},
    {CLASS_OUTBOUND, REASON_ACCEPTS_EVERYTHING, 0, ""},
    {CLASS_INBOUND, REASON_ACCEPTS_EVERYTHING, 0, ""},
    {CLASS_OUTBOUND, REASON_CANNOT_VERIFY, 0, ""},
    {CLASS_INBOUND, REASON_CANNOT_VERIFY, 0, ""},
    {CLASS_OUTBOUND, REASON_BLOCKED, 0, ""},
    {CLASS_INBOUND, REASON_BLOCKED, 450, "4.7.0"},
    {CLASS_INBOUND, REASON_SENDER_REFUSED, 0, ""},
    {CLASS_INBOUND, REASON_SKIPPED, 0, ""},
    {CLASS_OUTBOUND, REASON_OVERLOAD, 0, ""},
    {CLASS_INBOUND, REASON_OVERLOAD, 450, "4.3.2"},
    {CLASS_OUTBOUND, REASON_GREYLISTED, 0, ""},
    {CLASS_INBOUND, REASON_GREYLISTED, 450, "4.7.1"},
    {CLASS_INBOUND, REASON_RATE_LIMITED, 450, "4.2.0"},
    {CLASS_INBOUND, REASON_PENDING, 450, "4.4.1"},
    {CLASS_INBOUND, REASON_SERVER_ERROR, 450, "4.2.0"},
    {CLASS_INBOUND, REASON_UNREACHABLE, 450, "4.4.1"},
    {CLASS_INBOUND, REASON_TIMEOUT, 450, "4.4.2"},
    {CLASS_INBOUND, REASON_DNS_ERROR, 450, "4.4.3"},
    {CLASS_INBOUND, REASON_TLS_FAILED, 450, "4.2.0"},
    {CLASS_INBOUND, REASON_LOCAL_FAULT, 450, "4.2.0"},
    {CLASS_OUTBOUND, REASON_LOCAL_FAULT, 0, ""},
};

START_TEST(test_default_table)
{
    struct decision_opts opts;
    struct decision d;
    unsigned code = expected[_i].code;

    decision_defaults(&opts);
    ck_assert(!opts.monitor[expected[_i].c]);
    decide(&opts, expected[_i].c, expected[_i].reason, &d);
    ck_assert_uint_eq(d.code, code);
    ck_assert_str_eq(d.enhanced, expected[_i].enhanced);
    ck_assert_int_eq(d.action, code == 0    ? ACTION_ACCEPT
                               : code < 500 ? ACTION_TEMPFAIL
                                            : ACTION_REJECT);
    ck_assert_int_eq(d.would, d.action);
    ck_assert((d.text[0] != '\0') == (code != 0));
}
END_TEST

static void check_agreement(const struct decision *d, enum action a)
{
    char digit = a == ACTION_REJECT ? '5' : '4';

    ck_assert_int_eq(d->action, a);
    ck_assert_int_eq(d->code / 100, digit - '0');
    ck_assert_int_eq(d->enhanced[0], digit);
    ck_assert_int_eq(d->enhanced[1], '.');
    ck_assert_uint_ge(strlen(d->enhanced), 5);
    ck_assert_uint_gt(strlen(d->text), 0);
    ck_assert_uint_lt(strlen(d->text), 100);
    for (const char *p = d->text; *p != '\0'; p++)
        ck_assert(*p >= 0x20 && *p < 0x7f);
}

/* Whatever is configured, code and enhanced code are of one class. */
START_TEST(test_any_action_for_any_reason)
{
    enum verdict_reason reason = (enum verdict_reason)_i;
    struct decision_opts opts;
    struct decision d;

    for (int c = 0; reason != REASON_SKIPPED && c < MAIL_CLASS_COUNT; c++) {
        decision_defaults(&opts);
        opts.actions[c][reason] = ACTION_REJECT;
        decide(&opts, (enum mail_class)c, reason, &d);
        check_agreement(&d, ACTION_REJECT);
        opts.actions[c][reason] = ACTION_TEMPFAIL;
        decide(&opts, (enum mail_class)c, reason, &d);
        check_agreement(&d, ACTION_TEMPFAIL);
    }
}
END_TEST

/* Nobody says "unknown = reject" to mean his own domains, which are never called out. */
START_TEST(test_status_leaves_who_is_not_asked)
{
    struct decision_opts opts;
    struct decision d;

    decision_defaults(&opts);
    decision_set_status(&opts, CLASS_OUTBOUND, STATUS_UNKNOWN, ACTION_REJECT);
    decide(&opts, CLASS_OUTBOUND, REASON_CANNOT_VERIFY, &d);
    ck_assert_int_eq(d.action, ACTION_REJECT);
    decide(&opts, CLASS_OUTBOUND, REASON_SKIPPED, &d);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    ck_assert(decision_accepting(&opts, CLASS_OUTBOUND) & UINT64_C(1) << REASON_SKIPPED);
}
END_TEST

START_TEST(test_status_leaves_the_rest)
{
    struct decision_opts before, after;

    decision_defaults(&before);
    after = before;
    decision_set_status(&after, CLASS_OUTBOUND, STATUS_DEFERRED, ACTION_TEMPFAIL);
    for (int r = 0; r < VERDICT_REASON_COUNT; r++) {
        bool deferred = verdict_reason_status((enum verdict_reason)r) == STATUS_DEFERRED;

        ck_assert_int_eq(after.actions[CLASS_INBOUND][r], before.actions[CLASS_INBOUND][r]);
        ck_assert_int_eq(after.actions[CLASS_OUTBOUND][r],
                         deferred ? ACTION_TEMPFAIL : before.actions[CLASS_OUTBOUND][r]);
    }
}
END_TEST

START_TEST(test_monitor_accepts_and_tells)
{
    struct decision_opts opts;
    struct decision d;

    decision_defaults(&opts);
    opts.monitor[CLASS_OUTBOUND] = true;
    decide(&opts, CLASS_OUTBOUND, REASON_NO_MAILBOX, &d);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    ck_assert_int_eq(d.would, ACTION_REJECT);
    ck_assert_uint_eq(d.code, 0);
    ck_assert_str_eq(d.enhanced, "");
    ck_assert_str_eq(d.text, "");
}
END_TEST

START_TEST(test_accepting_set)
{
    struct decision_opts opts;
    uint64_t set;

    decision_defaults(&opts);
    set = decision_accepting(&opts, CLASS_INBOUND);
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        ck_assert_int_eq((set >> r) & 1, opts.actions[CLASS_INBOUND][r] == ACTION_ACCEPT);
    ck_assert(set & UINT64_C(1) << REASON_MAILBOX_EXISTS);
    ck_assert(!(set & UINT64_C(1) << REASON_NO_MAILBOX));
    ck_assert_uint_eq(set >> VERDICT_REASON_COUNT, 0);
}
END_TEST

START_TEST(test_names)
{
    enum action a;

    ck_assert(action_parse("tempfail", &a));
    ck_assert_int_eq(a, ACTION_TEMPFAIL);
    ck_assert(!action_parse("Reject", &a));
    ck_assert(!action_parse("", &a));
    ck_assert_str_eq(action_name(ACTION_REJECT), "reject");
    ck_assert_str_eq(action_name((enum action)9), "?");
    ck_assert_str_eq(mail_class_name(CLASS_INBOUND), "inbound");
    ck_assert_str_eq(mail_class_name((enum mail_class)9), "?");
}
END_TEST

START_TEST(test_class_of_client)
{
    struct cidr networks[2];
    struct policy_opts opts = {.network_count = 2, .networks = networks};
    static const struct {
        struct mail_client client;
        enum mail_class expected;
    } cases[] = {
        {{NULL, NULL, NULL}, CLASS_INBOUND},
        {{"", "", ""}, CLASS_INBOUND},
        {{"alice", "", "203.0.113.9"}, CLASS_OUTBOUND},
        {{"", "AA:BB:CC", "203.0.113.9"}, CLASS_OUTBOUND},
        {{"", "", "203.0.113.9"}, CLASS_INBOUND},
        {{"", "", "192.0.2.77"}, CLASS_OUTBOUND},
        {{"", "", "::ffff:192.0.2.77"}, CLASS_OUTBOUND},
        {{"", "", "2001:db8::9"}, CLASS_OUTBOUND},
        {{"", "", "2001:db9::9"}, CLASS_INBOUND},
        {{"", "", "unknown"}, CLASS_INBOUND},
        {{"", "", "192.0.2.77 "}, CLASS_INBOUND},
    };

    ck_assert(cidr_parse("192.0.2.0/24", &networks[0]));
    ck_assert(cidr_parse("2001:db8::/32", &networks[1]));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_int_eq(mail_class_of(&opts, &cases[i].client), cases[i].expected);
}
END_TEST

START_TEST(test_local_domains)
{
    char one[] = "example.com", two[] = "xn--bcher-kva.example";
    char *domains[] = {one, two};
    struct policy_opts opts = {.local_domain_count = 2, .local_domains = domains};

    ck_assert(domain_is_local(&opts, "example.com"));
    ck_assert(domain_is_local(&opts, "xn--bcher-kva.example"));
    ck_assert(!domain_is_local(&opts, "sub.example.com"));
    ck_assert(!domain_is_local(&opts, "xample.com"));
    ck_assert(!domain_is_local(&opts, ""));
    opts.local_domain_count = 0;
    ck_assert(!domain_is_local(&opts, "example.com"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decision");
    TCase *t = tcase_create("decision");

    tcase_add_loop_test(t, test_default_table, 0, (int)(sizeof(expected) / sizeof(expected[0])));
    tcase_add_loop_test(t, test_any_action_for_any_reason, 0, VERDICT_REASON_COUNT);
    tcase_add_test(t, test_status_leaves_the_rest);
    tcase_add_test(t, test_status_leaves_who_is_not_asked);
    tcase_add_test(t, test_monitor_accepts_and_tells);
    tcase_add_test(t, test_accepting_set);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_class_of_client);
    tcase_add_test(t, test_local_domains);
    suite_add_tcase(s, t);
    return suite_run(s);
}
