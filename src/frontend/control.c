#include "frontend/control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "policy/inquiry.h"
#include "policy/verdict_json.h"

#define HEADERS_MAX 16384
#define BODY_MAX    65536
#define IDLE_S      600 /* longer than any callout */
#define PAUSE_S     1   /* after an accept() that failed, e.g. for want of descriptors */

struct control {
    struct frontend *fe;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    unsigned pending; /* requests whose answer is not yet written */
    bool stopping;
    loop_fn on_idle;
    void *idle_arg;
};

/* A verify request that waits for its verdict. */
struct inquiry {
    struct control *control;
    struct evhttp_request *request; /* NULL: the client is gone */
    bool answered;                  /* the answer is being written */
    struct address address;
    char *asked; /* the address as the client wrote it */
    const struct policy_opts *policy;
};

static void check_idle(struct control *c)
{
    loop_fn fn = c->on_idle;

    if (!c->stopping || c->pending > 0 || fn == NULL)
        return;
    c->on_idle = NULL;
    fn(c->idle_arg);
}

static void send_json(struct evhttp_request *rq, int code, const char *reason, json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct evbuffer *out = evhttp_request_get_output_buffer(rq);

    json_decref(body);
    if (text == NULL) {
        evhttp_send_error(rq, HTTP_INTERNAL, "out of memory");
        return;
    }
    (void)evhttp_add_header(evhttp_request_get_output_headers(rq), "Content-Type",
                            "application/json");
    (void)evbuffer_add_printf(out, "%s\n", text);
    free(text);
    evhttp_send_reply(rq, code, reason, NULL);
}

static void send_problem(struct evhttp_request *rq, int code, const char *reason, const char *text)
{
    send_json(rq, code, reason, json_pack("{s:s}", "error", text));
}

static void inquiry_free(struct inquiry *q)
{
    struct control *c = q->control;

    policy_opts_unref(q->policy);
    free(q->asked);
    free(q);
    c->pending--;
    check_idle(c);
}

static void on_client_gone(struct evhttp_connection *conn, void *arg)
{
    struct inquiry *q = arg;

    (void)conn;
    q->request = NULL;
    if (q->answered)
        inquiry_free(q);
}

static void on_written(struct evhttp_request *rq, void *arg)
{
    evhttp_connection_set_closecb(evhttp_request_get_connection(rq), NULL, NULL);
    inquiry_free(arg);
}

/* Ends in on_written(), or in on_client_gone(). */
static void send_verdict(struct inquiry *q, const struct address *address, const char *detail,
                         const struct verdict *v, const char *trace)
{
    json_t *o;

    if (q->request == NULL) {
        inquiry_free(q);
        return;
    }
    o = verdict_json(q->policy, q->asked, address, detail, v);
    if (o != NULL && trace != NULL)
        (void)json_object_set_new(o, "trace", json_string(trace));
    q->answered = true;
    evhttp_request_set_on_complete_cb(q->request, on_written, q);
    send_json(q->request, HTTP_OK, "OK", o);
}

static void on_verdict(void *arg, const struct verdict *v, const char *trace)
{
    struct inquiry *q = arg;

    send_verdict(q, &q->address, NULL, v, trace);
}

static bool flag(struct evkeyvalq *params, const char *name, bool fallback)
{
    const char *value = evhttp_find_header(params, name);

    return value != NULL ? strcmp(value, "0") != 0 : fallback;
}

