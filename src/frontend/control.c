#include "frontend/control.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "frontend/control_request.h"

#define HEADERS_MAX 16384
#define BODY_MAX    65536
#define INPUT_MAX   131072 /* a request, and what is sent behind it before it is answered */
#define IDLE_S      600    /* longer than any callout */
#define PAUSE_S     1      /* after an accept() that failed, e.g. for want of descriptors */

static const struct resource {
    const char *path;
    enum evhttp_cmd_type method;
    const char *method_name;
    void (*handle)(struct control *c, struct evhttp_request *rq);
} resources[] = {
    {"/v1/verify", EVHTTP_REQ_GET, "GET", control_verify},
    {"/v1/status", EVHTTP_REQ_GET, "GET", control_status},
    {"/v1/cache/entries", EVHTTP_REQ_GET, "GET", control_cache_entries},
    {"/v1/cache/entries", EVHTTP_REQ_DELETE, "DELETE", control_cache_forget},
    {"/v1/cache/import", EVHTTP_REQ_POST, "POST", control_cache_import},
    {"/v1/cache/stats", EVHTTP_REQ_GET, "GET", control_cache_stats},
    {"/healthz", EVHTTP_REQ_GET, "GET", control_health},
};

#define RESOURCES (sizeof(resources) / sizeof(resources[0]))

/* `methods`: what the resource has, "" where there is none. */
static void refuse(struct evhttp_request *rq, const char *methods)
{
    char text[64];

    if (methods[0] == '\0') {
        control_send(rq, HTTP_NOTFOUND, "Not Found",
                     json_pack("{s:s}", "error", "no such resource"));
        return;
    }
    (void)str_format(text, sizeof(text), "known here: %s", methods);
    (void)evhttp_add_header(evhttp_request_get_output_headers(rq), "Allow", methods);
    control_send(rq, HTTP_BADMETHOD, "Method Not Allowed", json_pack("{s:s}", "error", text));
}

static void on_request(struct evhttp_request *rq, void *arg)
{
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(rq));
    char methods[32] = "";

    for (size_t i = 0; path != NULL && i < RESOURCES; i++) {
        size_t len = strlen(methods);

        if (strcmp(path, resources[i].path) != 0)
            continue;
        if (evhttp_request_get_command(rq) == resources[i].method) {
            resources[i].handle(arg, rq);
            return;
        }
        (void)str_format(methods + len, sizeof(methods) - len, "%s%s", len > 0 ? ", " : "",
                         resources[i].method_name);
    }
    refuse(rq, methods);
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
 * descriptor may have by now. And one that reads no more than that ahead, where evhttp's own reads
 * all.
 */
static struct bufferevent *make_bufferevent(struct event_base *base, void *arg)
{
    struct bufferevent *b = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

    (void)arg;
    if (b != NULL)
        bufferevent_setwatermark(b, EV_READ, 0, INPUT_MAX);
    return b;
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
    control_end_lists(c);
    control_check_idle(c);
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
