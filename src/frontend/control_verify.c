#include <stdlib.h>
#include <string.h>

#include "frontend/control_request.h"
#include "policy/inquiry.h"
#include "policy/verdict_json.h"

/* A verify request that waits for its verdict. */
struct inquiry {
    struct control_wait wait;
    struct address address;
    char *asked; /* the address as the client wrote it */
    const struct policy_opts *policy;
};

static void inquiry_free(struct control_wait *w)
{
    struct inquiry *q = (struct inquiry *)w;

    policy_opts_unref(q->policy);
    free(q->asked);
    free(q);
}

static void send_verdict(struct inquiry *q, const struct address *address, const char *detail,
                         const struct verdict *v, const char *trace)
{
    json_t *o = verdict_json(q->policy, q->asked, address, detail, v);

    if (o != NULL && trace != NULL)
        (void)json_object_set_new(o, "trace", json_string(trace));
    control_wait_answer(&q->wait, HTTP_OK, "OK", o);
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
    struct frontend *fe = q->wait.control->fe;
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

static void begin(struct control *c, struct evhttp_request *rq, const char *address,
                  struct evkeyvalq *params)
{
    struct inquiry *q = calloc(1, sizeof(*q));

    if (q != NULL)
        q->asked = strdup(address);
    if (q == NULL || q->asked == NULL) {
        free(q);
        control_no_memory(rq);
        return;
    }
    q->wait.release = inquiry_free;
    control_wait_begin(&q->wait, c, rq);
    inquiry_run(q, params);
}

void control_verify(struct control *c, struct evhttp_request *rq)
{
    struct evkeyvalq params;
    const char *address =
        control_parameters(rq, &params) ? evhttp_find_header(&params, "address") : NULL;

    if (address == NULL)
        control_bad_request(rq, "address is missing");
    else
        begin(c, rq, address, &params);
    evhttp_clear_headers(&params);
}