/* Answers at once where it can; else `q` waits for on_verdict(). */
static void inquiry_run(struct inquiry *q, struct evkeyvalq *params)
{
    struct frontend *fe = q->control->fe;
    struct verifier_request ask = {.address = &q->address,
                                   .fresh = flag(params, "fresh", false),
                                   .no_probe = !flag(params, "probe", true),
                                   .want_catch_all = true,
                                   .bulk = flag(params, "bulk", false),
                                   .trace = flag(params, "trace", false)};
    struct verdict v;
    const char *why;

    q->policy = policy_get(fe->rcpt.policy);
    if (!address_parse(q->asked, strlen(q->asked), &q->address, &why)) {
        verdict_init(&v, REASON_BAD_SYNTAX, SOURCE_SYNTAX);
        send_verdict(q, NULL, why, &v, NULL);
    } else if (inquiry_start(q->policy, CLASS_OUTBOUND, fe->rcpt.verifier, &ask, fe->loop,
                             on_verdict, q, &v)) {
        on_verdict(q, &v, NULL);
    }
}

static void handle_verify(struct control *c, struct evhttp_request *rq)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(rq));
    struct evkeyvalq params;
    const char *address = NULL;
    struct inquiry *q;

    TAILQ_INIT(&params);
    if (query != NULL && strstr(query, "%00") == NULL && /* it would cut the address short */
        evhttp_parse_query_str(query, &params) == 0)
        address = evhttp_find_header(&params, "address");
    q = address != NULL ? calloc(1, sizeof(*q)) : NULL;
    if (q != NULL)
        q->asked = strdup(address);
    if (address == NULL) {
        send_problem(rq, HTTP_BADREQUEST, "Bad Request", "address is missing");
    } else if (q == NULL || q->asked == NULL) {
        free(q);
        send_json(rq, HTTP_INTERNAL, "Internal Server Error", NULL);
    } else {
        q->control = c;
        q->request = rq;
        c->pending++;
        evhttp_connection_set_closecb(evhttp_request_get_connection(rq), on_client_gone, q);
        inquiry_run(q, &params);
    }
    evhttp_clear_headers(&params);
}

static const char *health_name(const struct verifier_health *h)
{
    return h->count == 0 ? "ok" : "degraded";
}

/* Also who is degraded lives. */
static void handle_health(struct control *c, struct evhttp_request *rq)
{
    struct evbuffer *out = evhttp_request_get_output_buffer(rq);
    struct verifier_health health;

    verifier_health(c->fe->rcpt.verifier, &health);
    (void)evhttp_add_header(evhttp_request_get_output_headers(rq), "Content-Type",
                            "text/plain; charset=utf-8");
    (void)evbuffer_add_printf(out, "%s\n", health_name(&health));
    for (size_t i = 0; i < health.count; i++)
        (void)evbuffer_add_printf(out, "%s\n", health.problems[i]);
    evhttp_send_reply(rq, HTTP_OK, "OK", NULL);
}

static json_t *trouble_json(const struct gate_report *r)
{
    json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:i, s:b}", "name", r->name, "breaker",
                          breaker_state_name(r->breaker), "level", (int)r->level, "waiting",
                          (int)r->waiting, "connections", (int)r->connections, "bulk_pauses",
                          (int)r->bulk_pauses);

    verdict_json_time(o, "until", r->until);
    if (r->breaker != BREAKER_CLOSED)
        (void)json_object_set_new(o, "reply", json_string(r->refusal));
    else if (r->level > 0)
        (void)json_object_set_new(o, "reason", json_string(verdict_reason_name(r->why)));
    return o;
}

/* Where there is trouble, or somebody waits; `more`: how many are left out. */
static json_t *destinations_json(struct verifier *v, size_t *more)
{
    struct gate_report *reports = calloc(VERIFIER_REPORTS_MAX, sizeof(*reports));
    json_t *list = json_array();
    size_t count = reports != NULL ? verifier_trouble(v, reports) : 0, i;

    for (i = 0; i < count && i < VERIFIER_REPORTS_MAX; i++)
        (void)json_array_append_new(list, trouble_json(&reports[i]));
    *more = count - i;
    free(reports);
    return list;
}

static json_t *problems_json(const struct verifier_health *health)
{
    json_t *list = json_array();

    for (size_t i = 0; i < health->count; i++)
        (void)json_array_append_new(list, json_string(health->problems[i]));
    return list;
}

