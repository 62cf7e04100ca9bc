/* The built-in replies.conf, by replies of the kinds that servers send. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "callout/classify.h"
#include "conf/data_files.h"
#include "rules_rig.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct reply_rules *rules;
static struct providers *providers;

static void print_problem(void *arg, const char *text, bool is_warning)
{
    (void)arg;
    (void)is_warning;
    fprintf(stderr, "%s\n", text);
}

static void setup(void)
{
    struct config_problems problems = {0};
    bool ok = data_files_builtin(&rules, &providers, &problems);

    config_problems_each(&problems, print_problem, NULL);
    config_problems_free(&problems);
    ck_assert(ok);
}

static void teardown(void)
{
    reply_rules_unref(&rules);
    providers_unref(&providers);
}

static struct reading read_reply(enum smtp_stage stage, const char *line)
{
    struct outcome o = {.stage = stage, .reply = rig_reply(line)};

    return classify_outcome(rules, &o, "", NULL);
}

static void check_reading(enum smtp_stage stage, const char *line, enum verdict_reason expected)
{
    struct reading got = read_reply(stage, line);

    ck_assert_msg(got.reason == expected, "%s: %s: got %s by \"%s\", expected %s",
                  smtp_stage_name(stage), line, verdict_reason_name(got.reason), got.rule,
                  verdict_reason_name(expected));
}

static const struct {
    const char *reply;
    enum verdict_reason expected;
} at_rcpt[] = {
    /* 2yz and 3yz */
    {"250 2.1.5 Recipient ok", REASON_MAILBOX_EXISTS},
    {"250", REASON_MAILBOX_EXISTS},
    {"251 User not local; will forward to <b@example.org>", REASON_FORWARDED},
    {"252 2.5.2 Cannot VRFY user, but will take message", REASON_CANNOT_VERIFY},
    {"354 go ahead", REASON_PROTOCOL_ERROR},
    /* the recipient, by enhanced code */
    {"550 5.1.1 nobody by that name", REASON_NO_MAILBOX},
    {"554 5.1.1 x", REASON_NO_MAILBOX},
    {"550 5.1.1", REASON_NO_MAILBOX},
    {"550 5.1.2 host unknown", REASON_NO_DOMAIN},
    {"553 5.1.3 bad destination address", REASON_BAD_SYNTAX},
    {"550 5.1.6 gone to <b@example.org>", REASON_MOVED},
    {"556 5.1.10 null MX", REASON_NULL_MX},
    {"550 5.1.10 recipient not found", REASON_NO_MAILBOX},
    {"550 5.2.1 mailbox switched off", REASON_MAILBOX_DISABLED},
    {"550 5.4.1 Recipient address rejected: Access denied.", REASON_NO_MAILBOX},
    {"550 5.4.1 no answer from host", REASON_CANNOT_VERIFY},
    {"524 5.2.4 Mailing list expansion problem", REASON_NO_MAILBOX},
    {"553 5.6.7 address needs SMTPUTF8", REASON_SMTPUTF8_UNSUPPORTED},
    /* the recipient, by basic code */
    {"550 no user of that name here", REASON_NO_MAILBOX},
    {"550", REASON_CANNOT_VERIFY},
    {"550 5.5.0 mailbox unavailable", REASON_NO_MAILBOX},
    {"550 5.1.0 unknown recipient", REASON_NO_MAILBOX},
    {"551 user not local; try <b@example.org>", REASON_MOVED},
    {"556 no mail here", REASON_NULL_MX},
    /* full, 4yz or 5yz; the server's disk is not the mailbox */
    {"552 5.2.2 over quota", REASON_MAILBOX_FULL},
    {"452 4.2.2 over quota", REASON_MAILBOX_FULL},
    {"552 exceeded storage allocation", REASON_MAILBOX_FULL},
    {"452 the mailbox is full", REASON_MAILBOX_FULL},
    {"550 5.1.1 user is over quota", REASON_MAILBOX_FULL},
    {"452 4.3.1 insufficient storage space", REASON_SERVER_ERROR},
    {"452 insufficient system storage", REASON_SERVER_ERROR},
    {"452 4.5.3 no more of them", REASON_RATE_LIMITED},
    /* relaying */
    {"554 5.7.1 relay access denied", REASON_NO_DOMAIN},
    {"550 we do no relaying for that domain", REASON_NO_DOMAIN},
    {"550 5.7.1 relaying denied, authenticate first", REASON_BLOCKED},
    {"454 4.7.1 relay access denied", REASON_NO_DOMAIN},
    /* about us: never the recipient */
    {"550 5.7.1 no", REASON_BLOCKED},
    {"550 5.7.1 user unknown to our policy", REASON_BLOCKED},
    {"550 192.0.2.1 is on the blocklist of example.net", REASON_BLOCKED},
    {"550 5.1.1 mail from this host: listed at dnsbl.example.net", REASON_BLOCKED},
    {"554 no reverse DNS for 192.0.2.1, user", REASON_BLOCKED},
    {"504 5.5.2 <probe>: HELO command rejected: need a name", REASON_BLOCKED},
    {"450 4.7.1 <probe>: HELO command rejected: host not found", REASON_BLOCKED},
    {"450 4.7.1 client host blocked using bl.example.net", REASON_BLOCKED},
    {"550 access to this mailbox denied", REASON_BLOCKED},
    {"550 mailbox closed to you by policy", REASON_BLOCKED},
    {"550 recipient wants you to try later", REASON_SERVER_ERROR},
    {"530 5.7.0 STARTTLS first", REASON_BLOCKED},
    {"535 say who you are", REASON_BLOCKED},
    {"554 no", REASON_BLOCKED},
    {"521 no mail here", REASON_BLOCKED},
    {"550 5.6.0 bad content", REASON_BLOCKED},
    /* our sender, quoted replies among it */
    {"550 Verification failed for <probe@example.com> Called: 192.0.2.1 Sent: RCPT TO: Response: "
     "550 5.1.1 User unknown Sender verify failed",
     REASON_SENDER_REFUSED},
    {"550 5.1.1 sender address rejected: undeliverable address", REASON_SENDER_REFUSED},
    {"553 5.1.8 domain does not exist", REASON_SENDER_REFUSED},
    {"553 5.1.2 domain of sender does not exist", REASON_SENDER_REFUSED},
    {"450 4.1.8 not found", REASON_SENDER_REFUSED},
    {"550 5.1.7 bad", REASON_SENDER_REFUSED},
    /* our rate */
    {"550 5.1.1 too many recipients from you this hour", REASON_RATE_LIMITED},
    {"550 5.2.1 user receives mail at a rate that is too high", REASON_RATE_LIMITED},
    {"550 5.5.3 no more", REASON_RATE_LIMITED},
    {"421 4.7.0 slow down", REASON_RATE_LIMITED},
    {"451 4.7.500 server busy", REASON_RATE_LIMITED},
    /* later */
    {"450 4.2.0 Greylisted, come back in 5 minutes", REASON_GREYLISTED},
    {"451 4.7.1 please try again", REASON_GREYLISTED},
    {"421 4.7.1 please try again", REASON_RATE_LIMITED},
    {"450 mailbox busy", REASON_SERVER_ERROR},
    {"451 4.3.0 local error", REASON_SERVER_ERROR},
    {"421 4.3.2 shutting down", REASON_SERVER_ERROR},
    {"450 4.1.1 user unknown", REASON_CANNOT_VERIFY},
    {"450 4.1.1 unverified address: host mx said: 550 5.1.1 user unknown", REASON_CANNOT_VERIFY},
    /* neither */
    {"550 no", REASON_BLOCKED},
    {"554 mailbox not here", REASON_BLOCKED},
    {"550 5.3.5 system config error", REASON_CANNOT_VERIFY},
    {"550 5.4.6 routing loop", REASON_CANNOT_VERIFY},
    {"501 5.5.4 bad arguments", REASON_PROTOCOL_ERROR},
    {"503 MAIL first", REASON_PROTOCOL_ERROR},
    {"553 mailbox name not understood", REASON_BLOCKED},
    {"555 parameters not recognised", REASON_PROTOCOL_ERROR},
};

