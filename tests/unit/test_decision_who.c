/* policy/decision: what depends on whom a verdict is about: class, flags, route, reply text. */
#include <check.h>
#include <string.h>

#include "policy/decision.h"
#include "suite.h"

static struct decision_opts opts;
static struct decision_about about;
static struct address address;
static struct verdict verdict;
static struct decision d;

static void parse(const char *text)
{
    const char *why;

    ck_assert(address_parse(text, strlen(text), &address, &why));
    about.address = &address;
}

static void setup(void)
{
    decision_defaults(&opts);
    memset(&about, 0, sizeof(about));
    parse("user@example.com");
}

/* `stage` of a reply; SMTP_STAGE_CONNECT is also that of no reply at all. */
static void decide_at(enum verdict_reason reason, enum smtp_stage stage)
{
    verdict_init(&verdict, reason, SOURCE_PROBE);
    verdict.has_evidence = true;
    verdict.evidence.stage = stage;
    (void)memcpy(verdict.evidence.text, "gone away\r\nmx1", 15);
    verdict.evidence.code = 550;
    (void)memcpy(verdict.evidence.mx, "mx.example.net", 15);
    memset(&d, 0xa5, sizeof(d));
    decision_make(&opts, &about, &verdict, &d);
}

static void decide(enum verdict_reason reason)
{
    decide_at(reason, SMTP_STAGE_RCPT);
}

START_TEST(test_monitor_is_for_a_class)
{
    opts.monitor[CLASS_INBOUND] = true;
    about.mail_class = CLASS_INBOUND;
    decide(REASON_NO_MAILBOX);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    ck_assert_int_eq(d.would, ACTION_REJECT);
    about.mail_class = CLASS_OUTBOUND;
    decide(REASON_NO_MAILBOX);
    ck_assert_int_eq(d.action, ACTION_REJECT);
}
END_TEST

START_TEST(test_unrefusable)
{
    about.unrefusable = true;
    decide(REASON_NO_MAILBOX);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    ck_assert_int_eq(d.would, ACTION_REJECT);
    ck_assert_uint_eq(d.code, 0);
    ck_assert_str_eq(d.text, "");
}
END_TEST

START_TEST(test_flags_where_stricter)
{
    opts.flag_actions[CLASS_OUTBOUND][FLAG_ROLE] = ACTION_TEMPFAIL;
    decide(REASON_MAILBOX_EXISTS);
    ck_assert_int_eq(d.action, ACTION_ACCEPT); /* it has no flag */
    parse("info@example.com");
    decide(REASON_MAILBOX_EXISTS);
    ck_assert_int_eq(d.action, ACTION_TEMPFAIL);
    ck_assert_uint_eq(d.code, 450);
    decide(REASON_NO_MAILBOX);
    ck_assert_int_eq(d.action, ACTION_REJECT);
    about.mail_class = CLASS_INBOUND;
    decide(REASON_MAILBOX_EXISTS);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    about.mail_class = CLASS_OUTBOUND;
    parse("info+\xc3\xbc@example.com");
    opts.flag_actions[CLASS_OUTBOUND][FLAG_SMTPUTF8] = ACTION_REJECT;
    decide(REASON_MAILBOX_EXISTS);
    ck_assert_int_eq(d.action, ACTION_REJECT);
    decide(REASON_SKIPPED);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    about.address = NULL;
    decide(REASON_BAD_SYNTAX);
    ck_assert_uint_eq(d.code, 553);
}
END_TEST

static const struct {
    enum verdict_reason reason;
    enum smtp_stage stage;
    bool outage;
} outages[] = {
    {REASON_UNREACHABLE, SMTP_STAGE_CONNECT, true},
    {REASON_TIMEOUT, SMTP_STAGE_RCPT, true},
    {REASON_PENDING, SMTP_STAGE_CONNECT, true},
    {REASON_DNS_ERROR, SMTP_STAGE_CONNECT, true},
    {REASON_TLS_FAILED, SMTP_STAGE_STARTTLS, true},
    {REASON_LOCAL_FAULT, SMTP_STAGE_CONNECT, true},
    {REASON_SERVER_ERROR, SMTP_STAGE_GREETING, true},
    {REASON_RATE_LIMITED, SMTP_STAGE_MAIL, true},
    {REASON_BLOCKED, SMTP_STAGE_GREETING, true},
    {REASON_BLOCKED, SMTP_STAGE_RCPT, false},
    {REASON_SERVER_ERROR, SMTP_STAGE_RCPT, false},
    {REASON_RATE_LIMITED, SMTP_STAGE_RCPT, false},
    {REASON_GREYLISTED, SMTP_STAGE_RCPT, false},
    {REASON_OVERLOAD, SMTP_STAGE_CONNECT, false},
};