static void handle_status(struct control *c, struct evhttp_request *rq)
{
    struct verifier *v = c->fe->rcpt.verifier;
    struct verifier_counts n = verifier_count(v);
    struct verifier_health health;
    size_t more = 0;
    json_t *destinations = destinations_json(v, &more);

    verifier_health(v, &health);
    send_json(rq, HTTP_OK, "OK",
              json_pack("{s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:o, s:i}", "version", PACKAGE_VERSION,
                        "health", health_name(&health), "problems", problems_json(&health),
                        "flights", (int)n.flights, "sessions", (int)n.sessions, "waiters",
                        (int)n.waiters, "greylisted", (int)n.greylisted, "destinations",
                        destinations, "more_destinations", (int)more));
}

static void on_request(struct evhttp_request *rq, void *arg)
{
    struct control *c = arg;
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(rq));

    if (path == NULL)
        path = "";
    if (evhttp_request_get_command(rq) != EVHTTP_REQ_GET) {
        send_problem(rq, HTTP_BADMETHOD, "Method Not Allowed", "only GET is known here");
    } else if (strcmp(path, "/v1/verify") == 0) {
        handle_verify(c, rq);
    } else if (strcmp(path, "/v1/status") == 0) {
        handle_status(c, rq);
    } else if (strcmp(path, "/healthz") == 0) {
        handle_health(c, rq);
    } else {
        send_problem(rq, HTTP_NOTFOUND, "Not Found", "no such resource");
    }
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)evconnlistener_enable(arg);
}

/* libevent hands in what evhttp gave the listener, so the listener has to do. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    static const struct timeval pause = {.tv_sec = PAUSE_S};

    (void)arg;
    log_error("control: accept: %s; trying again in %d s",
              evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()), PAUSE_S);
    if (event_base_once(evconnlistener_get_base(l), -1, EV_TIMEOUT, on_resume, l, &pause) == 0)
        (void)evconnlistener_disable(l);
}

/*
 * One that closes its descriptor itself, after its events are gone. evhttp's own leaves that to
 * evhttp, which does it before: then they are taken from the loop by a number that another thread's
 * descriptor may have by now.
 */
static struct bufferevent *make_bufferevent(struct event_base *base, void *arg)
{
    (void)arg;
    return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
}

bool control_new(struct control **cp, struct frontend *fe, int fd, struct error *err)
{
    struct control *c = calloc(1, sizeof(*c));
    struct evconnlistener *l = NULL;

    *cp = c;
    if (c != NULL) {
        c->fe = fe;
        c->http = evhttp_new(loop_base(fe->loop));
    }
    if (c != NULL && c->http != NULL)
        l = evconnlistener_new(loop_base(fe->loop), NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (l != NULL && (c->bound = evhttp_bind_listener(c->http, l)) == NULL)
        evconnlistener_free(l);
    if (c == NULL || c->bound == NULL) {
        error_set(err, "control: out of memory");
        control_free(cp);
        return false;
    }
    evconnlistener_set_error_cb(l, on_accept_error);
    evhttp_set_max_headers_size(c->http, HEADERS_MAX);
    evhttp_set_max_body_size(c->http, BODY_MAX);
    evhttp_set_timeout(c->http, IDLE_S);
    evhttp_set_bevcb(c->http, make_bufferevent, NULL);
    evhttp_set_gencb(c->http, on_request, c);
    return true;
}

void control_stop(struct control *c, loop_fn on_idle, void *arg)
{
    c->stopping = true;
    c->on_idle = on_idle;
    c->idle_arg = arg;
    check_idle(c);
}

void control_stop_listening(struct control *c)
{
    if (c == NULL || c->bound == NULL)
        return;
    evhttp_del_accept_socket(c->http, c->bound);
    c->bound = NULL;
}

void control_free(struct control **cp)
{
    struct control *c = *cp;

    if (c == NULL)
        return;
    if (c->http != NULL)
        evhttp_free(c->http);
    free(c);
    *cp = NULL;
}