START_TEST(test_rcpt)
{
    check_reading(SMTP_STAGE_RCPT, at_rcpt[_i].reply, at_rcpt[_i].expected);
}
END_TEST

/* A local part or domain may be called anything: what it is called must not change the reading. */
static const char *const names[] = {
    "550 5.1.1 <spam@blocklist.example>: no such user",
    "550 5.1.1 user policy@example.com unknown",
    "550 5.1.1 <relay@example.com>... user unknown",
    "550 5.1.1 mailbox \"quota@example.com\" unavailable",
    "550 5.1.1 unknown user:sender@reputation.example",
    "550 5.1.1 (ip@dnsbl.example) is no mailbox of ours",
    "550 5.1.1 <too.many.connections@example.com> unknown",
    "550 user <denied@example.com> unknown",
};

START_TEST(test_names_in_addresses_are_no_words)
{
    check_reading(SMTP_STAGE_RCPT, names[_i], REASON_NO_MAILBOX);
}
END_TEST

/* Words count as words: no "rate" in "corporate", no "ip" in "recipient". */
START_TEST(test_words_have_edges)
{
    check_reading(SMTP_STAGE_RCPT, "550 no such corporate recipient", REASON_NO_MAILBOX);
    check_reading(SMTP_STAGE_RCPT, "550 user unknown, rated x", REASON_NO_MAILBOX);
}
END_TEST

