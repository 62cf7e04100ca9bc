#include "frontend/policy_service.h"

#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/str.h"
#include "frontend/policy_request.h"
#include "frontend/stream.h"
#include "policy/rcpt.h"

#define LISTENERS_MAX   32
#define ACCEPT_PAUSE_MS 1000  /* after an accept() that failed, e.g. for want of descriptors */
#define OUTPUT_MAX      65536 /* answers a client may leave unread before no more are worked on */
#define INPUT_MAX       (POLICY_REQUEST_MAX + 1) /* a request, or one too long */
#define ANSWER_SIZE     (TEMPLATE_MAX + 64)

struct policy_service {
    struct frontend *fe;
    struct evconnlistener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct loop_timer *resume; /* accepting again after a failure */
    struct connection *connections;
    bool stopping;
    loop_fn on_idle;
    void *idle_arg;
};

/* One client. While `busy`, its request waits for the verifier, and must stay. */
struct connection {
    struct policy_service *service;
    struct stream stream;
    bool busy;
    size_t searched;    /* octets of the input known to hold no empty line */
    size_t request_len; /* of the input, while it is dealt with */
    char peer[NETADDR_TEXT_MAX];
    struct policy_request request; /* in the stream's input */
    struct address address;
    char domain[ADDRESS_DOMAIN_MAX + 2]; /* one that is cut is no domain, either */
    struct rcpt rcpt;
    struct connection *prev, *next;
};

static void check_idle(struct policy_service *ps)
{
    loop_fn fn = ps->on_idle;

    if (!ps->stopping || ps->connections != NULL || fn == NULL)
        return;
    ps->on_idle = NULL;
    fn(ps->idle_arg);
}

static void connection_close(struct connection *c)
{
    struct policy_service *ps = c->service;

    stream_close(&c->stream);
    DL_DELETE(ps->connections, c);
    free(c);
    check_idle(ps);
}

static void send_action(struct connection *c, const struct decision *d)
{
    static const char dunno[] = "action=DUNNO\n\n";
    char answer[ANSWER_SIZE];

    if (d->action == ACTION_ACCEPT) {
        stream_send(&c->stream, dunno, sizeof(dunno) - 1);
        return;
    }
    (void)str_format(answer, sizeof(answer), "action=%u %s %s\n\n", d->code, d->enhanced, d->text);
    stream_send(&c->stream, answer, strlen(answer));
}

/* The request is dealt with. */
static void connection_answer(struct connection *c, const struct decision *d)
{
    c->busy = false;
    send_action(c, d);
    stream_drop(&c->stream, c->request_len);
}

static void connection_pump(struct connection *c);

static void on_decision(void *arg, const struct decision *d)
{
    connection_answer(arg, d);
    connection_pump(arg);
}

/* NULL where the text is no address. */
static const struct address *read_address(const char *text, struct address *out)
{
    const char *why;

    return address_from_internal(text, strlen(text), out, &why) ? out : NULL;
}

static enum path_kind read_sender(const char *text, struct address *out)
{
    if (text[0] == '\0')
        return PATH_NULL;
    return read_address(text, out) != NULL ? PATH_ADDRESS : PATH_BAD;
}

/* What is behind the last @, but for a dot at its end; "" where that is nothing. */
static void recipient_domain(const struct policy_request *rq, char *domain, size_t size)
{
    const char *at = strrchr(rq->recipient, '@');
    size_t len = at != NULL ? strlen(at + 1) : 0;

    if (len > 0 && at[len] == '.')
        len--;
    (void)str_copyn(domain, size, len > 0 ? at + 1 : "", len);
}

static void ask(struct connection *c, const struct address *recipient)
{
    const struct policy_request *rq = &c->request;
    struct frontend *fe = c->service->fe;
    struct rcpt *r = &c->rcpt;
    const struct decision *d;

    r->client = (struct mail_client){rq->sasl_username, rq->ccert_fingerprint, rq->client_address};
    r->queue_id = rq->queue_id;
    r->sender = rq->sender;
    r->read_sender = read_sender;
    r->text = rq->recipient;
    r->address = recipient;
    r->domain = c->domain;
    c->busy = true;
    d = rcpt_decide(r, &fe->rcpt, fe->loop, on_decision, c);
    if (d != NULL)
        connection_answer(c, d);
}

static void connection_serve(struct connection *c)
{
    static const struct decision none = {.action = ACTION_ACCEPT};
    const struct policy_request *rq = &c->request;
    const struct address *recipient = NULL;

    if (!rq->recipient_cut)
        recipient = read_address(rq->recipient, &c->address);
    if (recipient == NULL)
        recipient_domain(rq, c->domain, sizeof(c->domain));
    if (strcmp(rq->protocol_state, "RCPT") == 0 &&
        (recipient != NULL || c->domain[0] != '\0' || rq->recipient_cut))
        ask(c, recipient);
    else
        connection_answer(c, &none); /* nothing to say, and no decision */
}

enum step {
    STEP_AGAIN, /* a request was answered, or asked about */
    STEP_WAIT,  /* no whole request is here */
    STEP_GONE,  /* the connection is closed */
};

/* Logs why, and gives the client up. */
static enum step connection_refuse(struct connection *c, const char *why)
{
    log_warning("policy: connection closed: client=%s why=\"%s\"", c->peer, why);
    connection_close(c);
    return STEP_GONE;
}

