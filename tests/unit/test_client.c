/* smtp/client: whole dialogues. Every edge of the machine is in test_client_edges. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_rig.h"
#include "suite.h"

#define OTHER ">RCPT TO:<v@d.example>"

static const struct address mailbox_utf8 = {
    .local = "\xc3\xbc", .domain = "d.example", .smtputf8 = true};

struct dialogue {
    const char *name;
    enum rig_tls tls;
    const char *script[40];
};

static const struct dialogue dialogues[] = {
    {"accepted",
     NONE,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>", "=none", "<250 ok",
      "=rcpt 250", BYE}},
    {"refused",
     NONE,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>", "<550 5.1.1 no",
      "=rcpt 550", BYE}},
    {"cannot verify",
     NONE,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>", "<252 perhaps",
      "=rcpt 252", BYE}},
    {"pipelined",
     NONE,
     {HELLO, "<250-mx", "<250-SIZE 1000", "<250 pipelining", ENVELOPE, "<250 ok", "=none",
      "<450 4.2.0 later", "=rcpt 450", BYE}},
    {"pipelined, replies at once",
     NONE,
     {HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE, "<250 ok", "<550-5.1.1 no", "<550 5.1.1 one",
      "=rcpt 550", BYE}},
    {"the first line of EHLO is a name, and keywords are whole words",
     NONE,
     {HELLO, "<250-PIPELINING", "<250-PIPELININGS", "<250-X PIPELINING", "<250 ", ">MAIL FROM:<>",
      "!eof", "=mail closed"}},
    {"multi-line greeting",
     NONE,
     {"!connected", "<220-mx", "=none", "<220-wait", "=none", "<220 go", ">EHLO me.example", "!eof",
      "=ehlo closed"}},
    {"MAIL refused, RCPT's reply is awaited",
     NONE,
     {HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE, "<550 5.7.1 not you", "=mail 550",
      "<503 need MAIL", "=mail 550", BYE}},
    {"MAIL refused, RCPT accepted all the same",
     NONE,
     {HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE, "<451 later", "<250 ok", "=mail 451", BYE}},
    {"MAIL refused, RCPT's reply never comes",
     NONE,
     {HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE, "<550 no", "=mail 550", "!deadline", BYE}},
    {"HELO after 500",
     NONE,
     {HELLO, "<500 what", ">HELO me.example", "<250 mx", ">MAIL FROM:<>", "!eof", "=mail closed"}},
    {"HELO after 502", NONE, {HELLO, "<502 what", ">HELO me.example", "!eof", "=helo closed"}},
    {"HELO after 504", NONE, {HELLO, "<504 what", ">HELO me.example", "!eof", "=helo closed"}},
    {"no HELO after 4yz", NONE, {HELLO, "<451 later", "=ehlo 451", BYE}},
    {"no HELO after 550", NONE, {HELLO, "<550 go away", "=ehlo 550", BYE}},
    {"HELO knows no keywords",
     NONE,
     {HELLO, "<502-PIPELINING", "<502-PIPELINING", "<502 PIPELINING", ">HELO me.example", "<250-mx",
      "<250 PIPELINING", ">MAIL FROM:<>", "!eof", "=mail closed"}},
    {"the greeting decides", NONE, {"!connected", "<554 early word", "=greeting 554", BYE}},
    {"STARTTLS",
     MAY,
     {HELLO, "<250-mx", "<250-PIPELINING", "<250 STARTTLS", ">STARTTLS", "<220 go", "!secured",
      ">EHLO me.example", "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>",
      "<250 ok", "=rcpt 250", BYE}},
    {"keywords after TLS are those after TLS",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go", "!secured", ">EHLO me.example",
      "<250-mx", "<250-STARTTLS", "<250 PIPELINING", ENVELOPE, "!eof", "=mail closed"}},
    {"STARTTLS not wanted",
     NONE,
     {HELLO, "<250-mx", "<250 STARTTLS", ">MAIL FROM:<>", "!eof", "=mail closed"}},
    {"STARTTLS required, not offered", ENCRYPT, {HELLO, "<250 mx", "=starttls tls", BYE}},
    {"STARTTLS required, HELO",
     ENCRYPT,
     {HELLO, "<502 no", ">HELO me.example", "<250 mx", "=starttls tls", BYE}},
    {"STARTTLS refused for now",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<454 4.7.0 not now", ">MAIL FROM:<>",
      "<250 ok", ">RCPT TO:<u@d.example>", "<250 ok", "=rcpt 250", BYE}},
    {"STARTTLS refused, SMTPUTF8 and PIPELINING still hold",
     MAY,
     {HELLO, "<250-mx", "<250-PIPELINING", "<250 STARTTLS", ">STARTTLS", "<502 no", ENVELOPE,
      "!eof", "=mail closed"}},
    {"STARTTLS refused, required",
     ENCRYPT,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<454 no", "=starttls 454", BYE}},
    {"STARTTLS answered 250",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<250 ok", "=starttls 250", BYE}},
    {"plaintext after STARTTLS",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go", "<250 ok", "=starttls protocol"}},
    {"plaintext after STARTTLS, later",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go", "=none", "<250 ok",
      "=starttls protocol"}},
    {"handshake fails",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go", "!tls failed", "=tls tls"}},
    {"530 at MAIL",
     MAY,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<530 STARTTLS first", "=none", ">STARTTLS", "<220 go",
      "!secured", ">EHLO me.example", "<250 mx", ">MAIL FROM:<>", "<250 ok",
      ">RCPT TO:<u@d.example>", "<250 ok", "=rcpt 250", BYE}},
    {"530 at pipelined MAIL",
     MAY,
     {HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE, "<530 STARTTLS first", "<503 no MAIL", "=none",
      ">STARTTLS", "<220 go", "!secured", ">EHLO me.example", "<250 mx", ">MAIL FROM:<>", "<250 ok",
      ">RCPT TO:<u@d.example>", "<250 ok", "=rcpt 250", BYE}},
    {"530 at RCPT",
     MAY,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>", "<530 TLS",
      ">STARTTLS", "<220 go", "!secured", ">EHLO me.example", "<250 mx", ">MAIL FROM:<>", "!eof",
      "=mail closed"}},
    {"530 at EHLO",
     MAY,
     {HELLO, "<530 TLS", ">STARTTLS", "<220 go", "!secured", ">EHLO me.example", "<250 mx",
      ">MAIL FROM:<>", "!eof", "=mail closed"}},
    {"530 at HELO",
     MAY,
     {HELLO, "<500 eh", ">HELO me.example", "<530 TLS", ">STARTTLS", "!eof", "=starttls closed"}},
    {"530 and then STARTTLS refused: the 530 it is",
     MAY,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>", "<530 log in",
      ">STARTTLS", "<502 what", "=rcpt 530", BYE}},
    {"530 is believed once TLS is on",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go", "!secured", ">EHLO me.example",
      "<250 mx", ">MAIL FROM:<>", "<530 log in", "=mail 530", BYE}},
    {"530 where TLS is not wanted",
     NONE,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<530 TLS", "=mail 530", BYE}},
    {"421 at pipelined MAIL",
     NONE,
     {HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE, "<421 closing", "=mail 421", ">QUIT", "!eof",
      "=mail 421"}},
    {"421 at STARTTLS",
     MAY,
     {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<421 no", "=starttls 421", BYE}},
    {"421 behind the reply to RCPT",
     NONE,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>", "<550 5.1.1 no",
      "<421 too many", "=rcpt 550", ">QUIT", "!eof", "=rcpt 550"}},
    {"one reply too many",
     NONE,
     {HELLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>", "<250 ok", "<550 no",
      "=rcpt protocol", BYE}},
    {"one reply too many, pipelined",
     NONE,
     {HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE, "<250 ok", "<250 ok", "<550 5.1.1 no",
      "=rcpt protocol", BYE}},
    {"a reply before its command", NONE, {HELLO, "<250 mx", "<250 ok", "=mail protocol", BYE}},
    {"half a reply before its command",
     NONE,
     {HELLO, "<250 mx\r\n25\\", ">MAIL FROM:<>", "<0 ok", "=mail protocol", BYE}},
    {"421 before the next command",
     NONE,
     {HELLO, "<250 mx", "<421-in a", "<421 hurry", "=mail 421", ">QUIT", "!eof", "=mail 421"}},
    {"EHLO answered with the greeting",
     NONE,
     {"!connected", "<220 mx", "<250 mx", "=ehlo protocol", BYE}},
    {"code changes between lines", NONE, {HELLO, "<250-mx", "<251 x", "=ehlo protocol", BYE}},
    {"noise after QUIT",
     NONE,
     {"!connected", "<554 no", "=greeting 554", ">QUIT", "<", "<garbage", "<250 ok", "<221-one",
      "<221 two", "=greeting 554"}},
    {"deadline in the middle of a reply",
     NONE,
     {HELLO, "<250-mx", "!deadline", "=ehlo timeout", ">QUIT", "<250 late", "<221 bye"}},
    {"a silent server is left with QUIT",
     NONE,
     {"!connected", "!deadline", "=greeting timeout", ">QUIT", "!deadline", "=greeting timeout"}},
    /* RFC 2033 section 4.1: LHLO, with EHLO's replies, and HELO must not be said. */
    {"LMTP",
     LMTP,
     {HELLO_LM, "<250-mx", "<250 PIPELINING", ENVELOPE, "<250 ok", "<550 5.1.1 no", "=rcpt 550",
      BYE}},
    {"LMTP, STARTTLS",
     LMTP,
     {HELLO_LM, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go", "!secured", ">LHLO me.example",
      "<250 mx", ">MAIL FROM:<>", "!eof", "=mail closed"}},
    {"no HELO after 500 to LHLO", LMTP, {HELLO_LM, "<500 what", "=ehlo 500", BYE}},
    {"no HELO after 502 to LHLO", LMTP, {HELLO_LM, "<502 what", "=ehlo 502", BYE}},
    {"no HELO after 504 to LHLO", LMTP, {HELLO_LM, "<504 what", "=ehlo 504", BYE}},
    {"530 at LHLO", LMTP, {HELLO_LM, "<530 TLS", ">STARTTLS", "!eof", "=starttls closed"}},
    {"never connected", NONE, {"!deadline", "=connect timeout"}},
};

