#include "callout/verifier.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "callout/address_store.h"
#include "callout/engine.h"
#include "callout/flight.h"
#include "callout/gate.h"
#include "callout/health.h"
#include "callout/reprobe.h"
#include "callout/selfcheck.h"

#define REFUSALS_MAX       10000 /* domains remembered to refuse us */
#define KEPT_MAX           2000  /* facts kept in memory, besides the store */
#define DEAD_ADDRESSES_MAX 10000
#define SOURCE_FACTS_MAX   10000 /* domains whose source is remembered; rests */

struct verifier {
    struct engine engine;
    atomic_bool stopping;
    atomic_bool has_sender; /* another sender than the null sender may be used */
    pthread_mutex_t door;   /* nothing is posted behind the stop, where nobody would hear it */
    struct loop_timer *grace;
    struct loop_timer *step; /* of the tally */
    int64_t grace_ms;
    bool running; /* the engine thread was started */
};

/* A question to the engine loop that the asking thread waits for. */
struct call {
    struct verifier *verifier;
    const struct verifier_opts *opts;
    struct error *err;
    struct verifier_counts counts;
    struct verifier_health *health;
    struct gate_report *reports;
    size_t report_count;
    bool ok;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

struct letter {
    struct verifier *verifier;
    struct flight_ask ask;
};

static void call_finish(struct call *c, bool ok)
{
    pthread_mutex_lock(&c->lock);
    c->ok = ok;
    c->is_done = true;
    pthread_cond_signal(&c->done);
    pthread_mutex_unlock(&c->lock);
}

/* Runs fn(call) on the engine loop and waits for its call_finish(). */
static bool call_engine(struct verifier *v, struct call *c, loop_fn fn)
{
    c->verifier = v;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->done, NULL);
    loop_post(v->engine.loop, fn, c);
    pthread_mutex_lock(&c->lock);
    while (!c->is_done)
        pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    return c->ok;
}

void engine_check_idle(struct engine *e)
{
    if (e->stopping && e->flights == NULL && gate_session_count(e->gate) == 0)
        e->on_idle(e->idle_arg);
}

static void on_idle(void *arg)
{
    struct verifier *v = arg;

    loop_stop(v->engine.loop);
}

static void on_grace_over(void *arg)
{
    struct verifier *v = arg;

    log_warning("stop: %u sessions still open, given up", gate_session_count(v->engine.gate));
    loop_stop(v->engine.loop);
}

static void on_step(void *arg)
{
    struct verifier *v = arg;

    tally_step(v->engine.tally);
    loop_timer_arm(v->step, TALLY_STEP_MS);
}

static bool has_sender(const struct verifier_opts *o)
{
    return o->probe_sender[0] != '\0' || o->probe_sender_fallback[0] != '\0';
}

/* What the options have of counted things. */
static void hold(const struct verifier_opts *o)
{
    (void)route_table_ref(o->routes);
    (void)reply_rules_ref(o->replies);
    (void)providers_ref(o->providers);
}

static void let_go(struct verifier_opts *o)
{
    route_table_unref(&o->routes);
    reply_rules_unref(&o->replies);
    providers_unref(&o->providers);
}

/* What the engine is made of, but for its loop. */
static bool make_parts(struct engine *e)
{
    e->tally = tally_new(clock_wall());
    e->facts = facts_new(REFUSALS_MAX);
    e->keep = keep_new(e->store, KEPT_MAX);
    e->dead = dead_new(DEAD_ADDRESSES_MAX);
    e->sources = sources_new(&e->opts.sources, SOURCE_FACTS_MAX);
    e->gate = gate_new(e);
    e->reprobe = reprobe_new(e);
    if (e->sources != NULL)
        (void)selfcheck_sources(e);
    outage_init(&e->network, OUTAGE_NETWORK);
    outage_init(&e->dns, OUTAGE_DNS);
    return e->tally != NULL && e->facts != NULL && e->keep != NULL && e->dead != NULL &&
           e->sources != NULL && e->gate != NULL && e->reprobe != NULL;
}

static void free_parts(struct engine *e)
{
    reprobe_free(&e->reprobe);
    gate_free(&e->gate);
    sources_free(&e->sources);
    dead_free(&e->dead);
    keep_free(&e->keep);
    facts_free(&e->facts);
    tally_free(&e->tally);
}

bool verifier_new(struct verifier **vp, const struct verifier_opts *opts, struct store *store,
                  struct error *err)
{
    struct verifier *v = calloc(1, sizeof(*v));
    struct engine *e;

    *vp = v;
    error_set(err, "verifier: out of memory");
    if (v == NULL)
        return false;
    pthread_mutex_init(&v->door, NULL);
    e = &v->engine;
    e->opts = *opts;
    hold(&e->opts);
    atomic_store(&v->has_sender, has_sender(opts));
    e->store = store;
    e->on_idle = on_idle;
    e->idle_arg = v;
    e->loop = loop_new("engine");
    if (e->loop != NULL) {
        v->grace = loop_timer_new(e->loop, on_grace_over, v);
        v->step = loop_timer_new(e->loop, on_step, v);
    }
    if (v->grace == NULL || v->step == NULL || !make_parts(e) ||
        !resolver_new(&e->resolver, e->loop, &opts->resolver, err) ||
        !tls_context_new(&e->tls, err) || !loop_start_thread(e->loop)) {
        verifier_free(vp);
        return false;
    }
    v->running = true;
    return true;
}

