#include "smtp/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define QUIT_HEARD_MAX 65536 /* octets listened to after QUIT */

/* The two questions: what is said on entry, what does a reply mean. */
static const struct behaviour {
    void (*enter)(struct client *c);
    void (*reply)(struct client *c, const struct smtp_reply *r);
} behaviours[CLIENT_STATE_COUNT];

/* The only setter of the state. */
static void enter(struct client *c, enum client_state next)
{
    enum client_state from = c->state;

    c->state = next;
    if (c->opts.on_state != NULL)
        c->opts.on_state(c->opts.arg, from, next);
    if (behaviours[next].enter != NULL)
        behaviours[next].enter(c);
}

/* Outcomes: the first one counts. */

static struct outcome *new_outcome(struct client *c, enum smtp_failure failure)
{
    c->has_outcome = true;
    c->outcome.stage = client_state_stage(c->state);
    c->outcome.failure = failure;
    c->outcome.reply = (struct smtp_reply){0};
    c->outcome.detail[0] = '\0';
    return &c->outcome;
}

static void fail(struct client *c, enum smtp_failure failure, const char *detail)
{
    struct outcome *o;

    if (c->has_outcome)
        return;
    o = new_outcome(c, failure);
    str_printable(o->detail, sizeof(o->detail), detail, strlen(detail));
}

static void broken(struct client *c, const char *why)
{
    fail(c, SMTP_FAILURE_PROTOCOL, why);
    enter(c, CLIENT_QUIT);
}

/* A reply ends the dialogue, also one that has no business here. */
static void conclude(struct client *c, const struct smtp_reply *r)
{
    new_outcome(c, SMTP_FAILURE_NONE)->reply = *r;
    enter(c, CLIENT_QUIT);
}

/*
 * One reply more than there were commands: which of them was for RCPT is anyone's guess.
 */
static void doubt(struct client *c)
{
    c->has_outcome = false;
    fail(c, SMTP_FAILURE_PROTOCOL, "more replies than commands");
    c->outcome.stage = SMTP_STAGE_RCPT;
}

/* False when out of memory: then it is over. */
static bool has_memory(struct client *c, const void *memory)
{
    if (memory != NULL)
        return true;
    fail(c, SMTP_FAILURE_LOCAL, "out of memory");
    c->out_len = 0;
    enter(c, CLIENT_CLOSED);
    return false;
}

static bool is_bye(const struct smtp_reply *r)
{
    return r->code == 221 || r->code == 421;
}

/* Speaking */

/*
 * A command is bounded, and its line end is its only control character: whatever an address or a
 * name holds, it does not become a second command.
 */