START_TEST(test_dialogue)
{
    const struct dialogue *d = &dialogues[_i];
    static struct rig r;

    rig_init(&r, d->tls);
    rig_run(&r, d->script);
    ck_assert_msg(r.c.state == CLIENT_CLOSED, "%s: ends in %s", d->name,
                  client_state_name(r.c.state));
}
END_TEST

static void run_utf8(const char *sender, const struct address *rcpt, const char *const *script)
{
    static struct rig r;

    rig_init(&r, MAY);
    r.c.opts.sender = sender;
    r.c.opts.recipient = rcpt;
    rig_run(&r, script);
    ck_assert_int_eq(r.c.state, CLIENT_CLOSED);
}

START_TEST(test_smtputf8)
{
    static const char *const offered[] = {HELLO,
                                          "<250-mx",
                                          "<250 SMTPUTF8",
                                          ">MAIL FROM:<> SMTPUTF8",
                                          "<250 ok",
                                          ">RCPT TO:<\xc3\xbc@d.example>",
                                          "<250 ok",
                                          "=rcpt 250",
                                          BYE,
                                          NULL};
    static const char *const missing[] = {HELLO, "<250 mx", "=ehlo smtputf8", BYE, NULL};
    static const char *const only_in_tls[] = {TO_TLS,    "!secured",      ">EHLO me.example",
                                              "<250-mx", "<250 SMTPUTF8", ">MAIL FROM:<> SMTPUTF8",
                                              "!eof",    "=mail closed",  NULL};
    static const char *const refused_tls[] = {
        HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<454 not now", "=ehlo smtputf8",
        BYE,   NULL};
    static const char *const from[] = {HELLO,
                                       "<250-mx",
                                       "<250 SMTPUTF8",
                                       ">MAIL FROM:<\xc3\xb6@e.example> SMTPUTF8",
                                       "!eof",
                                       "=mail closed",
                                       NULL};

    run_utf8("", &mailbox_utf8, offered);
    run_utf8("", &mailbox_utf8, missing);
    run_utf8("", &mailbox_utf8, only_in_tls);
    run_utf8("", &mailbox_utf8, refused_tls);
    run_utf8("\xc3\xb6@e.example", &rig_mailbox, from);
    run_utf8("\xc3\xb6@e.example", &rig_mailbox, missing);
}
END_TEST

