/* smtp/client: whole dialogues, and every edge of the state machine. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/client.h"

static const struct address mailbox = {.local = "u", .domain = "d.example"};
static const struct address mailbox_utf8 = {
    .local = "\xc3\xbc", .domain = "d.example", .smtputf8 = true};

struct rig {
    struct client c;
    char said[4096];   /* taken and not yet expected */
    char states[1024]; /* every state entered */
    char traced[65536];
};

static void on_state(void *arg, enum client_state from, enum client_state to)
{
    struct rig *r = arg;
    size_t n = strlen(r->states);

    ck_assert_int_ne(from, CLIENT_CLOSED);
    ck_assert_int_eq(r->c.state, to);
    snprintf(r->states + n, sizeof(r->states) - n, "%s ", client_state_name(to));
}

static void on_trace(void *arg, char dir, const char *line)
{
    struct rig *r = arg;
    size_t n = strlen(r->traced);

    snprintf(r->traced + n, sizeof(r->traced) - n, "%c%s\n", dir, line);
}

static void rig_init(struct rig *r, bool starttls, bool required)
{
    const struct client_opts opts = {
        .helo_name = "me.example",
        .sender = "",
        .recipient = &mailbox,
        .starttls = starttls,
        .tls_required = required,
        .on_state = on_state,
        .on_trace = on_trace,
        .arg = r,
    };

    *r = (struct rig){0};
    client_init(&r->c, &opts);
}

/* After every step: what was said is whole commands, never DATA; a closed client has an outcome. */
static void rig_step(struct rig *r)
{
    char out[CLIENT_OUT_MAX];
    size_t n = client_take(&r->c, out), had = strlen(r->said);

    ck_assert_uint_eq(r->c.out_len, 0);
    ck_assert_uint_lt(had + n, sizeof(r->said));
    memcpy(r->said + had, out, n);
    r->said[had + n] = '\0';
    ck_assert(n == 0 || (n > 2 && memcmp(out + n - 2, "\r\n", 2) == 0));
    ck_assert_ptr_null(strstr(r->said, "DATA"));
    ck_assert(r->c.state != CLIENT_CLOSED || r->c.has_outcome);
    ck_assert(r->c.state != CLIENT_QUIT || r->c.has_outcome);
    if (r->c.has_outcome && r->c.outcome.failure == SMTP_FAILURE_NONE)
        ck_assert_uint_ge(r->c.outcome.reply.code, 200);
    else
        ck_assert(!r->c.has_outcome || r->c.outcome.reply.code == 0);
}

static void expect_said(struct rig *r, const char *line)
{
    char crlf[CLIENT_COMMAND_MAX];
    size_t n = (size_t)snprintf(crlf, sizeof(crlf), "%s\r\n", line);

    ck_assert_msg(strncmp(r->said, crlf, n) == 0, "expected '%s', said '%s'", line, r->said);
    memmove(r->said, r->said + n, strlen(r->said + n) + 1);
}

/* "rcpt 550", "greeting timeout" */
static void expect_outcome(const struct rig *r, const char *want)
{
    const struct outcome *o = &r->c.outcome;
    char have[64] = "none";

    if (r->c.has_outcome && o->failure == SMTP_FAILURE_NONE)
        snprintf(have, sizeof(have), "%s %u", smtp_stage_name(o->stage), (unsigned)o->reply.code);
    else if (r->c.has_outcome)
        snprintf(have, sizeof(have), "%s %s", smtp_stage_name(o->stage),
                 smtp_failure_name(o->failure));
    ck_assert_str_eq(have, want);
}

