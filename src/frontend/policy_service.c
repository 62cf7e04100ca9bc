#include "frontend/policy_service.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/str.h"
#include "frontend/policy_request.h"
#include "policy/rcpt.h"

#define LISTENERS_MAX   32
#define ACCEPT_PAUSE_MS 1000  /* after an accept() that failed, e.g. for want of descriptors */
#define OUTPUT_MAX      65536 /* answers a client may leave unread before no more are worked on */

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

/* One client. While `busy`, its request waits for the verifier and the struct must stay. */
struct connection {
    struct policy_service *service;
    struct bufferevent *bev; /* NULL: the client is gone, only the answer is awaited */
    bool busy;
    bool eof;        /* the client sends no more; it may still read */
    size_t searched; /* bytes of the input known to hold no empty line */
    char peer[NETADDR_TEXT_MAX];
    struct policy_request request;
    struct address address, sender;
    char domain[POLICY_ATTRIBUTE_MAX + 1];
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

    if (c->bev != NULL)
        bufferevent_free(c->bev);
    c->bev = NULL;
    if (c->busy)
        return;
    DL_DELETE(ps->connections, c);
    free(c);
    check_idle(ps);
}

static void send_action(struct connection *c, const struct decision *d)
{
    struct evbuffer *out;

    if (c->bev == NULL)
        return;
    out = bufferevent_get_output(c->bev);
    if (d->action == ACTION_ACCEPT)
        (void)evbuffer_add_printf(out, "action=DUNNO\n\n");
    else
        (void)evbuffer_add_printf(out, "action=%u %s %s\n\n", d->code, d->enhanced, d->text);
}

static void connection_pump(struct connection *c);

static void on_decision(void *arg, const struct decision *d)
{
    struct connection *c = arg;

    c->busy = false;
    send_action(c, d);
    if (c->bev == NULL)
        connection_close(c);
    else
        connection_pump(c);
}

/* What is behind the last @, but for a dot at its end; "" where that is nothing. */
static void recipient_domain(const struct policy_request *rq, char domain[POLICY_ATTRIBUTE_MAX + 1])
{
    const char *at = strrchr(rq->recipient, '@');
    size_t len = at != NULL ? strlen(at + 1) : 0;

    if (len > 0 && at[len] == '.')
        len--;
    (void)str_copyn(domain, POLICY_ATTRIBUTE_MAX + 1, len > 0 ? at + 1 : "", len);
}

/* NULL where the text is no address. */
static const struct address *read_address(const char *text, struct address *out)
{
    const char *why;

    return address_from_internal(text, strlen(text), out, &why) ? out : NULL;
}

static void ask(struct connection *c)
{
    const struct policy_request *rq = &c->request;
    struct frontend *fe = c->service->fe;
    struct decision d;

    c->rcpt = (struct rcpt){
        .client = {rq->sasl_username, rq->ccert_fingerprint, rq->client_address},
        .queue_id = rq->queue_id,
        .sender = read_address(rq->sender, &c->sender),
        .null_sender = rq->sender[0] == '\0',
        .text = rq->recipient,
        .address = rq->recipient_cut ? NULL : read_address(rq->recipient, &c->address),
        .domain = c->domain,
    };
    c->busy = true;
    if (rcpt_decide(&c->rcpt, &fe->rcpt, fe->loop, on_decision, c, &d)) {
        c->busy = false;
        send_action(c, &d);
    }
}

static void connection_answer_request(struct connection *c)
{
    static const struct decision none = {.action = ACTION_ACCEPT};
    const struct policy_request *rq = &c->request;

    recipient_domain(rq, c->domain);
    if (strcmp(rq->protocol_state, "RCPT") != 0 || (c->domain[0] == '\0' && !rq->recipient_cut))
        send_action(c, &none); /* nothing to say, and no decision */
    else
        ask(c);
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

/* The length of the next request with its empty line; 0: not here yet. */
static size_t next_request(struct connection *c, struct evbuffer *in)
{
    size_t len = evbuffer_get_length(in);
    struct evbuffer_ptr from, found;

    if (len == 0 || evbuffer_ptr_set(in, &from, c->searched, EVBUFFER_PTR_SET) != 0)
        return 0;
    found = evbuffer_search(in, "\n\n", 2, &from);
    if (found.pos < 0) {
        c->searched = len - 1;
        return 0;
    }
    c->searched = 0;
    return (size_t)found.pos + 2;
}

static enum step connection_step(struct connection *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    size_t len = next_request(c, in);
    const char *text, *why = "out of memory";
    bool ok;

    if (len > POLICY_REQUEST_MAX || (len == 0 && evbuffer_get_length(in) > POLICY_REQUEST_MAX))
        return connection_refuse(c, "request longer than 65536 octets");
    if (len == 0)
        return STEP_WAIT;
    text = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);
    ok = text != NULL && policy_request_parse(text, len - 1, &c->request, &why);
    evbuffer_drain(in, len);
    if (!ok)
        return connection_refuse(c, why);
    connection_answer_request(c);
    return STEP_AGAIN;
}

/* Closes a connection that has nothing left to do. */
static void connection_settle(struct connection *c)
{
    if (c->busy || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
        return;
    if (c->eof && evbuffer_get_length(bufferevent_get_input(c->bev)) > 0)
        (void)connection_refuse(c, "request cut short");
    else if (c->eof || c->service->stopping)
        connection_close(c);
}

/* Answers what can be answered now, in order, one request at a time. */
static void connection_pump(struct connection *c)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    enum step s = STEP_AGAIN;

    while (s == STEP_AGAIN && !c->busy && evbuffer_get_length(out) < OUTPUT_MAX)
        s = connection_step(c);
    if (s != STEP_GONE)
        connection_settle(c);
}

static void on_ready(struct bufferevent *bev, void *arg)
{
    (void)bev;
    connection_pump(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;

    (void)bev;
    if (what & BEV_EVENT_EOF) {
        c->eof = true;
        connection_pump(c);
    } else {
        connection_close(c);
    }
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int salen,
                      void *arg)
{
    struct policy_service *ps = arg;
    struct connection *c = calloc(1, sizeof(*c));
    struct netaddr peer;

    (void)l;
    (void)salen;
    if (c != NULL)
        c->bev = bufferevent_socket_new(loop_base(ps->fe->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    if (c == NULL || c->bev == NULL) {
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
    bufferevent_setcb(c->bev, on_ready, on_ready, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, POLICY_REQUEST_MAX + 2);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
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
        if (c->bev != NULL)
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
    DL_FOREACH_SAFE (ps->connections, c, tmp) {
        c->busy = false;
        connection_close(c);
    }
    loop_timer_free(&ps->resume);
    free(ps);
    *psp = NULL;
}