static void reconfigure(void *arg)
{
    struct call *c = arg;
    struct engine *e = &c->verifier->engine;
    bool ok = resolver_reconfigure(e->resolver, &c->opts->resolver, c->err);

    if (ok) {
        hold(c->opts);
        let_go(&e->opts);
        e->opts = *c->opts;
        sources_set(e->sources, &e->opts.sources);
        (void)selfcheck_sources(e);
        gate_reconfigure(e->gate);
        atomic_store(&c->verifier->has_sender, has_sender(&e->opts));
    }
    call_finish(c, ok);
}

bool verifier_reconfigure(struct verifier *v, const struct verifier_opts *opts, struct error *err)
{
    struct call c = {.opts = opts, .err = err};

    return call_engine(v, &c, reconfigure);
}

static void on_letter(void *arg)
{
    struct letter *l = arg;

    (void)flight_join(&l->verifier->engine, &l->ask);
    free(l);
}

/* Whether the answer may be another than that to the usual sender. */
static bool is_apart(struct verifier *v, const struct verifier_request *rq)
{
    return rq->null_sender && atomic_load(&v->has_sender);
}

static enum callout_priority priority_of(const struct verifier_request *rq, verifier_cb cb)
{
    if (rq->bulk)
        return CALLOUT_BULK;
    return cb != NULL ? CALLOUT_INTERACTIVE : CALLOUT_REFRESH;
}

/* False when the end has begun. */
static bool post(struct verifier *v, loop_fn fn, void *arg)
{
    bool open;

    pthread_mutex_lock(&v->door);
    open = !atomic_load(&v->stopping);
    if (open)
        loop_post_gathered(v->engine.loop, fn, arg);
    pthread_mutex_unlock(&v->door);
    return open;
}

/* False when the end has begun. */
static bool post_ask(struct verifier *v, const struct verifier_request *rq, struct loop *on,
                     verifier_cb cb, void *arg)
{
    struct letter *l = calloc(1, sizeof(*l));

    if (l == NULL)
        abort(); /* as in loop_post(): an ask must not get lost */
    l->verifier = v;
    l->ask = (struct flight_ask){
        .address = *rq->address,
        .deadline = rq->wait_ms > 0 ? clock_mono_ms() + rq->wait_ms : INT64_MAX,
        .stale_ok = rq->stale_ok,
        .fresh = rq->fresh,
        .no_probe = rq->no_probe,
        .null_sender = rq->null_sender,
        .apart = is_apart(v, rq),
        .want_catch_all = rq->want_catch_all,
        .trace = rq->trace,
        .priority = priority_of(rq, cb),
        .on = on,
        .cb = cb,
        .arg = arg,
    };
    if (post(v, on_letter, l))
        return true;
    free(l);
    return false;
}

bool verifier_ask(struct verifier *v, const struct verifier_request *rq, struct loop *on,
                  verifier_cb cb, void *arg, struct verdict *now)
{
    static const enum tally_answer answered[] = {[RECALL_ANSWER] = TALLY_STORE,
                                                 [RECALL_ANSWER_REFRESH] = TALLY_STALE,
                                                 [RECALL_ASK] = TALLY_ASKED};
    enum recall known = RECALL_ASK;

    if (!rq->fresh)
        known = address_store_recall(v->engine.store, rq->address, is_apart(v, rq), rq->stale_ok,
                                     rq->want_catch_all, now);
    tally_asked(v->engine.tally, answered[known]);
    if (known == RECALL_ANSWER_REFRESH && !rq->no_probe)
        (void)post_ask(v, rq, NULL, NULL, NULL);
    if (known != RECALL_ASK)
        return true;
    if (post_ask(v, rq, on, cb, arg))
        return false;
    verdict_init(now, REASON_PENDING, SOURCE_PROBE);
    return true;
}

struct reread {
    struct verifier *verifier;
    enum store_table table;
    size_t key_len;
    uint8_t key[STORE_KEY_MAX];
    char domain[ADDRESS_DOMAIN_MAX + 1]; /* "": it is about the key */
};

static void reread_domain(struct engine *e, const char *domain)
{
    char name[ADDRESS_DOMAIN_MAX + 16];

    (void)str_format(name, sizeof(name), "domain/%s", domain);
    keep_reread(e->keep, STORE_TABLE_DESTINATION, name, strlen(name));
    keep_reread(e->keep, STORE_TABLE_DOMAIN, domain, strlen(domain) + 1);
    reprobe_reread_domain(e->reprobe, domain);
    facts_answered(e->facts, domain, false);
    facts_answered(e->facts, domain, true);
}

