/* smtp/client: every edge of the state machine, state by state. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_rig.h"
#include "suite.h"

#define ANSWERED "!more", TO_PIPE, "<250 ok", "<250 ok"
#define ANEW     ANSWERED, "!ask anew", ">RSET", ">MAIL FROM:<>", OTHER
#define OTHER    ">RCPT TO:<v@d.example>"

/* The ways into each state. */
struct place {
    const char *name;
    enum client_state state;
    enum rig_tls tls;
    const char *script[20];
};

/* What is thrown at each, and what becomes of it: "outcome -> state". */
enum { ON_2YZ, ON_3YZ, ON_4YZ, ON_5YZ, ON_421, ON_GARBAGE, ON_OVERLONG, ON_EOF, ON_DEADLINE, ONS };

static const char *const on_names[] = {"2yz", "3yz",      "4yz", "5yz",     "421",
                                       "???", "overlong", "eof", "deadline"};

struct walk {
    struct place place;
    const char *after[ONS];
};

static const struct walk walks[] = {
    {{"connect", CLIENT_CONNECT, MAY, {NULL}},
     {NULL, NULL, NULL, NULL, NULL, NULL, NULL, "connect closed -> closed",
      "connect timeout -> closed"}},
    {{"greeting", CLIENT_GREETING, MAY, {"!connected", NULL}},
     {"greeting 250 -> quit", "greeting 354 -> quit", "greeting 450 -> quit",
      "greeting 550 -> quit", "greeting 421 -> quit", "greeting protocol -> quit",
      "greeting protocol -> quit", "greeting closed -> closed", "greeting timeout -> quit"}},
    {{"ehlo", CLIENT_EHLO, MAY, {HELLO, NULL}},
     {"none -> mail", "ehlo 354 -> quit", "ehlo 450 -> quit", "ehlo 550 -> quit",
      "ehlo 421 -> quit", "ehlo protocol -> quit", "ehlo protocol -> quit", "ehlo closed -> closed",
      "ehlo timeout -> quit"}},
    {{"ehlo after TLS", CLIENT_EHLO, ENCRYPT, {TO_TLS, "!secured", ">EHLO me.example", NULL}},
     {"none -> mail", "ehlo 354 -> quit", "ehlo 450 -> quit", "ehlo 550 -> quit",
      "ehlo 421 -> quit", "ehlo protocol -> quit", "ehlo protocol -> quit", "ehlo closed -> closed",
      "ehlo timeout -> quit"}},
    {{"lhlo", CLIENT_EHLO, LMTP, {HELLO_LM, NULL}},
     {"none -> mail", "ehlo 354 -> quit", "ehlo 450 -> quit", "ehlo 550 -> quit",
      "ehlo 421 -> quit", "ehlo protocol -> quit", "ehlo protocol -> quit", "ehlo closed -> closed",
      "ehlo timeout -> quit"}},
    {{"rcpt by LMTP",
      CLIENT_RCPT,
      LMTP,
      {HELLO_LM, "<250-mx", "<250 PIPELINING", ENVELOPE, "<250 ok", "=none", NULL}},
     {"rcpt 250 -> quit", "rcpt 354 -> quit", "rcpt 450 -> quit", "rcpt 550 -> quit",
      "rcpt 421 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt closed -> closed",
      "rcpt timeout -> quit"}},
    {{"helo", CLIENT_HELO, MAY, {HELLO, "<502 no", ">HELO me.example", NULL}},
     {"none -> mail", "helo 354 -> quit", "helo 450 -> quit", "helo 550 -> quit",
      "helo 421 -> quit", "helo protocol -> quit", "helo protocol -> quit", "helo closed -> closed",
      "helo timeout -> quit"}},
    {{"starttls", CLIENT_STARTTLS, MAY, {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", NULL}},
     {"starttls 250 -> quit", "starttls 354 -> quit", "none -> mail", "none -> mail",
      "starttls 421 -> quit", "starttls protocol -> quit", "starttls protocol -> quit",
      "starttls closed -> closed", "starttls timeout -> quit"}},
    {{"starttls required",
      CLIENT_STARTTLS,
      ENCRYPT,
      {HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", NULL}},
     {"starttls 250 -> quit", "starttls 354 -> quit", "starttls 450 -> quit",
      "starttls 550 -> quit", "starttls 421 -> quit", "starttls protocol -> quit",
      "starttls protocol -> quit", "starttls closed -> closed", "starttls timeout -> quit"}},
    {{"tls", CLIENT_TLS, MAY, {TO_TLS, "=none", NULL}},
     {"starttls protocol -> closed", "starttls protocol -> closed", "starttls protocol -> closed",
      "starttls protocol -> closed", "starttls protocol -> closed", "starttls protocol -> closed",
      "starttls protocol -> closed", "tls closed -> closed", "tls timeout -> closed"}},
    {{"mail", CLIENT_MAIL, MAY, {TO_MAIL, NULL}},
     {"none -> rcpt", "mail 354 -> quit", "mail 450 -> quit", "mail 550 -> quit",
      "mail 421 -> quit", "mail protocol -> quit", "mail protocol -> quit", "mail closed -> closed",
      "mail timeout -> quit"}},
    {{"mail, pipelined", CLIENT_MAIL, MAY, {TO_PIPE, NULL}},
     {"none -> rcpt", "mail 354 -> rcpt", "mail 450 -> rcpt", "mail 550 -> rcpt",
      "mail 421 -> quit", "mail protocol -> quit", "mail protocol -> quit", "mail closed -> closed",
      "mail timeout -> quit"}},
    {{"rcpt", CLIENT_RCPT, MAY, {TO_MAIL, "<250 ok", ">RCPT TO:<u@d.example>", NULL}},
     {"rcpt 250 -> quit", "rcpt 354 -> quit", "rcpt 450 -> quit", "rcpt 550 -> quit",
      "rcpt 421 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt closed -> closed",
      "rcpt timeout -> quit"}},
    {{"rcpt, pipelined", CLIENT_RCPT, MAY, {TO_PIPE, "<250 ok", "=none", NULL}},
     {"rcpt 250 -> quit", "rcpt 354 -> quit", "rcpt 450 -> quit", "rcpt 550 -> quit",
      "rcpt 421 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt closed -> closed",
      "rcpt timeout -> quit"}},
    {{"rcpt after a refused MAIL", CLIENT_RCPT, MAY, {TO_PIPE, "<552 no", "=mail 552", NULL}},
     {"mail 552 -> quit", "mail 552 -> quit", "mail 552 -> quit", "mail 552 -> quit",
      "mail 552 -> quit", "mail 552 -> quit", "mail 552 -> quit", "mail 552 -> closed",
      "mail 552 -> quit"}},
    {{"rcpt after a 530 at MAIL", CLIENT_RCPT, MAY, {TO_PIPE, "<530 TLS", "=none", NULL}},
     {"none -> starttls", "none -> starttls", "none -> starttls", "none -> starttls",
      "rcpt 421 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt closed -> closed",
      "rcpt timeout -> quit"}},
    {{"rcpt, more wanted", CLIENT_RCPT, MAY, {"!more", TO_PIPE, "<250 ok", "=none", NULL}},
     {"rcpt 250 -> ready", "rcpt 354 -> quit", "rcpt 450 -> ready", "rcpt 550 -> ready",
      "rcpt 421 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt closed -> closed",
      "rcpt timeout -> quit"}},
    {{"ready", CLIENT_READY, MAY, {ANSWERED, NULL}},
     {"rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit",
      "rcpt protocol -> quit", "rcpt 250 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit",
      "rcpt 250 -> closed", "rcpt 250 -> quit"}},
    {{"rcpt of another", CLIENT_RCPT, MAY, {ANSWERED, "!ask", OTHER, "=none", NULL}},
     {"rcpt 250 -> ready", "rcpt 354 -> quit", "rcpt 450 -> ready", "rcpt 550 -> ready",
      "rcpt 421 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt closed -> closed",
      "rcpt timeout -> quit"}},
    {{"rset",
      CLIENT_RSET,
      MAY,
      {"!more", TO_MAIL, "<250 ok", ">RCPT TO:<u@d.example>", "<250 ok", "!ask anew", ">RSET",
       "=none", NULL}},
     {"none -> mail", "mail 354 -> quit", "mail 450 -> quit", "mail 550 -> quit",
      "mail 421 -> quit", "mail protocol -> quit", "mail protocol -> quit", "mail closed -> closed",
      "mail timeout -> quit"}},
    {{"rset, pipelined", CLIENT_RSET, MAY, {ANEW, "=none", NULL}},
     {"none -> mail", "mail 354 -> mail", "mail 450 -> mail", "mail 550 -> mail",
      "mail 421 -> quit", "mail protocol -> quit", "mail protocol -> quit", "mail closed -> closed",
      "mail timeout -> quit"}},
    {{"mail after RSET, pipelined", CLIENT_MAIL, MAY, {ANEW, "<250 ok", "=none", NULL}},
     {"none -> rcpt", "mail 354 -> rcpt", "mail 450 -> rcpt", "mail 550 -> rcpt",
      "mail 421 -> quit", "mail protocol -> quit", "mail protocol -> quit", "mail closed -> closed",
      "mail timeout -> quit"}},
    {{"mail after a refused RSET", CLIENT_MAIL, MAY, {ANEW, "<502 no", "=mail 502", NULL}},
     {"mail 502 -> rcpt", "mail 502 -> rcpt", "mail 502 -> rcpt", "mail 502 -> rcpt",
      "mail 502 -> rcpt", "mail 502 -> quit", "mail 502 -> quit", "mail 502 -> closed",
      "mail 502 -> quit"}},
    {{"rcpt after a refused RSET",
      CLIENT_RCPT,
      MAY,
      {ANEW, "<502 no", "<250 ok", "=mail 502", NULL}},
     {"mail 502 -> quit", "mail 502 -> quit", "mail 502 -> quit", "mail 502 -> quit",
      "mail 502 -> quit", "mail 502 -> quit", "mail 502 -> quit", "mail 502 -> closed",
      "mail 502 -> quit"}},
    {{"rcpt after RSET, pipelined", CLIENT_RCPT, MAY, {ANEW, "<250 ok", "<250 ok", "=none", NULL}},
     {"rcpt 250 -> ready", "rcpt 354 -> quit", "rcpt 450 -> ready", "rcpt 550 -> ready",
      "rcpt 421 -> quit", "rcpt protocol -> quit", "rcpt protocol -> quit", "rcpt closed -> closed",
      "rcpt timeout -> quit"}},
    {{"quit", CLIENT_QUIT, MAY, {"!connected", "<554 no", ">QUIT", NULL}},
     {"greeting 554 -> quit", "greeting 554 -> quit", "greeting 554 -> quit",
      "greeting 554 -> quit", "greeting 554 -> closed", "greeting 554 -> quit",
      "greeting 554 -> quit", "greeting 554 -> closed", "greeting 554 -> closed"}},
    {{"closed", CLIENT_CLOSED, MAY, {"!connected", "!eof", NULL}},
     {"greeting closed -> closed", "greeting closed -> closed", "greeting closed -> closed",
      "greeting closed -> closed", "greeting closed -> closed", "greeting closed -> closed",
      "greeting closed -> closed", "greeting closed -> closed", "greeting closed -> closed"}},
};

static void throw_at(struct rig *r, int what)
{
    static const char *const replies[] = {"250 ok\r\n", "354 go\r\n",  "450 later\r\n",
                                          "550 no\r\n", "421 bye\r\n", "garbage\r\n"};
    static char overlong[REPLY_LINE_MAX + 1];

    if (what <= ON_GARBAGE) {
        client_receive(&r->c, replies[what], strlen(replies[what]));
    } else if (what == ON_OVERLONG) {
        memset(overlong, '2', sizeof(overlong));
        client_receive(&r->c, overlong, sizeof(overlong));
    } else {
        rig_event(r, what == ON_EOF ? "eof" : "deadline");
    }
    rig_step(r);
}

/* From wherever it is, two deadlines and it is over, with the outcome it had. */
static void run_out(struct rig *r)
{
    bool had = r->c.has_outcome;
    enum smtp_stage stage = r->c.outcome.stage;
    enum smtp_failure failure = r->c.outcome.failure;

    rig_event(r, "deadline");
    rig_event(r, "deadline");
    ck_assert_int_eq(r->c.state, CLIENT_CLOSED);
    if (had) {
        ck_assert_int_eq(r->c.outcome.stage, stage);
        ck_assert_int_eq(r->c.outcome.failure, failure);
    }
}

START_TEST(test_every_edge)
{
    const struct walk *w = &walks[_i / ONS];
    int what = _i % ONS;
    static struct rig r;
    char want[64], state[32];
    const char *arrow;

    if (w->after[what] == NULL)
        return; /* nothing is heard before the connection is there */
    rig_init(&r, w->place.tls);
    rig_run(&r, w->place.script);
    ck_assert_int_eq(r.c.state, w->place.state);
    throw_at(&r, what);
    arrow = strstr(w->after[what], " -> ");
    snprintf(want, sizeof(want), "%.*s", (int)(arrow - w->after[what]), w->after[what]);
    snprintf(state, sizeof(state), "%s", client_state_name(r.c.state));
    ck_assert_msg(strcmp(state, arrow + 4) == 0, "%s, %s: got to %s", w->place.name, on_names[what],
                  state);
    rig_expect_outcome(&r, want);
    /* RFC 5321 section 4.1.1.10: who had something to say it to says QUIT. */
    if (r.c.state == CLIENT_QUIT && w->place.state != CLIENT_QUIT)
        ck_assert_str_eq(r.said, "QUIT\r\n");
    run_out(&r);
}
END_TEST

START_TEST(test_every_state_is_walked)
{
    bool seen[CLIENT_STATE_COUNT] = {false};

    for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++)
        seen[walks[i].place.state] = true;
    for (size_t i = 0; i < CLIENT_STATE_COUNT; i++)
        ck_assert_msg(seen[i], "%s", client_state_name((enum client_state)i));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_edges");
    TCase *tc = tcase_create("client_edges");

    tcase_add_loop_test(tc, test_every_edge, 0, ONS * sizeof(walks) / sizeof(walks[0]));
    tcase_add_test(tc, test_every_state_is_walked);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
