/* callout/classify: failures, replies by rules, what no rule reads, and what no rule may say. */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include "callout/classify.h"
#include "rules_rig.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct rig_rule rules[] = {
    {"listed", 0, NULL, NULL, NULL, "\\bblocklist\\b", REASON_BLOCKED},
    {"hog", 0, NULL, NULL, NULL, "(h+o*)+(h|hh)+!", REASON_RATE_LIMITED},
    {"soft", RIG_RCPT, "451", NULL, "mimecast", "recipient", REASON_CANNOT_VERIFY},
    {"unknown", RIG_RCPT, "5yz", NULL, NULL, "user unknown", REASON_NO_MAILBOX},
    {"mail-unknown", RIG_MAIL, "5yz", NULL, NULL, "user unknown", REASON_SENDER_REFUSED},
    {"relay", RIG_RCPT, "454 554", NULL, NULL, "relay", REASON_NO_DOMAIN},
    {"full", RIG_RCPT, "452 552", "x.2.2", NULL, NULL, REASON_MAILBOX_FULL},
    {"accepted", RIG_RCPT, "250", NULL, NULL, NULL, REASON_MAILBOX_EXISTS},
};

static const struct {
    enum smtp_stage stage;
    const char *provider, *reply;
    enum verdict_reason reason;
    const char *rule;
} replies[] = {
    {SMTP_STAGE_RCPT, "", "550 user unknown", REASON_NO_MAILBOX, "unknown"},
    {SMTP_STAGE_RCPT, "", "550 user unknown, and on a blocklist", REASON_BLOCKED, "listed"},
    {SMTP_STAGE_RCPT, "", "550 <blocklist@example.com>: user unknown", REASON_NO_MAILBOX,
     "unknown"},
    {SMTP_STAGE_RCPT, "", "250 2.1.5 ok", REASON_MAILBOX_EXISTS, "accepted"},
    {SMTP_STAGE_RCPT, "", "452 4.2.2 x", REASON_MAILBOX_FULL, "full"},
    {SMTP_STAGE_RCPT, "", "454 4.7.1 relay access denied", REASON_NO_DOMAIN, "relay"},
    {SMTP_STAGE_RCPT, "mimecast", "451 invalid recipient", REASON_CANNOT_VERIFY, "soft"},
    {SMTP_STAGE_MAIL, "", "550 user unknown", REASON_SENDER_REFUSED, "mail-unknown"},
    /* no rule */
    {SMTP_STAGE_RCPT, "", "451 invalid recipient", REASON_SERVER_ERROR, ""},
    {SMTP_STAGE_RCPT, "google", "451 invalid recipient", REASON_SERVER_ERROR, ""},
    {SMTP_STAGE_RCPT, "", "550 5.1.1 nobody of that name", REASON_CANNOT_VERIFY, ""},
    {SMTP_STAGE_RCPT, "", "251 user not local", REASON_PROTOCOL_ERROR, ""},
    {SMTP_STAGE_RCPT, "", "354 go ahead", REASON_PROTOCOL_ERROR, ""},
    {SMTP_STAGE_GREETING, "", "554 user unknown", REASON_BLOCKED, ""},
    {SMTP_STAGE_GREETING, "", "450 relay", REASON_SERVER_ERROR, ""},
    {SMTP_STAGE_EHLO, "", "550 5.1.1 user unknown", REASON_BLOCKED, ""},
    {SMTP_STAGE_HELO, "", "504 need a name", REASON_BLOCKED, ""},
    {SMTP_STAGE_MAIL, "", "250 ok", REASON_PROTOCOL_ERROR, ""},
    {SMTP_STAGE_MAIL, "", "552 5.2.2 x", REASON_BLOCKED, ""},
    {SMTP_STAGE_QUIT, "", "421 relay", REASON_SERVER_ERROR, ""},
};