static void rig_event(struct rig *r, const char *event)
{
    if (strcmp(event, "connected") == 0)
        client_connected(&r->c);
    else if (strcmp(event, "secured") == 0)
        client_secured(&r->c, "TLSv1.3");
    else if (strcmp(event, "tls failed") == 0)
        client_lost(&r->c, SMTP_FAILURE_TLS, "wrong version number");
    else if (strcmp(event, "eof") == 0)
        client_lost(&r->c, SMTP_FAILURE_CLOSED, "");
    else if (strcmp(event, "deadline") == 0)
        client_timeout(&r->c, "");
    else
        ck_abort_msg("no such event: %s", event);
    rig_step(r);
}

static void add_heard(char *heard, size_t size, const char *text)
{
    size_t have = strlen(heard), n = strlen(text);

    if (n > 0 && text[n - 1] == '\\')
        snprintf(heard + have, size - have, "%.*s", (int)(n - 1), text);
    else
        snprintf(heard + have, size - have, "%s\r\n", text);
}

/*
 * Runs a script: "<" what the server says (neighbours arrive at once, CRLF is added unless it ends
 * in a backslash), ">" what is said, "!" events, "=" the outcome by now. Everything said has to be
 * expected.
 */
static void rig_run(struct rig *r, const char *const *script)
{
    char heard[8192] = "";

    for (bool more = true; more; script++) {
        size_t n = strlen(heard);

        more = *script != NULL;
        if (more && **script == '<') {
            ck_assert_str_eq(r->said, "");
            add_heard(heard, sizeof(heard), *script + 1);
            continue;
        }
        if (n > 0) {
            client_receive(&r->c, heard, n);
            rig_step(r);
            heard[0] = '\0';
        }
        if (more && **script == '>')
            expect_said(r, *script + 1);
        else if (more && **script == '=')
            expect_outcome(r, *script + 1);
        else if (more)
            rig_event(r, *script + 1);
    }
    ck_assert_str_eq(r->said, "");
}

enum mode { NONE, MAY, ENCRYPT };

struct dialogue {
    const char *name;
    enum mode mode;
    const char *script[40];
};

#define HELLO    "!connected", "<220 mx", ">EHLO me.example"
#define ENVELOPE ">MAIL FROM:<>", ">RCPT TO:<u@d.example>"
#define BYE      ">QUIT", "<221 bye"

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
    {"never connected", NONE, {"!deadline", "=connect timeout"}},
};

START_TEST(test_dialogue)
{
    const struct dialogue *d = &dialogues[_i];
    static struct rig r;

    rig_init(&r, d->mode != NONE, d->mode == ENCRYPT);
    rig_run(&r, d->script);
    ck_assert_msg(r.c.state == CLIENT_CLOSED, "%s: ends in %s", d->name,
                  client_state_name(r.c.state));
}
END_TEST

/* The ways into each state. */
struct place {
    const char *name;
    enum client_state state;
    enum mode mode;
    const char *script[20];
};

#define TO_MAIL HELLO, "<250 mx", ">MAIL FROM:<>"
#define TO_PIPE HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE
#define TO_TLS  HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go"

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
    rig_init(&r, w->place.mode != NONE, w->place.mode == ENCRYPT);
    rig_run(&r, w->place.script);
    ck_assert_int_eq(r.c.state, w->place.state);
    throw_at(&r, what);
    arrow = strstr(w->after[what], " -> ");
    snprintf(want, sizeof(want), "%.*s", (int)(arrow - w->after[what]), w->after[what]);
    snprintf(state, sizeof(state), "%s", client_state_name(r.c.state));
    ck_assert_msg(strcmp(state, arrow + 4) == 0, "%s, %s: got to %s", w->place.name, on_names[what],
                  state);
    expect_outcome(&r, want);
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

static void run_utf8(const char *sender, const struct address *rcpt, const char *const *script)
{
    static struct rig r;

    rig_init(&r, true, false);
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
    run_utf8("\xc3\xb6@e.example", &mailbox, from);
    run_utf8("\xc3\xb6@e.example", &mailbox, missing);
}
END_TEST

