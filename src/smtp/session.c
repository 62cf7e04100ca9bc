#include "smtp/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "smtp/client.h"
#include "smtp/connection.h"
#include "smtp/dial.h"

struct session {
    struct loop *loop;
    struct session_opts opts;
    struct tls_context *tls;             /* borrowed */
    const struct session_target *target; /* the preferred one; then the one connected to */
    struct session_handler handler;
    char *sender;
    struct address recipient;
    int64_t deadline;         /* up to the outcome */
    struct loop_timer *timer; /* of the present state; armed as long as the session lives */
    struct dial *dial;        /* in CLIENT_CONNECT */
    struct connection *conn;  /* NULL before and after */
    bool tls_afresh;          /* the connection is another one, for a whole handshake */
    bool tls_given_up;        /* it is another one, in plaintext */
    bool tls_started;         /* on the present connection */
    bool unwanted;            /* session_quit() */
    bool traced;              /* on_trace is called */
    bool reported;            /* on_outcome was called ... */
    bool reporting;           /* ... and has not returned */
    bool answered;            /* not for the first time */
    bool next_wanted;         /* session_ask() was called, for `recipient` ... */
    bool next_transaction;    /* ... in a transaction of its own */
    bool kept;                /* session_keep() was called ... */
    int64_t idle_ms;          /* ... for so long */
    struct client client;
};

static void step(struct session *s);

static enum tls_mode tls_mode(const struct session *s)
{
    return s->target->no_tls ? TLS_NONE : s->opts.tls;
}