START_TEST(test_replies)
{
    struct reply_rules *r = rig_rules(rules, COUNT(rules));
    struct outcome o = {.stage = replies[_i].stage, .reply = rig_reply(replies[_i].reply)};
    struct reading reading = classify_outcome(r, &o, replies[_i].provider, NULL);

    ck_assert_str_eq(verdict_reason_name(reading.reason), verdict_reason_name(replies[_i].reason));
    ck_assert_str_eq(reading.rule, replies[_i].rule);
    reply_rules_unref(&r);
}
END_TEST

/* The lines of a reply are one text, whichever of them the words stand on. */
START_TEST(test_lines_are_one_text)
{
    static const char wire[] = "550-5.1.1 The user\r\n550-5.1.1 unknown\r\n550 5.1.1 at all\r\n";
    struct reply_rules *r = rig_rules(rules, COUNT(rules));
    struct reply_parser p = {0};
    struct outcome o = {.stage = SMTP_STAGE_RCPT};
    enum reply_event event = REPLY_MORE;
    size_t used;

    for (const char *at = wire; event != REPLY_END; at += used)
        event = reply_parser_feed(&p, at, strlen(at), &used);
    o.reply = p.reply;
    ck_assert_str_eq(classify_outcome(r, &o, "", NULL).rule, "unknown");
    reply_rules_unref(&r);
}
END_TEST

/* A rule whose pattern costs too much does not fit; those behind it are tried. */
START_TEST(test_a_rule_that_costs_too_much)
{
    struct reply_rules *r = rig_rules(rules, COUNT(rules));
    struct outcome o = {.stage = SMTP_STAGE_RCPT, .reply = {.code = 550, .lines = 1}};
    static const char end[] = "? user unknown";
    size_t full = sizeof(o.reply.text) - 1;

    memset(o.reply.text, 'h', full);
    memcpy(o.reply.text + full - strlen(end), end, strlen(end));
    ck_assert_str_eq(classify_outcome(r, &o, "", NULL).rule, "unknown");
    reply_rules_unref(&r);
}
END_TEST

/* Every code at every stage, read by rules that say the most they may and by none at all. */
static const struct rig_rule bold[] = {
    {"relay", RIG_RCPT, "4yz", NULL, NULL, "relay", REASON_NO_DOMAIN},
    {"full", RIG_RCPT, "4yz", NULL, NULL, NULL, REASON_MAILBOX_FULL},
    {"exists", RIG_RCPT, "2yz", NULL, NULL, NULL, REASON_MAILBOX_EXISTS},
    {"unknown", RIG_RCPT, "5yz", NULL, NULL, NULL, REASON_NO_MAILBOX},
};

static void check_status(enum smtp_stage stage, unsigned code, enum verdict_reason reason)
{
    enum verdict_status status = verdict_reason_status(reason);
    bool rcpt = stage == SMTP_STAGE_RCPT;

    if (status == STATUS_INVALID)
        ck_assert(rcpt && (code >= 500 || (code >= 400 && reason == REASON_NO_DOMAIN)));
    if (status == STATUS_VALID)
        ck_assert(rcpt && (code < 300 || (code >= 400 && reason == REASON_MAILBOX_FULL)));
}

START_TEST(test_only_rcpt_tells_of_a_recipient)
{
    struct reply_rules *r = rig_rules(bold, COUNT(bold));

    for (unsigned stage = SMTP_STAGE_CONNECT; stage <= SMTP_STAGE_QUIT; stage++)
        for (unsigned code = 0; code <= 600; code++) {
            struct outcome o = {.stage = (enum smtp_stage)stage,
                                .reply = {.code = (uint16_t)code, .text = "relay"}};
            struct reading none = classify_outcome(NULL, &o, "", NULL);

            check_status(o.stage, code, classify_outcome(r, &o, "", NULL).reason);
            ck_assert_str_eq(none.rule, "");
            ck_assert_int_ne(verdict_reason_status(none.reason), STATUS_INVALID);
            ck_assert_int_ne(verdict_reason_status(none.reason), STATUS_VALID);
        }
    reply_rules_unref(&r);
}
END_TEST

/* Even of a set that was damaged: what it says of the recipient has to be a thing that this reply
   can tell. */