/* The route's line counts in an outage, and in nothing else. */
START_TEST(test_outage)
{
    struct route route = {.domain = "example.com", .outage = ROUTE_OUTAGE_ACCEPT};
    bool outage = outages[_i].outage;

    about.route = &route;
    about.mail_class = CLASS_INBOUND;
    decide_at(outages[_i].reason, outages[_i].stage);
    ck_assert_int_eq(d.action, outage ? ACTION_ACCEPT : ACTION_TEMPFAIL);
    route.outage = ROUTE_OUTAGE_STALE;
    decide_at(outages[_i].reason, outages[_i].stage);
    ck_assert_int_eq(d.action, ACTION_TEMPFAIL);
    about.mail_class = CLASS_OUTBOUND;
    decide_at(outages[_i].reason, outages[_i].stage);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    route.outage = ROUTE_OUTAGE_TEMPFAIL;
    decide_at(outages[_i].reason, outages[_i].stage);
    ck_assert_int_eq(d.action, outage ? ACTION_TEMPFAIL : ACTION_ACCEPT);
    decide(REASON_NO_MAILBOX);
    ck_assert_int_eq(d.action, ACTION_REJECT);
    route.outage = ROUTE_OUTAGE_ACCEPT;
    decide(REASON_SERVER_ERROR); /* noted in the store, with no evidence: no answer of a server's */
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
    about.route = NULL;
    decide_at(outages[_i].reason, outages[_i].stage);
    ck_assert_int_eq(d.action, ACTION_ACCEPT);
}
END_TEST

static const struct {
    enum verdict_reason reason;
    const char *tempfail, *reject;
} senders[] = {
    {REASON_NO_MAILBOX, "4.1.7", "5.1.7"}, {REASON_BAD_SYNTAX, "4.1.7", "5.1.7"},
    {REASON_NO_DOMAIN, "4.1.8", "5.1.8"},  {REASON_NULL_MX, "4.7.27", "5.7.27"},
    {REASON_TIMEOUT, "4.1.7", "5.1.7"},
};

START_TEST(test_sender_codes)
{
    enum verdict_reason reason = senders[_i].reason;

    about.mail_class = CLASS_SENDER;
    opts.actions[CLASS_SENDER][reason] = ACTION_TEMPFAIL;
    decide(reason);
    ck_assert_uint_eq(d.code, 450);
    ck_assert_str_eq(d.enhanced, senders[_i].tempfail);
    opts.actions[CLASS_SENDER][reason] = ACTION_REJECT;
    decide(reason);
    ck_assert_uint_eq(d.code, 550);
    ck_assert_str_eq(d.enhanced, senders[_i].reject);
    ck_assert_int_eq(strncmp(d.text, "sender address: ", 16), 0);
}
END_TEST

START_TEST(test_sender_defaults)
{
    about.mail_class = CLASS_SENDER;
    for (int r = 0; r < VERDICT_REASON_COUNT; r++) {
        decide((enum verdict_reason)r);
        ck_assert_int_eq(d.action, verdict_reason_status((enum verdict_reason)r) == STATUS_INVALID
                                       ? ACTION_REJECT
                                       : ACTION_ACCEPT);
    }
}
END_TEST

static void configure(enum verdict_reason reason, const char *text)
{
    memcpy(opts.reply[reason], text, strlen(text) + 1);
}

START_TEST(test_reply)
{
    struct route route = {.domain = "example.com"};

    configure(REASON_NO_MAILBOX,
              "%{recipient}|%{domain}|%{status}|%{reason}|%{mx}|%{remote_reply}");
    decide(REASON_NO_MAILBOX);
    ck_assert_str_eq(d.text, "user@example.com|example.com|invalid|no_mailbox|mx.example.net|"
                             "gone away  mx1");
    about.route = &route;
    decide(REASON_NO_MAILBOX);
    ck_assert_str_eq(d.text, "user@example.com|example.com|invalid|no_mailbox||");
    about.route = NULL;
    about.address = NULL;
    decide(REASON_NO_MAILBOX);
    ck_assert_str_eq(d.text, "||invalid|no_mailbox|mx.example.net|gone away  mx1");
    decide(REASON_MOVED);
    ck_assert_str_eq(d.text, "mailbox has moved to another address");
}
END_TEST

START_TEST(test_reply_is_bounded)
{
    char text[TEMPLATE_MAX + 1];

    memset(text, 'x', sizeof(text));
    memcpy(text + TEMPLATE_MAX - 5, "%{mx}", 6);
    configure(REASON_NO_MAILBOX, text);
    about.mail_class = CLASS_SENDER;
    decide(REASON_NO_MAILBOX);
    ck_assert_uint_eq(strlen(d.text), strlen("sender address: ") + TEMPLATE_MAX);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decision_who");
    TCase *t = tcase_create("decision_who");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_monitor_is_for_a_class);
    tcase_add_test(t, test_unrefusable);
    tcase_add_test(t, test_flags_where_stricter);
    tcase_add_loop_test(t, test_outage, 0, (int)(sizeof(outages) / sizeof(outages[0])));
    tcase_add_loop_test(t, test_sender_codes, 0, (int)(sizeof(senders) / sizeof(senders[0])));
    tcase_add_test(t, test_sender_defaults);
    tcase_add_test(t, test_reply);
    tcase_add_test(t, test_reply_is_bounded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
