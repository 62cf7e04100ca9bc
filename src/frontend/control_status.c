#include <event2/buffer.h>
#include <stdlib.h>

#include "base/str.h"
#include "cache/report.h"
#include "frontend/control_request.h"
#include "policy/verdict_json.h"

#define STORE_PROBLEM_SIZE 512

/* Everything that is wrong, the store first: what it loses is asked again and again. */
struct health {
    char store[STORE_PROBLEM_SIZE]; /* "": nothing is */
    struct verifier_health verifier;
};

static void look(struct control *c, struct health *h)
{
    char why[STORE_PROBLEM_SIZE];

    h->store[0] = '\0';
    if (store_failing(c->fe->store, why, sizeof(why)))
        (void)str_format(h->store, sizeof(h->store), "store: %s; answers are not kept", why);
    verifier_health(c->fe->rcpt.verifier, &h->verifier);
}

static const char *health_name(const struct health *h)
{
    return h->verifier.count == 0 && h->store[0] == '\0' ? "ok" : "degraded";
}

/* Also who is degraded lives. */
void control_health(struct control *c, struct evhttp_request *rq)
{
    struct evbuffer *out = evhttp_request_get_output_buffer(rq);
    struct health h;

    look(c, &h);
    (void)evhttp_add_header(evhttp_request_get_output_headers(rq), "Content-Type",
                            "text/plain; charset=utf-8");
    (void)evbuffer_add_printf(out, "%s\n", health_name(&h));
    if (h.store[0] != '\0')
        (void)evbuffer_add_printf(out, "%s\n", h.store);
    for (size_t i = 0; i < h.verifier.count; i++)
        (void)evbuffer_add_printf(out, "%s\n", h.verifier.problems[i]);
    evhttp_send_reply(rq, HTTP_OK, "OK", NULL);
}

static json_t *problems_json(const struct health *h)
{
    json_t *list = json_array();

    if (h->store[0] != '\0')
        (void)json_array_append_new(list, json_string(h->store));
    for (size_t i = 0; i < h->verifier.count; i++)
        (void)json_array_append_new(list, json_string(h->verifier.problems[i]));
    return list;
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

static void set_count(json_t *o, const char *key, uint64_t n)
{
    (void)json_object_set_new(o, key, json_integer((json_int_t)n));
}

void control_cache_stats(struct control *c, struct evhttp_request *rq)
{
    json_t *o = cache_report(c->fe->store);

    if (o == NULL)
        control_unavailable(rq, "the store cannot be read");
    else
        control_send(rq, HTTP_OK, "OK", o);
}

static void set_rate(json_t *o, const char *key, double rate)
{
    (void)json_object_set_new(o, key, json_real(rate));
}

/* Of what did not happen there is no count. */
static json_t *window_json(const struct tally_report *t)
{
    json_t *o = json_object();

    set_rate(o, "seconds", t->window_s);
    if (t->window_s <= 0)
        return o;
    set_rate(o, "asked_rate", t->asked_rate);
    set_rate(o, "callout_rate", t->callout_rate);
    if (t->asked_rate > 0)
        set_rate(o, "hit_ratio", t->hit_ratio);
    if (t->ms_p50 >= 0) {
        set_count(o, "ms_p50", (uint64_t)t->ms_p50);
        set_count(o, "ms_p95", (uint64_t)t->ms_p95);
        set_count(o, "ms_p99", (uint64_t)t->ms_p99);
    }
    return o;
}

static void set_tally(json_t *o, const struct tally_report *t)
{
    verdict_json_time(o, "began_at", t->began_at);
    (void)json_object_set_new(o, "asked",
                              json_pack("{s:I, s:I, s:I}", "store",
                                        (json_int_t)t->answers[TALLY_STORE], "stale",
                                        (json_int_t)t->answers[TALLY_STALE], "asked",
                                        (json_int_t)t->answers[TALLY_ASKED]));
    set_count(o, "callouts", t->callouts);
    (void)json_object_set_new(o, "window", window_json(t));
}

void control_status(struct control *c, struct evhttp_request *rq)
{
    struct verifier *v = c->fe->rcpt.verifier;
    struct verifier_counts n = verifier_count(v);
    struct health h;
    size_t more = 0;
    json_t *destinations = destinations_json(v, &more), *store = cache_report(c->fe->store), *o;

    look(c, &h);
    o = json_pack("{s:s, s:s, s:o, s:i, s:i, s:i, s:i, s:o, s:i}", "version", PACKAGE_VERSION,
                  "health", health_name(&h), "problems", problems_json(&h), "flights",
                  (int)n.flights, "sessions", (int)n.sessions, "waiters", (int)n.waiters,
                  "greylisted", (int)n.greylisted, "destinations", destinations,
                  "more_destinations", (int)more);
    if (store != NULL)
        (void)json_object_set_new(o, "store", store);
    set_tally(o, &n.tally);
    control_send(rq, HTTP_OK, "OK", o);
}