START_TEST(test_the_guard_is_asked_again)
{
    struct reply_rules *r = rig_rules(bold, COUNT(bold));
    struct outcome o = {.stage = SMTP_STAGE_RCPT, .reply = rig_reply("550 no")};
    struct reply_rule *rule =
        (struct reply_rule *)(uintptr_t)reply_rules_find(r, o.stage, &o.reply, "", NULL);

    ck_assert_str_eq(classify_outcome(r, &o, "", NULL).rule, "unknown");
    rule->stages = 0;
    rule->code_count = 0;
    o.stage = SMTP_STAGE_MAIL;
    ck_assert_int_eq(classify_outcome(r, &o, "", NULL).reason, REASON_BLOCKED);
    ck_assert_str_eq(classify_outcome(r, &o, "", NULL).rule, "");
    rule->reason = REASON_MAILBOX_EXISTS;
    o.stage = SMTP_STAGE_RCPT;
    ck_assert_int_eq(classify_outcome(r, &o, "", NULL).reason, REASON_CANNOT_VERIFY);
    reply_rules_unref(&r);
}
END_TEST

static const struct {
    enum smtp_stage stage;
    enum smtp_failure failure;
    enum verdict_reason expected;
} failures[] = {
    {SMTP_STAGE_CONNECT, SMTP_FAILURE_REFUSED, REASON_UNREACHABLE},
    {SMTP_STAGE_CONNECT, SMTP_FAILURE_UNREACHABLE, REASON_UNREACHABLE},
    {SMTP_STAGE_CONNECT, SMTP_FAILURE_TIMEOUT, REASON_UNREACHABLE},
    {SMTP_STAGE_GREETING, SMTP_FAILURE_TIMEOUT, REASON_TIMEOUT},
    {SMTP_STAGE_RCPT, SMTP_FAILURE_TIMEOUT, REASON_TIMEOUT},
    {SMTP_STAGE_CONNECT, SMTP_FAILURE_CLOSED, REASON_UNREACHABLE},
    {SMTP_STAGE_GREETING, SMTP_FAILURE_CLOSED, REASON_UNREACHABLE},
    {SMTP_STAGE_EHLO, SMTP_FAILURE_CLOSED, REASON_UNREACHABLE},
    {SMTP_STAGE_RCPT, SMTP_FAILURE_CLOSED, REASON_UNREACHABLE},
    {SMTP_STAGE_EHLO, SMTP_FAILURE_PROTOCOL, REASON_PROTOCOL_ERROR},
    {SMTP_STAGE_RCPT, SMTP_FAILURE_PROTOCOL, REASON_PROTOCOL_ERROR},
    {SMTP_STAGE_TLS, SMTP_FAILURE_TLS, REASON_TLS_FAILED},
    {SMTP_STAGE_MAIL, SMTP_FAILURE_SMTPUTF8, REASON_SMTPUTF8_UNSUPPORTED},
    {SMTP_STAGE_CONNECT, SMTP_FAILURE_LOCAL, REASON_LOCAL_FAULT},
};

/* No rule is asked, not even one that fits everything. */
START_TEST(test_failures)
{
    static const struct rig_rule any = {.name = "any", .reason = REASON_BLOCKED};
    struct reply_rules *r = rig_rules(&any, 1);
    struct outcome o = {.stage = failures[_i].stage, .failure = failures[_i].failure};
    struct reading reading = classify_outcome(r, &o, "", NULL);

    ck_assert_str_eq(verdict_reason_name(reading.reason),
                     verdict_reason_name(failures[_i].expected));
    ck_assert_str_eq(reading.rule, "");
    reply_rules_unref(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("classify");
    TCase *t = tcase_create("classify");

    tcase_add_loop_test(t, test_replies, 0, (int)COUNT(replies));
    tcase_add_test(t, test_lines_are_one_text);
    tcase_add_test(t, test_a_rule_that_costs_too_much);
    tcase_add_test(t, test_only_rcpt_tells_of_a_recipient);
    tcase_add_test(t, test_the_guard_is_asked_again);
    tcase_add_loop_test(t, test_failures, 0, (int)COUNT(failures));
    suite_add_tcase(s, t);
    return suite_run(s);
}