static const struct {
    enum smtp_stage stage;
    const char *reply;
    enum verdict_reason expected;
} early[] = {
    {SMTP_STAGE_GREETING, "554 no SMTP service here", REASON_BLOCKED},
    {SMTP_STAGE_GREETING, "521 does not accept mail", REASON_BLOCKED},
    {SMTP_STAGE_GREETING, "421 4.3.2 try later", REASON_SERVER_ERROR},
    {SMTP_STAGE_GREETING, "421 4.7.0 not now", REASON_RATE_LIMITED},
    {SMTP_STAGE_GREETING, "421 too many connections", REASON_RATE_LIMITED},
    {SMTP_STAGE_GREETING, "450 4.3.2 service currently unavailable", REASON_SERVER_ERROR},
    {SMTP_STAGE_GREETING, "250 hello", REASON_PROTOCOL_ERROR},
    {SMTP_STAGE_EHLO, "550 5.1.1 user unknown", REASON_BLOCKED},
    {SMTP_STAGE_HELO, "504 need a name", REASON_BLOCKED},
    {SMTP_STAGE_STARTTLS, "554 5.7.3 no TLS", REASON_BLOCKED},
    {SMTP_STAGE_STARTTLS, "454 4.7.0 TLS not available", REASON_TLS_FAILED},
    {SMTP_STAGE_MAIL, "550 5.1.1 user unknown", REASON_SENDER_REFUSED},
    {SMTP_STAGE_MAIL, "553 5.1.8 domain not found", REASON_SENDER_REFUSED},
    {SMTP_STAGE_MAIL, "501 5.1.7 bad sender", REASON_SENDER_REFUSED},
    {SMTP_STAGE_MAIL, "550 null sender not wanted", REASON_SENDER_REFUSED},
    {SMTP_STAGE_MAIL, "550 5.7.1 no", REASON_BLOCKED},
    {SMTP_STAGE_MAIL, "530 STARTTLS first", REASON_BLOCKED},
    {SMTP_STAGE_MAIL, "554 192.0.2.1 is blacklisted", REASON_BLOCKED},
    {SMTP_STAGE_MAIL, "503 5.5.1 bad sequence", REASON_PROTOCOL_ERROR},
    {SMTP_STAGE_MAIL, "451 4.3.0 local error", REASON_SERVER_ERROR},
    {SMTP_STAGE_MAIL, "450 4.1.8 domain not found", REASON_SENDER_REFUSED},
    {SMTP_STAGE_MAIL, "450 greylisted", REASON_GREYLISTED},
};

START_TEST(test_early)
{
    check_reading(early[_i].stage, early[_i].reply, early[_i].expected);
}
END_TEST

/* What is said before RCPT, and a 4yz, never becomes invalid; but where a 4yz denies relaying. */
START_TEST(test_only_a_5yz_at_rcpt_makes_invalid)
{
    static const unsigned codes[] = {211, 220, 221, 250, 251, 252, 334, 354, 421, 432, 450,
                                     451, 452, 454, 455, 500, 501, 503, 504, 521, 523, 530,
                                     535, 541, 550, 551, 552, 553, 554, 555, 556, 571};
    static const char *const parts[] = {"",     "1.1", "1.2", "1.3", "1.6",
                                        "1.10", "2.1", "2.2", "4.1", "7.1"};
    static const char *const texts[] = {"", "user unknown", "no such mailbox", "account disabled"};
    unsigned stage = (unsigned)_i;
    char line[64];

    for (size_t c = 0; c < COUNT(codes); c++)
        for (size_t p = 0; p < COUNT(parts); p++)
            for (size_t t = 0; t < COUNT(texts); t++) {
                struct reading got;

                if (p == 0)
                    (void)snprintf(line, sizeof(line), "%u %s", codes[c], texts[t]);
                else
                    (void)snprintf(line, sizeof(line), "%u %u.%s %s", codes[c], codes[c] / 100,
                                   parts[p], texts[t]);
                got = read_reply((enum smtp_stage)stage, line);
                ck_assert_msg(got.rule[0] != '\0', "%s %s", smtp_stage_name(stage), line);
                ck_assert_msg((stage == SMTP_STAGE_RCPT && codes[c] >= 500) ||
                                  verdict_reason_status(got.reason) != STATUS_INVALID,
                              "%s: %s: %s", smtp_stage_name(stage), line, got.rule);
            }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reading");
    TCase *t = tcase_create("reading");

    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_rcpt, 0, (int)COUNT(at_rcpt));
    tcase_add_loop_test(t, test_names_in_addresses_are_no_words, 0, (int)COUNT(names));
    tcase_add_test(t, test_words_have_edges);
    tcase_add_loop_test(t, test_early, 0, (int)COUNT(early));
    tcase_add_loop_test(t, test_only_a_5yz_at_rcpt_makes_invalid, SMTP_STAGE_CONNECT,
                        SMTP_STAGE_QUIT + 1);
    suite_add_tcase(s, t);
    return suite_run(s);
}