__attribute__((format(printf, 2, 3))) static bool say(struct client *c, const char *fmt, ...)
{
    char line[CLIENT_COMMAND_MAX - 1]; /* CRLF for the terminator */
    char *out;
    va_list ap;
    int n;

    if (c->state == CLIENT_CLOSED)
        return false;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    for (int i = 0; i < n && n < (int)sizeof(line); i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            n = -1;
    if (n < 0 || n >= (int)sizeof(line)) {
        fail(c, SMTP_FAILURE_LOCAL, "command not sent: too long, or a control character in it");
        enter(c, CLIENT_QUIT);
        return false;
    }
    out = realloc(c->out, c->out_len + (size_t)n + 2);
    if (!has_memory(c, out))
        return false;
    c->out = out;
    memcpy(c->out + c->out_len, line, (size_t)n);
    memcpy(c->out + c->out_len + n, "\r\n", 2);
    c->out_len += (size_t)n + 2;
    return true;
}

static void enter_ehlo(struct client *c)
{
    c->keywords = 0; /* RFC 3207 section 4.2 */
    limits_forget(&c->limits);
    say(c, "%s %s", c->opts.lmtp ? "LHLO" : "EHLO", c->opts.helo_name);
}

static void enter_helo(struct client *c)
{
    c->keywords = 0;
    limits_forget(&c->limits);
    say(c, "HELO %s", c->opts.helo_name);
}

static void enter_starttls(struct client *c)
{
    c->tls_asked = true;
    c->tls_due = false;
    say(c, "STARTTLS");
}

static bool needs_smtputf8(const struct client *c)
{
    for (const char *s = c->opts.sender; *s != '\0'; s++)
        if ((unsigned char)*s > 0x7f)
            return true;
    return c->opts.recipient->smtputf8;
}

static bool say_rcpt(struct client *c)
{
    const struct address *a = c->opts.recipient;

    limits_use_rcpt(&c->limits, a->domain);
    return say(c, "RCPT TO:<%s@%s>", a->local, a->domain);
}

static void say_mail(struct client *c)
{
    c->rcpt_said = false;
    c->mail_utf8 = needs_smtputf8(c);
    limits_use_mail(&c->limits);
    if (!say(c, "MAIL FROM:<%s>%s", c->opts.sender, c->mail_utf8 ? " SMTPUTF8" : ""))
        return;
    if ((c->keywords & KEYWORD_PIPELINING) != 0)
        c->rcpt_said = say_rcpt(c);
}

static void enter_mail(struct client *c)
{
    if (!c->mail_said)
        say_mail(c);
    c->mail_said = false;
}

static void enter_rcpt(struct client *c)
{
    if (!c->rcpt_said)
        say_rcpt(c);
    c->rcpt_said = false;
}

static void enter_rset(struct client *c)
{
    say(c, "RSET");
    c->mail_said = (c->keywords & KEYWORD_PIPELINING) != 0;
    if (c->mail_said)
        say_mail(c);
}

/* What was not taken by now is not sent, and what was half heard is not waited for. */
static void enter_quit(struct client *c)
{
    c->out_len = 0;
    c->early = false;
    say(c, "QUIT");
}

/* Listening */

/*
 * RFC 3207 section 4: 530 wants STARTTLS first. It is tried once, even unadvertised; the 530 is
 * kept as the outcome for a server that then refuses it.
 */
static bool wants_tls(struct client *c, const struct smtp_reply *r)
{
    if (r->code != 530 || !c->opts.starttls || c->tls_asked)
        return false;
    new_outcome(c, SMTP_FAILURE_NONE)->reply = *r;
    c->has_outcome = false;
    return true;
}

/* What the envelope needs is there, or that was it. */
static bool can_be_said(struct client *c)
{
    if (!needs_smtputf8(c) || (c->keywords & KEYWORD_SMTPUTF8) != 0)
        return true;
    fail(c, SMTP_FAILURE_SMTPUTF8, "SMTPUTF8 not offered");
    c->outcome.stage = SMTP_STAGE_EHLO;
    enter(c, CLIENT_QUIT);
    return false;
}

static void envelope(struct client *c)
{
    if (can_be_said(c))
        enter(c, CLIENT_MAIL);
}

/* EHLO or HELO was accepted: TLS or the envelope. */
static void greeted(struct client *c)
{
    bool offered = (c->keywords & KEYWORD_STARTTLS) != 0;

    if (c->opts.starttls && offered && !c->tls_asked) {
        enter(c, CLIENT_STARTTLS);
    } else if (c->opts.tls_required && !c->secured) {
        fail(c, SMTP_FAILURE_TLS, "STARTTLS not offered");
        c->outcome.stage = SMTP_STAGE_STARTTLS;
        enter(c, CLIENT_QUIT);
    } else {
        envelope(c);
    }
}

/* RFC 5321 section 4.3.2: 220 and nothing else welcomes. */
static void greeting_reply(struct client *c, const struct smtp_reply *r)
{
    str_printable(c->outcome.greeting, sizeof(c->outcome.greeting), r->text, strlen(r->text));
    if (r->code == 220)
        enter(c, CLIENT_EHLO);
    else
        conclude(c, r);
}

/*
 * RFC 5321 section 4.3.2: 250, no other 2yz. A second greeting taken for it would have every later
 * reply read as that to the next command.
 */
static void ehlo_reply(struct client *c, const struct smtp_reply *r)
{
    if (r->code == 250)
        greeted(c);
    else if (r->code / 100 == 2)
        broken(c, "EHLO not answered with 250");
    else if (!c->opts.lmtp && (r->code == 500 || r->code == 502 || r->code == 504))
        enter(c, CLIENT_HELO);
    else if (wants_tls(c, r))
        enter(c, CLIENT_STARTTLS);
    else
        conclude(c, r);
}

static void helo_reply(struct client *c, const struct smtp_reply *r)
{
    if (r->code == 250)
        greeted(c);
    else if (r->code / 100 == 2)
        broken(c, "HELO not answered with 250");
    else if (wants_tls(c, r))
        enter(c, CLIENT_STARTTLS);
    else
        conclude(c, r);
}

/* Only 220 starts TLS. Refused, an opportunistic client goes on without (RFC 3207 section 4.1). */
static void starttls_reply(struct client *c, const struct smtp_reply *r)
{
    if (r->code == 220) {
        enter(c, CLIENT_TLS);
    } else if (r->code < 400 || c->opts.tls_required) {
        conclude(c, r);
    } else if (c->outcome.reply.code == 530) {
        c->has_outcome = true;
        enter(c, CLIENT_QUIT);
    } else {
        c->outcome.tls_failed = true;
        envelope(c);
    }
}

/* Where RCPT was said too its reply is on the way, and nothing is said before it came. */
static void mail_reply(struct client *c, const struct smtp_reply *r)
{
    if (c->has_outcome || r->code / 100 == 2) {
        enter(c, CLIENT_RCPT);
    } else if (wants_tls(c, r)) {
        c->tls_due = c->rcpt_said;
        enter(c, c->rcpt_said ? CLIENT_RCPT : CLIENT_STARTTLS);
    } else if (c->rcpt_said) {
        new_outcome(c, SMTP_FAILURE_NONE)->reply = *r;
        enter(c, CLIENT_RCPT);
    } else {
        conclude(c, r);
    }
}

static void rcpt_reply(struct client *c, const struct smtp_reply *r)
{
    if (c->has_outcome) {
        enter(c, CLIENT_QUIT);
    } else if (c->tls_due || wants_tls(c, r)) {
        enter(c, CLIENT_STARTTLS);
    } else if (r->code / 100 != 3) {
        new_outcome(c, SMTP_FAILURE_NONE)->reply = *r;
        enter(c, CLIENT_READY);
    } else {
        conclude(c, r);
    }
}

/* RFC 5321 section 4.1.1.5: nothing but 250 is to be expected. */
static void rset_reply(struct client *c, const struct smtp_reply *r)
{
    if (r->code != 250)
        new_outcome(c, SMTP_FAILURE_NONE)->reply = *r;
    if (c->mail_said || !c->has_outcome)
        enter(c, CLIENT_MAIL);
    else
        enter(c, CLIENT_QUIT);
}

static void quit_reply(struct client *c, const struct smtp_reply *r)
{
    if (is_bye(r) && !c->early)
        enter(c, CLIENT_CLOSED);
}

static const struct behaviour behaviours[CLIENT_STATE_COUNT] = {
    [CLIENT_GREETING] = {NULL, greeting_reply},
    [CLIENT_EHLO] = {enter_ehlo, ehlo_reply},
    [CLIENT_HELO] = {enter_helo, helo_reply},
    [CLIENT_STARTTLS] = {enter_starttls, starttls_reply},
    [CLIENT_MAIL] = {enter_mail, mail_reply},
    [CLIENT_RCPT] = {enter_rcpt, rcpt_reply},
    [CLIENT_RSET] = {enter_rset, rset_reply},
    [CLIENT_QUIT] = {enter_quit, quit_reply},
};

/* 421 may come at any time and in answer to anything (RFC 5321 section 3.8). */
static void hear_reply(struct client *c, const struct smtp_reply *r)
{
    if (r->code == 421 && !c->has_outcome)
        conclude(c, r);
    else
        behaviours[c->state].reply(c, r);
}

/* Nothing was asked: the server takes its leave, or the outcome is in doubt. */
static void hear_unasked(struct client *c, const struct smtp_reply *r, enum reply_event event)
{
    bool leaving = event != REPLY_BAD && is_bye(r);

    if (leaving && event != REPLY_END)
        return;
    if (!leaving)
        doubt(c);
    enter(c, CLIENT_QUIT);
}

static void hear_line(struct client *c, const struct reply_parser *p, enum reply_event event)
{
    const struct smtp_reply *r = &p->reply;

    if (c->opts.on_trace != NULL)
        c->opts.on_trace(c->opts.arg, '<', p->line);
    if (c->state == CLIENT_READY) {
        hear_unasked(c, r, event);
        return;
    }
    if (event == REPLY_BAD) {
        if (c->state != CLIENT_QUIT)
            broken(c, p->error);
        return;
    }
    if (c->early && c->state != CLIENT_QUIT && r->code != 421) {
        broken(c, "reply before its command");
        return;
    }
    if (c->state == CLIENT_EHLO && r->code / 100 == 2 && r->lines > 1)
        keywords_learn(&c->keywords, &c->limits, reply_parser_text(p));
    if (event == REPLY_END)
        hear_reply(c, r);
}

/* False where the state has no use for bytes: they are not looked at. */
static bool may_hear(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return false;
    if (c->state == CLIENT_TLS) {
        client_injected(c);
        return false;
    }
    c->early = c->early || c->out_len > 0 || c->state == CLIENT_READY;
    return true;
}

static void forget_reply(struct client *c)
{
    free(c->parser);
    c->parser = NULL;
}

static void keep_parser(struct client *c, const struct reply_parser *p, enum reply_event last)
{
    bool half = c->state != CLIENT_CLOSED && (last == REPLY_MORE || last == REPLY_LINE);

    if (half && c->parser == NULL) {
        c->parser = malloc(sizeof(*c->parser));
        if (has_memory(c, c->parser))
            *c->parser = *p;
    } else if (!half) {
        forget_reply(c);
    }
}

static void hear(struct client *c, struct reply_parser *p, const char *data, size_t len)
{
    enum reply_event event = REPLY_END;

    while (len > 0 && may_hear(c)) {
        bool quitting = c->state == CLIENT_QUIT;
        size_t used;

        event = reply_parser_feed(p, data, len, &used);
        data += used;
        len -= used;
        if (event != REPLY_MORE)
            hear_line(c, p, event);
        if (event == REPLY_END || event == REPLY_BAD)
            c->early = false;
        if (!quitting && c->state == CLIENT_QUIT) { /* what is half heard is not waited for */
            reply_parser_init(p);
            event = REPLY_END;
        }
        c->quit_heard += quitting ? used : 0;
        if (c->quit_heard > QUIT_HEARD_MAX && c->state == CLIENT_QUIT)
            enter(c, CLIENT_CLOSED);
    }
    keep_parser(c, p, event);
}

void client_receive(struct client *c, const char *data, size_t len)
{
    struct reply_parser fresh;

    assert(c->state != CLIENT_CONNECT);
    if (c->parser == NULL)
        reply_parser_init(&fresh);
    hear(c, c->parser != NULL ? c->parser : &fresh, data, len);
}

void client_init(struct client *c, const struct client_opts *opts)
{
    *c = (struct client){.opts = *opts, .state = CLIENT_CONNECT};
}

void client_connected(struct client *c)
{
    assert(c->state == CLIENT_CONNECT);
    enter(c, CLIENT_GREETING);
}

void client_secured(struct client *c, const char *version)
{
    assert(c->state == CLIENT_TLS);
    c->secured = true;
    str_copy(c->outcome.tls, sizeof(c->outcome.tls), version);
    enter(c, CLIENT_EHLO);
}

bool client_takes(const struct client *c, const char *domain, bool new_transaction)
{
    return c->state == CLIENT_READY && !c->early &&
           limits_allow(&c->limits, domain, new_transaction);
}

void client_ask(struct client *c, const char *sender, const struct address *recipient,
                bool new_transaction)
{
    assert(c->state == CLIENT_READY);
    c->opts.recipient = recipient;
    if (new_transaction)
        c->opts.sender = sender;
    c->has_outcome = false;
    if (can_be_said(c))
        enter(c, new_transaction ? CLIENT_RSET : CLIENT_RCPT);
}

void client_quit(struct client *c)
{
    assert(c->state == CLIENT_READY);
    enter(c, CLIENT_QUIT);
    forget_reply(c);
}

void client_injected(struct client *c)
{
    assert(c->state == CLIENT_TLS);
    fail(c, SMTP_FAILURE_PROTOCOL, "plaintext after STARTTLS");
    c->outcome.stage = SMTP_STAGE_STARTTLS;
    enter(c, CLIENT_CLOSED);
}

void client_lost(struct client *c, enum smtp_failure failure, const char *detail)
{
    if (c->state == CLIENT_CLOSED)
        return;
    fail(c, failure, detail);
    c->out_len = 0;
    enter(c, CLIENT_CLOSED);
    forget_reply(c);
}

/*
 * Also a server that has not greeted gets its QUIT: RFC 5321 section 4.1.1.10 lets no client close
 * without.
 */
void client_timeout(struct client *c, const char *detail)
{
    switch (c->state) {
    case CLIENT_CONNECT:
    case CLIENT_TLS:
    case CLIENT_QUIT:
    case CLIENT_CLOSED:
        client_lost(c, SMTP_FAILURE_TIMEOUT, detail);
        break;
    default:
        fail(c, SMTP_FAILURE_TIMEOUT, detail);
        enter(c, CLIENT_QUIT);
        forget_reply(c);
    }
}

static void trace_said(const struct client *c)
{
    char line[CLIENT_COMMAND_MAX];

    for (size_t at = 0, n; at < c->out_len; at += n + 2) {
        n = (size_t)((const char *)memchr(c->out + at, '\r', c->out_len - at) - (c->out + at));
        str_copyn(line, sizeof(line), c->out + at, n);
        c->opts.on_trace(c->opts.arg, '>', line);
    }
}

size_t client_take(struct client *c, char out[CLIENT_OUT_MAX])
{
    size_t n = c->out_len;

    if (c->opts.on_trace != NULL)
        trace_said(c);
    if (n > 0)
        memcpy(out, c->out, n);
    free(c->out);
    c->out = NULL;
    c->out_len = 0;
    return n;
}