START_TEST(test_more_recipients)
{
    static struct rig r;
    static const char *const script[] = {
        "!more",   TO_PIPE,   "<250 ok",   "<250 ok",   "=rcpt 250",    "!ask",
        OTHER,     "<550 no", "=rcpt 550", "!ask anew", ">RSET",        ">MAIL FROM:<>",
        OTHER,     "<250 ok", "=none",     "<250 ok",   "<452 4.5.3 x", "=rcpt 452",
        "!enough", BYE,       "=rcpt 452", NULL};
    static const char *const one_by_one[] = {
        "!more",         TO_MAIL,     "<250 ok", ">RCPT TO:<u@d.example>",
        "<250 ok",       "!ask anew", ">RSET",   "<250 ok",
        ">MAIL FROM:<>", "<250 ok",   OTHER,     "<250 ok",
        "=rcpt 250",     "!enough",   BYE,       NULL};
    static const char *const rset_refused[] = {
        "!more",   TO_PIPE,         "<250 ok",   "<250 ok",   "!ask anew",
        ">RSET",   ">MAIL FROM:<>", OTHER,       "<502 what", "=mail 502",
        "<250 ok", "<250 ok",       "=mail 502", BYE,         NULL};
    static const char *const surplus[] = {
        "!more",          TO_PIPE, "<250 ok", "<250 ok", "!ask anew", ">RSET",
        ">MAIL FROM:<>",  OTHER,   "<250 ok", "<250 ok", "<250 ok",   "<550 5.1.1 no",
        "=rcpt protocol", BYE,     NULL};
    static const char *const half[] = {
        "!more", TO_PIPE, "<250 ok", "<250 ok", "<250 sur\\",     "!ask",
        OTHER,   "<plus", "<550 no", ">QUIT",   "=rcpt protocol", NULL};

    rig_init(&r, MAY);
    rig_run(&r, script);
    ck_assert_int_eq(r.c.state, CLIENT_CLOSED);
    rig_init(&r, MAY);
    rig_run(&r, one_by_one);
    rig_init(&r, MAY);
    rig_run(&r, rset_refused);
    rig_init(&r, MAY);
    rig_run(&r, surplus);
    rig_init(&r, MAY);
    rig_run(&r, half); /* the reply that began before RCPT is none to it */
}
END_TEST

