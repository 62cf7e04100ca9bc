#include "smtp/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "smtp/client.h"
#include "smtp/connection.h"

struct session {
    struct loop *loop;
    struct session_opts opts;
    struct tls_context *tls; /* borrowed */
    struct session_target target;
    struct session_handler handler;
    char sender[ADDRESS_TEXT_SIZE];
    struct address recipient;
    int64_t deadline;         /* up to the outcome */
    struct loop_timer *timer; /* of the present state; armed as long as the session lives */
    struct connection *conn;  /* NULL before and after */
    bool tls_given_up;        /* the connection is the second, in plaintext */
    bool tls_started;         /* on the present connection */
    bool unwanted;            /* session_quit() */
    bool reported;            /* on_outcome was called */
    bool answered;            /* not for the first time */
    bool next_wanted;         /* session_ask() was called, for `recipient` ... */
    bool next_transaction;    /* ... in a transaction of its own */
    struct client client;
};

static void step(struct session *s);

static void remark(struct session *s, const char *line)
{
    if (s->handler.on_trace != NULL)
        s->handler.on_trace(s->handler.arg, '*', line);
}

/* Deadlines */

static int64_t state_ms(const struct session *s)
{
    switch (s->client.state) {
    case CLIENT_CONNECT:
        return s->opts.connect_ms;
    case CLIENT_GREETING:
        return s->opts.greeting_ms;
    case CLIENT_TLS:
        return s->opts.tls_ms;
    case CLIENT_QUIT:
        return s->opts.quit_ms;
    case CLIENT_CLOSED:
        return 0;
    default:
        return s->opts.command_ms;
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/*
 * Armed once a state, and each state awaits one thing: a reply that comes a byte a second has no
 * longer than one that comes at once. Before the outcome the session's deadline counts too; after
 * it nothing lasts longer than QUIT may.
 */
static void arm(struct session *s)
{
    int64_t ms = state_ms(s);

    if (s->client.has_outcome)
        ms = least(ms, s->opts.quit_ms);
    else if (s->unwanted)
        ms = 0;
    else
        ms = least(ms, s->deadline - clock_mono_ms());
    loop_timer_arm(s->timer, ms);
}

static void on_timer(void *arg)
{
    struct session *s = arg;

    if (s->unwanted)
        client_timeout(&s->client, "no longer wanted");
    else if (clock_mono_ms() >= s->deadline)
        client_timeout(&s->client, "the session's time is up");
    else
        client_timeout(&s->client, "");
    step(s);
}

/* From the client */

static void on_state(void *arg, enum client_state from, enum client_state to)
{
    struct session *s = arg;

    log_debug("smtp session with %s: %s -> %s", s->target.name, client_state_name(from),
              client_state_name(to));
    arm(s);
}

static void on_trace(void *arg, char dir, const char *line)
{
    struct session *s = arg;

    s->handler.on_trace(s->handler.arg, dir, line);
}

/* From the connection */

static void on_connected(void *arg)
{
    struct session *s = arg;
    char ip[NETADDR_TEXT_MAX], line[128];

    if (s->target.path[0] != '\0')
        str_format(line, sizeof(line), "connected to %s", s->target.path);
    else
        str_format(line, sizeof(line), "connected to %s port %u", netaddr_format(&s->target.ip, ip),
                   (unsigned)s->target.port);
    remark(s, line);
    client_connected(&s->client);
    step(s);
}

static void on_data(void *arg, const char *data, size_t len)
{
    struct session *s = arg;

    client_receive(&s->client, data, len);
    step(s);
}

static void on_secured(void *arg, const char *version)
{
    struct session *s = arg;
    char line[64];

    str_format(line, sizeof(line), "secured with %s", version);
    remark(s, line);
    client_secured(&s->client, version);
    step(s);
}

static void on_lost(void *arg, enum smtp_failure failure, const char *detail)
{
    struct session *s = arg;

    client_lost(&s->client, failure, detail);
    step(s);
}

/* What a step is made of */

static void cannot_connect(struct session *s, int err)
{
    char text[128];

    client_lost(&s->client, connection_failure(err), strerror_r(err, text, sizeof(text)));
}

/* Where the target is; returns the length of its address. */
static socklen_t target_address(const struct session_target *t, struct sockaddr_storage *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;

    if (t->path[0] == '\0')
        return netaddr_to_sockaddr(&t->ip, t->port, out);
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    (void)str_copy(un->sun_path, sizeof(un->sun_path), t->path);
    return sizeof(*un);
}

static void begin(struct session *s)
{
    struct sockaddr_storage to;
    socklen_t to_len = target_address(&s->target, &to);
    const struct client_opts opts = {
        .helo_name = s->opts.helo_name,
        .sender = s->sender,
        .recipient = &s->recipient,
        .starttls = s->opts.tls != TLS_NONE && !s->tls_given_up,
        .tls_required = s->opts.tls >= TLS_ENCRYPT,
        .lmtp = s->target.lmtp,
        .on_state = on_state,
        .on_trace = s->handler.on_trace != NULL ? on_trace : NULL,
        .arg = s,
    };
    const struct connection_handler handler = {on_connected, on_data, on_secured, on_lost, s};

    client_init(&s->client, &opts);
    arm(s);
    s->conn = connection_open(s->loop, (const struct sockaddr *)&to, to_len, &handler);
    if (s->conn == NULL)
        cannot_connect(s, errno);
}

/*
 * Opportunistic TLS that failed is followed by a connection without it. Not after injected
 * plaintext: whoever could do that is not to be rewarded with more of it.
 */
static bool falls_back(const struct session *s)
{
    const struct outcome *o = &s->client.outcome;

    if (s->opts.tls != TLS_MAY || !s->tls_started || s->tls_given_up || s->unwanted)
        return false;
    if (s->client.state != CLIENT_CLOSED || s->reported || s->answered ||
        clock_mono_ms() >= s->deadline)
        return false;
    return o->failure == SMTP_FAILURE_TLS ||
           (o->stage == SMTP_STAGE_TLS && o->failure == SMTP_FAILURE_TIMEOUT);
}

static void fall_back(struct session *s)
{
    const struct outcome *o = &s->client.outcome;
    char line[256];

    str_format(line, sizeof(line), "TLS failed (%s); a new connection without it",
               o->detail[0] != '\0' ? o->detail : smtp_failure_name(o->failure));
    remark(s, line);
    connection_close(&s->conn);
    s->tls_given_up = true;
    begin(s);
}

/* An MX called by its address has no name to be asked for (RFC 6066 section 3). */
static const char *tls_name(const struct session_target *t)
{
    struct netaddr ip;

    return netaddr_parse(t->name, &ip) ? "" : t->name;
}

static void start_tls(struct session *s)
{
    const struct tls_peer peer = {tls_name(&s->target), &s->target.ip, s->opts.tls == TLS_VERIFY};
    enum smtp_failure failure;

    s->tls_started = true;
    failure = connection_start_tls(s->conn, s->tls, &peer);
    if (failure == SMTP_FAILURE_PROTOCOL)
        client_injected(&s->client);
    else if (failure != SMTP_FAILURE_NONE)
        client_lost(&s->client, failure, "out of memory");
}

static void send_out(struct session *s)
{
    char out[CLIENT_OUT_MAX];
    size_t n = client_take(&s->client, out);

    if (n > 0 && !connection_write(s->conn, out, n))
        client_lost(&s->client, SMTP_FAILURE_LOCAL, "out of memory");
}

static void report(struct session *s)
{
    struct outcome *o = &s->client.outcome;

    if (s->tls_given_up)
        o->tls_failed = true;
    s->reported = true;
    s->handler.on_outcome(s->handler.arg, o);
}

/* What the owner wants after an answer: another recipient, or no more. */
static void go_on(struct session *s)
{
    if (s->next_wanted) {
        s->next_wanted = s->reported = false;
        s->answered = true;
        client_ask(&s->client, &s->recipient, s->next_transaction);
    } else {
        client_quit(&s->client);
    }
}

static void end(struct session *s)
{
    connection_close(&s->conn);
    loop_timer_free(&s->timer);
    s->handler.on_closed(s->handler.arg);
    free(s);
}

/* After everything that happened, once; `s` may be gone when it returns. */
static void step(struct session *s)
{
    if (s->client.state == CLIENT_TLS && !s->tls_started)
        start_tls(s);
    if (falls_back(s))
        fall_back(s);
    for (;;) {
        send_out(s);
        if (s->client.has_outcome && !s->reported)
            report(s);
        if (s->client.state != CLIENT_READY)
            break;
        go_on(s);
    }
    assert(loop_timer_armed(s->timer) || s->client.state == CLIENT_CLOSED);
    if (s->client.state == CLIENT_CLOSED)
        end(s);
}

/* The owner's side */

struct session *session_start(struct loop *loop, const struct session_opts *opts,
                              struct tls_context *tls, const struct session_target *target,
                              const char *sender, const struct address *recipient, int64_t deadline,
                              const struct session_handler *handler)
{
    struct session *s = calloc(1, sizeof(*s));

    assert(tls != NULL || opts->tls == TLS_NONE);
    if (s == NULL)
        return NULL;
    s->timer = loop_timer_new(loop, on_timer, s);
    if (s->timer == NULL) {
        free(s);
        return NULL;
    }
    s->loop = loop;
    s->opts = *opts;
    s->tls = tls;
    s->target = *target;
    s->handler = *handler;
    s->recipient = *recipient;
    s->deadline = deadline;
    str_copy(s->sender, sizeof(s->sender), sender);
    begin(s);
    return s;
}

bool session_ask(struct session *s, const struct address *recipient, bool new_transaction)
{
    if (s->client.state != CLIENT_READY || s->unwanted)
        return false;
    s->recipient = *recipient;
    s->next_wanted = true;
    s->next_transaction = new_transaction;
    return true;
}

void session_quit(struct session *s)
{
    s->next_wanted = false;
    if (s->client.has_outcome)
        return; /* QUIT was said, or is once RCPT is answered; nothing is waited for any longer */
    s->unwanted = true;
    arm(s);
}
