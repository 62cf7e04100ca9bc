/*
 * What the resources of the control API share: answers, parameters, and requests that wait for
 * theirs. For src/frontend/control*.c only.
 *
 * Threads: the front loop's only.
 */
#ifndef FRONTEND_CONTROL_REQUEST_H
#define FRONTEND_CONTROL_REQUEST_H

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/loop.h"
#include "frontend/frontend.h"

struct control_list;

struct control {
    struct frontend *fe;
    struct evhttp *http;
    struct evhttp_bound_socket *bound;
    unsigned pending; /* requests whose answer is not yet written */
    struct control_list *lists;
    bool stopping;
    loop_fn on_idle;
    void *idle_arg;
};

/* Answers. `body` is taken over; NULL: out of memory. */
void control_send(struct evhttp_request *rq, int code, const char *reason, json_t *body);
void control_bad_request(struct evhttp_request *rq, const char *text);
void control_unavailable(struct evhttp_request *rq, const char *text);
void control_no_memory(struct evhttp_request *rq);

/* The parameters, to be freed by evhttp_clear_headers() in any case. False: they can't be read, or
   one has a NUL in it, which would cut it short. */
bool control_parameters(struct evhttp_request *rq, struct evkeyvalq *out);

/* False, with err naming it, where one is not among `names` (NULL ends them): somebody meant
   something by it. */
bool control_only_known(const struct evkeyvalq *params, const char *const *names,
                        struct error *err);

/* A request whose answer comes later. Goes before its owner's own members. */
struct control_wait {
    struct control *control;
    struct evhttp_request *request;          /* NULL: the client is gone */
    bool answered;                           /* the answer is being written */
    void (*release)(struct control_wait *w); /* frees the owner: answered, or nobody is there */
    void (*on_gone)(struct control_wait *w); /* NULL, or: gone, without an answer */
};

void control_wait_begin(struct control_wait *w, struct control *c, struct evhttp_request *rq);

/* The answer, also where the client is gone. `body` is taken over; NULL: out of memory. */
void control_wait_answer(struct control_wait *w, int code, const char *reason, json_t *body);

/* The answer was begun otherwise, and is now complete but for its writing. */
void control_wait_written(struct control_wait *w);

/* Closes the connection in the middle of an answer, if the client is still there. */
void control_wait_close(struct control_wait *w);

/* The end without an answer, of one whose client is gone or was closed. */
void control_wait_end(struct control_wait *w);

/* Says so to who waits for the end, if this was the last. */
void control_check_idle(struct control *c);

/* The resources. */
void control_verify(struct control *c, struct evhttp_request *rq);
void control_status(struct control *c, struct evhttp_request *rq);
void control_health(struct control *c, struct evhttp_request *rq);
void control_cache_stats(struct control *c, struct evhttp_request *rq);
void control_cache_entries(struct control *c, struct evhttp_request *rq);
void control_cache_forget(struct control *c, struct evhttp_request *rq);
void control_cache_import(struct control *c, struct evhttp_request *rq);

/* Ends the lists that are being written: they may be long, and their clients slow. */
void control_end_lists(struct control *c);

#endif