/* As whom is asked may change with the transaction; SMTPUTF8 is looked for again. */
START_TEST(test_another_sender)
{
    static const char *const to_ready[] = {"!more", TO_PIPE, "<250 ok", "<250 ok", NULL};
    static const char *const asked[] = {">RSET",   ">MAIL FROM:<s@me.example>",
                                        OTHER,     "<250 ok",
                                        "<250 ok", "<250 ok",
                                        "!enough", BYE,
                                        NULL};
    static const char *const no_utf8[] = {"=ehlo smtputf8", BYE, NULL};
    static struct rig r;

    rig_init(&r, MAY);
    rig_run(&r, to_ready);
    client_ask(&r.c, "s@me.example", &rig_other, true);
    rig_step(&r);
    rig_run(&r, asked);
    rig_init(&r, MAY);
    rig_run(&r, to_ready);
    client_ask(&r.c, "\xc3\xb6@e.example", &rig_other, true);
    rig_step(&r);
    rig_run(&r, no_utf8);
    rig_init(&r, MAY);
    rig_run(&r, to_ready);
    client_ask(&r.c, "", &mailbox_utf8, false);
    rig_step(&r);
    rig_run(&r, no_utf8);
}
END_TEST

static void expect_takes(const struct client *c, bool anew, bool along, bool other_domain)
{
    ck_assert_int_eq(client_takes(c, "d.example", true), anew);
    ck_assert_int_eq(client_takes(c, "d.example", false), along);
    ck_assert_int_eq(client_takes(c, "e.example", true), other_domain);
}

/* What EHLO told last holds, and what was said before that counts. */
START_TEST(test_limits)
{
    static const char *const told[] = {"!more",
                                       HELLO,
                                       "<250-mx",
                                       "<250-PIPELINING",
                                       "<250 limits MAILMAX=2 RCPTMAX=2 RCPTDOMAINMAX=1",
                                       ENVELOPE,
                                       "<250 ok",
                                       "<250 ok",
                                       NULL};
    static const char *const forgotten[] = {"!more",
                                            HELLO,
                                            "<250-mx",
                                            "<250-STARTTLS",
                                            "<250 LIMITS MAILMAX=1 RCPTMAX=1",
                                            ">STARTTLS",
                                            "<220 go",
                                            "!secured",
                                            ">EHLO me.example",
                                            "<250-mx",
                                            "<250-LIMITS RCPTDOMAINMAX=1",
                                            "<250 PIPELINING",
                                            ENVELOPE,
                                            "<250 ok",
                                            "<250 ok",
                                            NULL};
    static struct rig r;

    rig_init(&r, NONE);
    ck_assert(!client_takes(&r.c, "d.example", true));
    rig_run(&r, told);
    expect_takes(&r.c, true, true, false);
    rig_run(&r, (const char *const[]){"!ask", OTHER, "<550 no", NULL});
    expect_takes(&r.c, true, false, false);
    rig_run(&r, (const char *const[]){"!ask anew", ">RSET", ">MAIL FROM:<>", OTHER, "<250 ok",
                                      "<250 ok", "<550 no", NULL});
    expect_takes(&r.c, false, true, false);
    rig_run(&r, (const char *const[]){"<2\\", NULL}); /* something is coming */
    expect_takes(&r.c, false, false, false);
    client_lost(&r.c, SMTP_FAILURE_CLOSED, ""); /* lets go of it */
    rig_init(&r, MAY);
    rig_run(&r, forgotten);
    expect_takes(&r.c, true, true, false);
}
END_TEST