/* Nothing that could be taken for a second command leaves, whatever the caller let through. */
START_TEST(test_no_command_is_smuggled)
{
    static const char *const script[] = {HELLO, "<250 mx", "=mail local", BYE, NULL};
    static const char *const bad[] = {"a@b>\r\nDATA\r\n<c", "a\nb", "a\x7f", NULL};
    struct address evil = mailbox;
    char long_sender[CLIENT_COMMAND_MAX];
    static struct rig r;

    for (size_t i = 0; bad[i] != NULL; i++)
        run_utf8(bad[i], &mailbox, script);
    memset(long_sender, 'x', sizeof(long_sender) - 1);
    long_sender[sizeof(long_sender) - 1] = '\0';
    run_utf8(long_sender, &mailbox, script);
    snprintf(evil.local, sizeof(evil.local), "u>\r\nDATA");
    rig_init(&r, false, false);
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

    rig_init(&r, false, false);
    rig_run(&r, (const char *const[]){"!connected", "<554 no", ">QUIT", NULL});
    while (r.c.state == CLIENT_QUIT) {
        client_receive(&r.c, noise, sizeof(noise) - 1);
        heard += sizeof(noise) - 1;
        ck_assert_uint_le(heard, 70000);
    }
    ck_assert_uint_ge(heard, 65536);
    expect_outcome(&r, "greeting 554");
}
END_TEST

START_TEST(test_tells_what_it_does)
{
    static struct rig r;

    rig_init(&r, false, false);
    rig_run(&r, (const char *const[]){TO_PIPE, "<250 ok", "<550 5.1.1 n\xc3\xb6\x01", "=rcpt 550",
                                      BYE, NULL});
    ck_assert_str_eq(r.states, "greeting ehlo mail rcpt quit closed ");
    ck_assert_str_eq(r.traced, "<220 mx\n>EHLO me.example\n<250-mx\n<250 PIPELINING\n"
                               ">MAIL FROM:<>\n>RCPT TO:<u@d.example>\n<250 ok\n"
                               "<550 5.1.1 n\xc3\xb6?\n>QUIT\n<221 bye\n");
    ck_assert_str_eq(r.c.outcome.reply.text, "n\xc3\xb6?");
}
END_TEST

START_TEST(test_facts_in_the_outcome)
{
    static struct rig r;

    rig_init(&r, true, false);
    rig_run(&r, (const char *const[]){TO_TLS, "!secured", ">EHLO me.example", "!eof", NULL});
    ck_assert_str_eq(r.c.outcome.tls, "TLSv1.3");
    ck_assert(!r.c.outcome.tls_failed);
    rig_init(&r, true, false);
    rig_run(&r, (const char *const[]){HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<454 no",
                                      ">MAIL FROM:<>", "!eof", NULL});
    ck_assert_str_eq(r.c.outcome.tls, "");
    ck_assert(r.c.outcome.tls_failed);
    rig_init(&r, true, false);
    rig_run(&r, (const char *const[]){TO_TLS, "!tls failed", NULL});
    ck_assert_str_eq(r.c.outcome.detail, "wrong version number");
    rig_init(&r, true, false);
    rig_run(&r, (const char *const[]){HELLO, "<250-mx", "<550 x", "=ehlo protocol", ">QUIT", NULL});
    ck_assert_str_eq(r.c.outcome.detail, "reply code changed between lines");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tc = tcase_create("client");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tc, test_dialogue, 0, sizeof(dialogues) / sizeof(dialogues[0]));
    tcase_add_loop_test(tc, test_every_edge, 0, ONS * sizeof(walks) / sizeof(walks[0]));
    tcase_add_test(tc, test_every_state_is_walked);
    tcase_add_test(tc, test_smtputf8);
    tcase_add_test(tc, test_no_command_is_smuggled);
    tcase_add_test(tc, test_noise_after_quit_is_bounded);
    tcase_add_test(tc, test_tells_what_it_does);
    tcase_add_test(tc, test_facts_in_the_outcome);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