__attribute__((format(printf, 2, 3))) static void remark(struct session *s, const char *fmt, ...)
{
    char line[256];
    va_list ap;

    if (!s->traced)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
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
    case CLIENT_READY:
        return s->idle_ms;
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
 * longer than one that comes at once. In CLIENT_CONNECT each address has its time. Before the
 * outcome the session's deadline counts too; after it nothing but being kept lasts longer than QUIT
 * may.
 */
static void arm(struct session *s)
{
    int64_t ms = state_ms(s);

    if (s->unwanted && (!s->client.has_outcome || s->client.state == CLIENT_READY))
        ms = 0;
    else if (!s->client.has_outcome)
        ms = least(ms, s->deadline - clock_mono_ms());
    else if (s->client.state != CLIENT_READY)
        ms = least(ms, s->opts.quit_ms);
    loop_timer_arm(s->timer, ms);
}

static void on_timer(void *arg)
{
    struct session *s = arg;

    if (s->client.has_outcome && !s->reported) {
        arm(s); /* the question could not even be asked */
    } else if (s->unwanted) {
        client_timeout(&s->client, "no longer wanted");
    } else if (!s->client.has_outcome && clock_mono_ms() >= s->deadline) {
        client_timeout(&s->client, "the session's time is up");
    } else if (s->dial != NULL) {
        dial_time_is_up(s->dial);
        return;
    } else {
        client_timeout(&s->client, "");
    }
    step(s);
}

/* From the client */

static void on_state(void *arg, enum client_state from, enum client_state to)
{
    struct session *s = arg;

    log_debug("smtp session with %s: %s -> %s", s->target->name, client_state_name(from),
              client_state_name(to));
    arm(s);
}

static void on_trace(void *arg, char dir, const char *line)
{
    struct session *s = arg;

    s->handler.on_trace(s->handler.arg, dir, line);
}

/* As it is to speak to the target. */
static void init_client(struct session *s)
{
    const enum tls_mode tls = tls_mode(s);
    const struct client_opts opts = {
        .helo_name = s->opts.helo_name,
        .sender = s->sender,
        .recipient = &s->recipient,
        .starttls = tls != TLS_NONE && !s->tls_given_up,
        .tls_required = tls >= TLS_ENCRYPT,
        .lmtp = s->opts.lmtp,
        .on_state = on_state,
        .on_trace = s->traced ? on_trace : NULL,
        .arg = s,
    };

    client_init(&s->client, &opts);
}

/* From the connection */

static void on_data(void *arg, const char *data, size_t len)
{
    struct session *s = arg;

    client_receive(&s->client, data, len);
    step(s);
}

static void on_secured(void *arg, const char *version)
{
    struct session *s = arg;

    remark(s, "secured with %s%s", version, connection_resumes_tls(s->conn) ? ", resumed" : "");
    client_secured(&s->client, version);
    step(s);
}

static void on_lost(void *arg, enum smtp_failure failure, const char *detail)
{
    struct session *s = arg;

    client_lost(&s->client, failure, detail);
    step(s);
}

/* From the race for an address; after a failed handshake it was told of that before */

static void on_attempt(void *arg)
{
    arm(arg);
}

static void tell_address(struct session *s, size_t index, enum session_address what,
                         enum smtp_failure how)
{
    if (s->handler.on_address != NULL && !s->tls_given_up && !s->tls_afresh)
        s->handler.on_address(s->handler.arg, index, what, how);
}

static void on_address_failed(void *arg, size_t index, enum smtp_failure how)
{
    tell_address(arg, index, SESSION_ADDRESS_FAILED, how);
}

static void on_address_late(void *arg, size_t index)
{
    tell_address(arg, index, SESSION_ADDRESS_LATE, SMTP_FAILURE_NONE);
}

static void remark_connected(struct session *s)
{
    char ip[NETADDR_TEXT_MAX];

    if (s->target->path != NULL)
        remark(s, "connected to %s", s->target->path);
    else if (s->traced)
        remark(s, "connected to %s port %u", netaddr_format(&s->target->ip, ip),
               (unsigned)s->target->port);
}

static void on_connected(void *arg, size_t index, const struct session_target *target, int fd)
{
    struct session *s = arg;
    const struct connection_handler handler = {on_data, on_secured, on_lost, s};

    s->dial = NULL;
    s->target = target;
    tell_address(s, index, SESSION_ADDRESS_CONNECTED, SMTP_FAILURE_NONE);
    remark_connected(s);
    init_client(s);
    s->conn = connection_open(s->loop, fd, &handler);
    if (s->conn != NULL)
        client_connected(&s->client);
    else
        client_lost(&s->client, SMTP_FAILURE_LOCAL, "out of memory");
    step(s);
}

static void on_not_connected(void *arg, enum smtp_failure how, const char *detail)
{
    struct session *s = arg;

    s->dial = NULL;
    client_lost(&s->client, how, detail);
    step(s);
}

/* What a step is made of */

static void begin(struct session *s, const struct session_target *targets, size_t count)
{
    const struct dial_handler handler = {on_attempt,   on_address_failed, on_address_late,
                                         on_connected, on_not_connected,  s};

    s->tls_started = false;
    init_client(s);
    arm(s);
    s->dial = dial_start(s->loop, targets, count, &handler);
    if (s->dial == NULL)
        client_lost(&s->client, SMTP_FAILURE_LOCAL, "out of memory");
}

static bool tls_failed(const struct session *s)
{
    const struct outcome *o = &s->client.outcome;

    return o->failure == SMTP_FAILURE_TLS ||
           (o->stage == SMTP_STAGE_TLS && o->failure == SMTP_FAILURE_TIMEOUT);
}

/* What an earlier session left us does not work any more: that is no word about TLS. */
static bool may_shake_afresh(const struct session *s)
{
    return tls_failed(s) && !s->tls_afresh && connection_resumes_tls(s->conn);
}

/*
 * Opportunistic TLS that failed is followed by a connection without it. Not after injected
 * plaintext: whoever could do that is not to be rewarded with more of it.
 */
static bool may_go_without(const struct session *s)
{
    return tls_mode(s) == TLS_MAY && tls_failed(s);
}

static bool falls_back(const struct session *s)
{
    if (!s->tls_started || s->tls_given_up || s->unwanted)
        return false;
    if (s->client.state != CLIENT_CLOSED || s->reported || s->answered ||
        clock_mono_ms() >= s->deadline)
        return false;
    return may_shake_afresh(s) || may_go_without(s);
}

static void fall_back(struct session *s)
{
    const struct outcome *o = &s->client.outcome;
    bool afresh = may_shake_afresh(s);

    remark(s, "TLS failed (%s); a new connection %s",
           o->detail[0] != '\0' ? o->detail : smtp_failure_name(o->failure),
           afresh ? "for a whole handshake" : "without it");
    connection_close(&s->conn);
    s->tls_afresh = s->tls_afresh || afresh;
    s->tls_given_up = !afresh;
    begin(s, s->target, 1);
}

/* An MX called by its address has no name to be asked for (RFC 6066 section 3). */
static const char *tls_name(const struct session_target *t)
{
    struct netaddr ip;

    return netaddr_parse(t->name, &ip) ? "" : t->name;
}

static void start_tls(struct session *s)
{
    const struct tls_peer peer = {tls_name(s->target), &s->target->ip, s->target->port,
                                  s->opts.tls == TLS_VERIFY};
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
    o->reused = s->answered;
    s->reported = s->reporting = true;
    s->handler.on_outcome(s->handler.arg, o);
    s->reporting = false;
}

static void ask(struct session *s)
{
    s->next_wanted = s->kept = s->reported = false;
    s->answered = true;
    client_ask(&s->client, s->sender, &s->recipient, s->next_transaction);
}

/* What the owner wants after an answer: another recipient, to wait for one, or no more. */
static void go_on(struct session *s)
{
    if (s->next_wanted)
        ask(s);
    else if (!s->kept || s->unwanted)
        client_quit(&s->client);
}

static void end(struct session *s)
{
    dial_close(&s->dial);
    connection_close(&s->conn);
    loop_timer_free(&s->timer);
    s->handler.on_closed(s->handler.arg);
    free(s->sender);
    free(s);
}

/* After everything that happened, once; `s` may be gone when it returns. */
static void step(struct session *s)
{
    bool due;

    if (s->client.state == CLIENT_TLS && !s->tls_started)
        start_tls(s);
    if (falls_back(s))
        fall_back(s);
    do {
        send_out(s);
        due = s->client.has_outcome && !s->reported;
        if (due)
            report(s);
        if (due && s->client.state == CLIENT_READY)
            go_on(s);
    } while (due);
    assert(loop_timer_armed(s->timer) || s->client.state == CLIENT_CLOSED);
    if (s->client.state == CLIENT_CLOSED)
        end(s);
}

/* The owner's side */

/* False when out of memory. */
static bool take_job(struct session *s, const struct session_job *job, bool new_transaction)
{
    if (new_transaction && (s->sender == NULL || strcmp(s->sender, job->sender) != 0)) {
        char *sender = strdup(job->sender);

        if (sender == NULL)
            return false;
        free(s->sender);
        s->client.opts.sender = s->sender = sender;
    }
    s->recipient = *job->recipient;
    s->deadline = job->deadline;
    return true;
}

struct session *session_start(struct loop *loop, const struct session_opts *opts,
                              struct tls_context *tls, const struct session_target *targets,
                              size_t count, const struct session_job *job,
                              const struct session_handler *handler)
{
    struct session *s = calloc(1, sizeof(*s));

    assert(tls != NULL || opts->tls == TLS_NONE);
    assert(count >= 1 && count <= SESSION_TARGETS_MAX);
    if (s == NULL)
        return NULL;
    s->timer = loop_timer_new(loop, on_timer, s);
    if (s->timer == NULL || !take_job(s, job, true)) {
        loop_timer_free(&s->timer);
        free(s);
        return NULL;
    }
    s->loop = loop;
    s->opts = *opts;
    s->tls = tls;
    s->target = &targets[0];
    s->handler = *handler;
    s->traced = handler->on_trace != NULL;
    begin(s, targets, count);
    return s;
}

/* Between an answer and the next question. */
static bool is_idle(const struct session *s)
{
    return s->client.state == CLIENT_READY && !s->unwanted && !s->next_wanted;
}

bool session_takes(const struct session *s, const char *domain, bool new_transaction)
{
    return is_idle(s) && client_takes(&s->client, domain, new_transaction) &&
           connection_is_quiet(s->conn);
}

bool session_ask(struct session *s, const struct session_job *job, bool new_transaction)
{
    if (!session_takes(s, job->recipient->domain, new_transaction))
        return false;
    if (!new_transaction && job->recipient->smtputf8 && !s->client.mail_utf8)
        return false;
    if (!take_job(s, job, new_transaction))
        return false;
    s->next_transaction = new_transaction;
    s->next_wanted = true;
    if (s->reporting)
        return true;
    ask(s);
    send_out(s);
    if (s->client.has_outcome)
        loop_timer_arm(s->timer, 0);
    return true;
}

bool session_keep(struct session *s, int64_t idle_ms)
{
    if (!is_idle(s))
        return false;
    s->kept = true;
    s->idle_ms = idle_ms;
    arm(s);
    return true;
}

void session_trace(struct session *s, bool wanted)
{
    s->traced = wanted && s->handler.on_trace != NULL;
    s->client.opts.on_trace = s->traced ? on_trace : NULL;
}

const char *session_helo_name(const struct session *s)
{
    return s->opts.helo_name;
}

void session_quit(struct session *s)
{
    s->next_wanted = false;
    if (s->client.has_outcome && s->client.state != CLIENT_READY)
        return; /* QUIT was said, or is once RCPT is answered; nothing is waited for any longer */
    s->unwanted = true;
    if (!s->reporting) /* else QUIT is next */
        arm(s);
}