/* Nothing that could be taken for a second command leaves, whatever the caller let through. */
START_TEST(test_no_command_is_smuggled)
{
    static const char *const script[] = {HELLO, "<250 mx", "=mail local", BYE, NULL};
    static const char *const bad[] = {"a@b>\r\nDATA\r\n<c", "a\nb", "a\x7f", NULL};
    struct address evil = rig_mailbox;
    char long_sender[CLIENT_COMMAND_MAX];
    static struct rig r;

    for (size_t i = 0; bad[i] != NULL; i++)
        run_utf8(bad[i], &rig_mailbox, script);
    memset(long_sender, 'x', sizeof(long_sender) - 1);
    long_sender[sizeof(long_sender) - 1] = '\0';
    run_utf8(long_sender, &rig_mailbox, script);
    snprintf(evil.local, sizeof(evil.local), "u>\r\nDATA");
    rig_init(&r, NONE);
    r.c.opts.recipient = &evil;
    rig_run(&r,
            (const char *const[]){HELLO, "<250-mx", "<250 PIPELINING", "=mail local", BYE, NULL});
}
END_TEST

START_TEST(test_noise_after_quit_is_bounded)
{
    static struct rig r;
    static const char noise[] = "250-and on it goes\r\n";
    size_t heard = 0;

    rig_init(&r, NONE);
    rig_run(&r, (const char *const[]){"!connected", "<554 no", ">QUIT", NULL});
    while (r.c.state == CLIENT_QUIT) {
        client_receive(&r.c, noise, sizeof(noise) - 1);
        heard += sizeof(noise) - 1;
        ck_assert_uint_le(heard, 70000);
    }
    ck_assert_uint_ge(heard, 65536);
    rig_expect_outcome(&r, "greeting 554");
}
END_TEST

START_TEST(test_tells_what_it_does)
{
    static struct rig r;

    rig_init(&r, NONE);
    rig_run(&r, (const char *const[]){TO_PIPE, "<250 ok", "<550 5.1.1 n\xc3\xb6\x01", "=rcpt 550",
                                      BYE, NULL});
    ck_assert_str_eq(r.states, "greeting ehlo mail rcpt ready quit closed ");
    ck_assert_str_eq(r.traced, "<220 mx\n>EHLO me.example\n<250-mx\n<250 PIPELINING\n"
                               ">MAIL FROM:<>\n>RCPT TO:<u@d.example>\n<250 ok\n"
                               "<550 5.1.1 n\xc3\xb6?\n>QUIT\n<221 bye\n");
    ck_assert_str_eq(r.c.outcome.reply.text, "n\xc3\xb6?");
}
END_TEST

START_TEST(test_facts_in_the_outcome)
{
    static struct rig r;

    rig_init(&r, MAY);
    rig_run(&r, (const char *const[]){TO_TLS, "!secured", ">EHLO me.example", "!eof", NULL});
    ck_assert_str_eq(r.c.outcome.tls, "TLSv1.3");
    ck_assert(!r.c.outcome.tls_failed);
    rig_init(&r, MAY);
    rig_run(&r, (const char *const[]){HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<454 no",
                                      ">MAIL FROM:<>", "!eof", NULL});
    ck_assert_str_eq(r.c.outcome.tls, "");
    ck_assert(r.c.outcome.tls_failed);
    rig_init(&r, MAY);
    rig_run(&r, (const char *const[]){TO_TLS, "!tls failed", NULL});
    ck_assert_str_eq(r.c.outcome.detail, "wrong version number");
    rig_init(&r, MAY);
    rig_run(&r, (const char *const[]){HELLO, "<250-mx", "<550 x", "=ehlo protocol", ">QUIT", NULL});
    ck_assert_str_eq(r.c.outcome.detail, "reply code changed between lines");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tc = tcase_create("client");

    tcase_add_loop_test(tc, test_dialogue, 0, sizeof(dialogues) / sizeof(dialogues[0]));
    tcase_add_test(tc, test_smtputf8);
    tcase_add_test(tc, test_more_recipients);
    tcase_add_test(tc, test_another_sender);
    tcase_add_test(tc, test_limits);
    tcase_add_test(tc, test_no_command_is_smuggled);
    tcase_add_test(tc, test_noise_after_quit_is_bounded);
    tcase_add_test(tc, test_tells_what_it_does);
    tcase_add_test(tc, test_facts_in_the_outcome);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
