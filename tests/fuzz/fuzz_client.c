/*
 * smtp/client: any server, any order of events. The input's first byte chooses the options; the
 * rest is cut at '|' into what arrives at once. "!c", "!s", "!e", "!d" alone are the events
 * connected, secured, end of the connection, deadline; "!a", "!n", "!q" what is wanted after an
 * answer: another recipient, one in a new transaction, no more; "!t", "!u" one in a new transaction
 * as somebody else, if the limits allow it, and the same for one that needs SMTPUTF8.
 */
#include <stdlib.h>
#include <string.h>

#include "smtp/client.h"
#include "fuzz.h"

struct watch {
    struct client c;
    struct outcome first; /* the outcome once it was out */
    bool out;
    bool quit_said;
    unsigned mails, rcpts, starttls, asked, rsets;
};

static void on_state(void *arg, enum client_state from, enum client_state to)
{
    struct watch *w = arg;

    REQUIRE(from != CLIENT_CLOSED && to != from && w->c.state == to);
    REQUIRE(to != CLIENT_CLOSED || w->c.has_outcome);
    REQUIRE(to != CLIENT_QUIT || w->c.has_outcome);
}

static void on_trace(void *arg, char dir, const char *line)
{
    (void)arg;
    REQUIRE(dir == '<' || dir == '>');
    for (; *line != '\0'; line++)
        REQUIRE((unsigned char)*line >= 0x20 && *line != 0x7f);
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* One command; after QUIT nothing is said. */
static void check_command(struct watch *w, const char *s)
{
    REQUIRE(!w->quit_said);
    if (starts(s, "QUIT\r\n"))
        w->quit_said = true;
    else if (starts(s, "MAIL FROM:<"))
        w->mails++;
    else if (starts(s, "RCPT TO:<u@d.example>\r\n") ||
             starts(s, "RCPT TO:<\xc3\xbc@d.example>\r\n"))
        REQUIRE(++w->rcpts <= w->mails);
    else if (starts(s, "RCPT TO:<v@d.example>\r\n") ||
             starts(s, "RCPT TO:<\xc3\xb6@e.example>\r\n"))
        REQUIRE(w->asked > 0 && w->rcpts > 0);
    else if (starts(s, "RSET\r\n"))
        REQUIRE(++w->rsets <= w->asked);
    else if (starts(s, "STARTTLS\r\n"))
        REQUIRE(++w->starttls == 1);
    else
        REQUIRE(starts(s, "EHLO me.example\r\n") || starts(s, "HELO me.example\r\n"));
}

static void take(struct watch *w)
{
    char out[CLIENT_OUT_MAX + 1];
    size_t n = client_take(&w->c, out);

    REQUIRE(n <= CLIENT_OUT_MAX);
    out[n] = '\0';
    for (char *s = out; *s != '\0';) {
        char *end = strstr(s, "\r\n");

        REQUIRE(end != NULL);
        check_command(w, s);
        s = end + 2;
    }
    REQUIRE(w->mails <= 2 + w->rsets && w->mails <= w->c.limits.mails);
}

/* To commands of the same write, of which one was refused. */
static bool waits_for_replies(const struct client *c)
{
    return c->state == CLIENT_RCPT || (c->state == CLIENT_MAIL && c->rcpt_said);
}

/* Once it is out, the outcome stays. */
static void check_outcome(struct watch *w)
{
    const struct outcome *o = &w->c.outcome;

    REQUIRE(w->c.has_outcome == (w->c.state == CLIENT_QUIT || w->c.state == CLIENT_CLOSED ||
                                 w->c.state == CLIENT_READY ||
                                 (waits_for_replies(&w->c) && w->c.has_outcome)));
    if (!w->c.has_outcome)
        return;
    REQUIRE((o->failure == SMTP_FAILURE_NONE) == (o->reply.code != 0));
    REQUIRE(o->stage != SMTP_STAGE_QUIT);
    if (w->out)
        REQUIRE(memcmp(o, &w->first, sizeof(*o)) == 0);
    w->first = *o;
    w->out = w->c.state != CLIENT_READY; /* there it may yet turn out to be doubtful */
    /* A verdict about the recipient takes an answer to RCPT; only a 421 may come before it. */
    REQUIRE(o->stage != SMTP_STAGE_RCPT || o->failure != SMTP_FAILURE_NONE || w->rcpts > 0 ||
            o->reply.code == 421);
    if (o->stage == SMTP_STAGE_RCPT && w->c.opts.tls_required)
        REQUIRE(w->c.secured);
    REQUIRE(w->mails == 0 || !w->c.opts.tls_required || w->c.secured);
}

static void receive(struct watch *w, const char *data, size_t len)
{
    char *own;

    if (w->c.state == CLIENT_CONNECT || len == 0)
        return;
    own = malloc(len);
    REQUIRE(own != NULL);
    memcpy(own, data, len);
    client_receive(&w->c, own, len);
    free(own);
}

static void want_if_it_takes(struct watch *w, const struct address *recipient)
{
    const struct limits *l = &w->c.limits;

    if (!client_takes(&w->c, recipient->domain, true))
        return;
    w->asked++;
    client_ask(&w->c, "t@me.example", recipient, true);
    /* Without PIPELINING MAIL follows RSET. */
    REQUIRE(l->mail_max == 0 || l->mails + (w->c.mail_said ? 0 : 1) <= l->mail_max ||
            w->c.state == CLIENT_QUIT);
}

static void want(struct watch *w, char event)
{
    static const struct address other = {.local = "v", .domain = "d.example"};
    static const struct address utf8 = {
        .local = "\xc3\xb6", .domain = "e.example", .smtputf8 = true};

    if (w->c.state != CLIENT_READY)
        return;
    if (event == 'q') {
        client_quit(&w->c);
    } else if (event == 't' || event == 'u') {
        want_if_it_takes(w, event == 't' ? &other : &utf8);
    } else {
        w->asked++;
        client_ask(&w->c, w->c.opts.sender, &other, event == 'n');
    }
}

static void happen(struct watch *w, const char *data, size_t len)
{
    char event = len == 2 && data[0] == '!' ? data[1] : '\0';

    if (event == 'c' && w->c.state == CLIENT_CONNECT)
        client_connected(&w->c);
    else if (event == 's' && w->c.state == CLIENT_TLS)
        client_secured(&w->c, "TLSv1.3");
    else if (event == 'e')
        client_lost(&w->c, SMTP_FAILURE_CLOSED, "");
    else if (event == 'd')
        client_timeout(&w->c, "");
    else if (event != '\0' && strchr("anqtu", event) != NULL)
        want(w, event);
    else
        receive(w, data, len);
    take(w);
    check_outcome(w);
}

static void init(struct watch *w, uint8_t choice)
{
    static const struct address plain = {.local = "u", .domain = "d.example"};
    static const struct address utf8 = {
        .local = "\xc3\xbc", .domain = "d.example", .smtputf8 = true};
    const struct client_opts opts = {
        .helo_name = "me.example",
        .sender = (choice & 8) != 0 ? "s@me.example" : "",
        .recipient = (choice & 4) != 0 ? &utf8 : &plain,
        .starttls = (choice & 3) != 0,
        .tls_required = (choice & 2) != 0,
        .on_state = on_state,
        .on_trace = on_trace,
        .arg = w,
    };

    memset(w, 0, sizeof(*w));
    client_init(&w->c, &opts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct watch w;
    const char *at = (const char *)data + 1, *end = (const char *)data + size;

    if (size == 0)
        return 0;
    init(&w, data[0]);
    while (at < end) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        size_t len = (size_t)((bar != NULL ? bar : end) - at);

        happen(&w, at, len);
        at += len + (bar != NULL ? 1 : 0);
    }
    /* Whatever happened: two deadlines, and it is over. */
    happen(&w, "!d", 2);
    happen(&w, "!d", 2);
    REQUIRE(w.c.state == CLIENT_CLOSED && w.c.has_outcome);
    return 0;
}
