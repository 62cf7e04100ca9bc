#include "frontend/control_request.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/str.h"

#define DIGITS 6 /* of rates and ratios */

void control_send(struct evhttp_request *rq, int code, const char *reason, json_t *body)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : NULL;
    struct evbuffer *out = evhttp_request_get_output_buffer(rq);

    json_decref(body);
    if (text == NULL) {
        evhttp_send_error(rq, HTTP_INTERNAL, "out of memory");
        return;
    }
    (void)evhttp_add_header(evhttp_request_get_output_headers(rq), "Content-Type",
                            "application/json");
    if (evhttp_request_get_command(rq) != EVHTTP_REQ_HEAD) /* evhttp would send it all the same */
        (void)evbuffer_add_printf(out, "%s\n", text);
    free(text);
    evhttp_send_reply(rq, code, reason, NULL);
}

void control_bad_request(struct evhttp_request *rq, const char *text)
{
    control_send(rq, HTTP_BADREQUEST, "Bad Request", json_pack("{s:s}", "error", text));
}

void control_unavailable(struct evhttp_request *rq, const char *text)
{
    control_send(rq, HTTP_SERVUNAVAIL, "Service Unavailable", json_pack("{s:s}", "error", text));
}

void control_no_memory(struct evhttp_request *rq)
{
    control_send(rq, HTTP_INTERNAL, "Internal Server Error", NULL);
}

bool control_parameters(struct evhttp_request *rq, struct evkeyvalq *out)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(rq));

    TAILQ_INIT(out);
    if (query == NULL)
        return true;
    return strstr(query, "%00") == NULL && evhttp_parse_query_str(query, out) == 0;
}

bool control_only_known(const struct evkeyvalq *params, const char *const *names, struct error *err)
{
    const struct evkeyval *p;

    for (p = TAILQ_FIRST(params); p != NULL; p = TAILQ_NEXT(p, next)) {
        const char *const *name = names;
        char safe[64];

        while (*name != NULL && strcmp(*name, p->key) != 0)
            name++;
        if (*name == NULL) {
            str_printable(safe, sizeof(safe), p->key, strlen(p->key));
            error_set(err, "unknown parameter: %s", safe);
            return false;
        }
    }
    return true;
}

void control_check_idle(struct control *c)
{
    loop_fn fn = c->on_idle;

    if (!c->stopping || c->pending > 0 || fn == NULL)
        return;
    c->on_idle = NULL;
    fn(c->idle_arg);
}

void control_wait_end(struct control_wait *w)
{
    struct control *c = w->control;

    w->release(w);
    c->pending--;
    control_check_idle(c);
}

static void on_client_gone(struct evhttp_connection *conn, void *arg)
{
    struct control_wait *w = arg;

    (void)conn;
    if (evhttp_request_get_connection(w->request) == NULL)
        evhttp_request_free(w->request); /* evhttp has left an unanswered one to us */
    w->request = NULL;
    if (w->answered)
        control_wait_end(w);
    else if (w->on_gone != NULL)
        w->on_gone(w);
}

static void on_written(struct evhttp_request *rq, void *arg)
{
    evhttp_connection_set_closecb(evhttp_request_get_connection(rq), NULL, NULL);
    control_wait_end(arg);
}

void control_wait_begin(struct control_wait *w, struct control *c, struct evhttp_request *rq)
{
    w->control = c;
    w->request = rq;
    c->pending++;
    evhttp_connection_set_closecb(evhttp_request_get_connection(rq), on_client_gone, w);
}

/* Ends in on_written(), or in on_client_gone(). */
void control_wait_answer(struct control_wait *w, int code, const char *reason, json_t *body)
{
    if (w->request == NULL) {
        json_decref(body);
        control_wait_end(w);
        return;
    }
    w->answered = true;
    evhttp_request_set_on_complete_cb(w->request, on_written, w);
    control_send(w->request, code, reason, body);
}

void control_wait_written(struct control_wait *w)
{
    w->answered = true;
    evhttp_request_set_on_complete_cb(w->request, on_written, w);
    evhttp_send_reply_end(w->request);
}

void control_wait_close(struct control_wait *w)
{
    struct evhttp_connection *conn =
        w->request != NULL ? evhttp_request_get_connection(w->request) : NULL;

    w->request = NULL;
    if (conn == NULL)
        return;
    evhttp_connection_set_closecb(conn, NULL, NULL);
    evhttp_connection_free(conn); /* and the request */
}