static void reread(void *arg)
{
    struct reread *r = arg;
    struct engine *e = &r->verifier->engine;
    char name[DESTINATION_NAME_SIZE];

    if (r->domain[0] != '\0')
        reread_domain(e, r->domain);
    else if (r->table == STORE_TABLE_DUE)
        reprobe_reread(e->reprobe, r->key, r->key_len);
    else
        keep_reread(e->keep, r->table, r->key, r->key_len);
    if (r->table == STORE_TABLE_DESTINATION &&
        str_copyn(name, sizeof(name), (char *)r->key, r->key_len)) {
        facts_forget(e->facts, name, e->opts.providers);
        gate_reread(e->gate, name);
    }
    free(r);
}

/* Out of memory, nothing is done: what is in memory does not last. */
static void post_reread(struct verifier *v, const struct reread *what)
{
    struct reread *r = malloc(sizeof(*r));

    if (r == NULL)
        return;
    *r = *what;
    r->verifier = v;
    if (!post(v, reread, r))
        free(r);
}

void verifier_reread(struct verifier *v, enum store_table table, const void *key, size_t key_len)
{
    struct reread r = {.table = table, .key_len = key_len};

    if (key_len > sizeof(r.key))
        return;
    memcpy(r.key, key, key_len);
    post_reread(v, &r);
}

void verifier_reread_domain(struct verifier *v, const char *domain)
{
    struct reread r = {.key_len = 0};

    if (str_copy(r.domain, sizeof(r.domain), domain))
        post_reread(v, &r);
}

static void stop_engine(void *arg)
{
    struct verifier *v = arg;
    struct engine *e = &v->engine;

    e->stopping = true;
    loop_timer_arm(v->grace, v->grace_ms);
    flight_end_all(e);
    gate_quit_all(e->gate);
    engine_check_idle(e);
}

void verifier_stop(struct verifier *v, int64_t grace_ms)
{
    pthread_mutex_lock(&v->door);
    if (!atomic_exchange(&v->stopping, true)) {
        v->grace_ms = grace_ms;
        loop_post(v->engine.loop, stop_engine, v);
    }
    pthread_mutex_unlock(&v->door);
}

struct loop *verifier_loop(struct verifier *v)
{
    return v->engine.loop;
}

static void count(void *arg)
{
    struct call *c = arg;
    const struct engine *e = &c->verifier->engine;

    c->counts = (struct verifier_counts){
        .flights = e->flight_count,
        .sessions = gate_session_count(e->gate),
        .waiters = e->waiter_count,
        .greylisted = (unsigned)reprobe_count(e->reprobe),
    };
    tally_tell(e->tally, &c->counts.tally);
    call_finish(c, true);
}

struct verifier_counts verifier_count(struct verifier *v)
{
    struct call c = {0};

    if (!atomic_load(&v->stopping))
        (void)call_engine(v, &c, count);
    return c.counts;
}

static void serve(void *arg)
{
    struct verifier *v = arg;

    selfcheck_free(&v->engine.selfcheck);
    v->engine.selfcheck = selfcheck_start(&v->engine); /* NULL: nothing is known, then */
    if (!loop_timer_armed(v->step))
        loop_timer_arm(v->step, TALLY_STEP_MS);
    gate_recall(v->engine.gate);
    reprobe_run(v->engine.reprobe);
}

void verifier_serve(struct verifier *v)
{
    loop_post(v->engine.loop, serve, v);
}

static void tell_health(void *arg)
{
    struct call *c = arg;

    health_tell(&c->verifier->engine, c->health);
    call_finish(c, true);
}

void verifier_health(struct verifier *v, struct verifier_health *out)
{
    struct call c = {.health = out};

    out->count = 0;
    if (!atomic_load(&v->stopping))
        (void)call_engine(v, &c, tell_health);
}

static void tell_trouble(void *arg)
{
    struct call *c = arg;

    c->report_count = gate_tell(c->verifier->engine.gate, c->reports, VERIFIER_REPORTS_MAX);
    call_finish(c, true);
}

size_t verifier_trouble(struct verifier *v, struct gate_report out[VERIFIER_REPORTS_MAX])
{
    struct call c = {.reports = out};

    if (!atomic_load(&v->stopping))
        (void)call_engine(v, &c, tell_trouble);
    return c.report_count;
}

void verifier_join(struct verifier *v)
{
    if (v == NULL || !v->running)
        return;
    verifier_stop(v, 0);
    loop_join(v->engine.loop);
    v->running = false;
}

void verifier_free(struct verifier **vp)
{
    struct verifier *v = *vp;

    if (v == NULL)
        return;
    verifier_join(v);
    selfcheck_free(&v->engine.selfcheck);
    resolver_free(&v->engine.resolver);
    tls_context_free(&v->engine.tls);
    free_parts(&v->engine);
    let_go(&v->engine.opts);
    loop_timer_free(&v->grace);
    loop_timer_free(&v->step);
    loop_free(&v->engine.loop);
    pthread_mutex_destroy(&v->door);
    free(v);
    *vp = NULL;
}