/* Whether a request is here up to its empty line. Nearly always nothing is behind that. */
static bool has_request(struct connection *c, const char *text, size_t len)
{
    const char *end = text + len, *from = text + c->searched, *newline = NULL;

    if (len >= 2 && end[-2] == '\n' && end[-1] == '\n')
        return true;
    while (from < end && (newline = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        from = newline + 1;
        if (from < end && *from == '\n')
            return true;
    }
    c->searched = newline != NULL ? (size_t)(newline - text) : len;
    return false;
}

static enum step connection_step(struct connection *c)
{
    size_t there;
    char *text = stream_input(&c->stream, &there);
    const char *why;

    if (!has_request(c, text, there) && there <= POLICY_REQUEST_MAX)
        return STEP_WAIT;
    c->searched = 0;
    c->request_len = policy_request_parse(text, there, &c->request, &why);
    if (c->request_len == 0)
        return connection_refuse(c, why);
    connection_serve(c);
    return STEP_AGAIN;
}

/* Closes a connection that has nothing left to do. */
static void connection_settle(struct connection *c)
{
    size_t there;

    if (c->busy || (stream_unsent(&c->stream) > 0 && !c->stream.broken))
        return;
    (void)stream_input(&c->stream, &there);
    if (c->stream.eof && there > 0)
        (void)connection_refuse(c, "request cut short");
    else if (c->stream.eof || c->stream.broken || c->service->stopping)
        connection_close(c);
}

/* Answers what can be answered now, in order, one request at a time. */
static void connection_pump(struct connection *c)
{
    struct stream *st = &c->stream;
    enum step s = STEP_AGAIN;

    while (s == STEP_AGAIN && !c->busy && !st->broken && stream_unsent(st) < OUTPUT_MAX)
        s = connection_step(c);
    if (s == STEP_GONE)
        return;
    stream_hold(st, c->busy || stream_unsent(st) >= OUTPUT_MAX);
    connection_settle(c);
}

static void on_ready(void *arg)
{
    connection_pump(arg);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int salen,
                      void *arg)
{
    struct policy_service *ps = arg;
    struct connection *c = calloc(1, sizeof(*c));
    struct netaddr peer;

    (void)l;
    (void)salen;
    if (c == NULL || !stream_open(&c->stream, ps->fe->loop, fd, INPUT_MAX, on_ready, c)) {
        log_error("policy: connection refused: out of memory");
        evutil_closesocket(fd);
        free(c);
        return;
    }
    c->service = ps;
    if (netaddr_from_sockaddr(sa, &peer))
        (void)netaddr_format(&peer, c->peer);
    else
        (void)str_copy(c->peer, sizeof(c->peer), "unix");
    DL_APPEND(ps->connections, c);
}

static void set_accepting(struct policy_service *ps, bool on)
{
    for (size_t i = 0; i < ps->listener_count; i++)
        (void)(on ? evconnlistener_enable : evconnlistener_disable)(ps->listeners[i]);
}

static void on_accept_error(struct evconnlistener *l, void *arg)
{
    struct policy_service *ps = arg;

    (void)l;
    log_error("policy: accept: %s; trying again in %d ms",
              evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()), ACCEPT_PAUSE_MS);
    set_accepting(ps, false);
    loop_timer_arm(ps->resume, ACCEPT_PAUSE_MS);
}

static void on_resume(void *arg)
{
    set_accepting(arg, true);
}

bool policy_service_new(struct policy_service **psp, struct frontend *fe, struct error *err)
{
    struct policy_service *ps = calloc(1, sizeof(*ps));

    *psp = ps;
    if (ps != NULL) {
        ps->fe = fe;
        ps->resume = loop_timer_new(fe->loop, on_resume, ps);
    }
    if (ps == NULL || ps->resume == NULL) {
        error_set(err, "policy: out of memory");
        policy_service_free(psp);
        return false;
    }
    return true;
}

bool policy_service_listen(struct policy_service *ps, int fd, struct error *err)
{
    struct evconnlistener *l = NULL;

    if (ps->listener_count < LISTENERS_MAX)
        l = evconnlistener_new(loop_base(ps->fe->loop), on_accept, ps, LEV_OPT_CLOSE_ON_EXEC, 0,
                               fd);
    if (l == NULL) {
        error_set(err, "policy: cannot serve another listening socket");
        return false;
    }
    evconnlistener_set_error_cb(l, on_accept_error);
    ps->listeners[ps->listener_count++] = l;
    return true;
}

static void stop_listening(struct policy_service *ps)
{
    loop_timer_disarm(ps->resume);
    for (size_t i = 0; i < ps->listener_count; i++)
        evconnlistener_free(ps->listeners[i]);
    ps->listener_count = 0;
}

void policy_service_stop(struct policy_service *ps, loop_fn on_idle, void *arg)
{
    struct connection *c, *tmp;

    ps->stopping = true;
    stop_listening(ps);
    DL_FOREACH_SAFE (ps->connections, c, tmp)
        connection_settle(c);
    ps->on_idle = on_idle;
    ps->idle_arg = arg;
    check_idle(ps);
}

void policy_service_free(struct policy_service **psp)
{
    struct policy_service *ps = *psp;
    struct connection *c, *tmp;

    if (ps == NULL)
        return;
    if (ps->resume != NULL)
        stop_listening(ps);
    DL_FOREACH_SAFE (ps->connections, c, tmp)
        connection_close(c);
    loop_timer_free(&ps->resume);
    free(ps);
    *psp = NULL;
}
