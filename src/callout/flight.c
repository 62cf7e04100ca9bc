#include "callout/flight.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "callout/address_store.h"
#include "callout/callout.h"
#include "callout/delivery.h"
#include "callout/lookup.h"
#include "callout/reprobe.h"
#include "callout/route.h"
#include "callout/trace.h"

#define ROUTED_DEFERRED_REFRESH 10 /* seconds */
#define ROUTED_DEFERRED_FORGET  60
#define LANDED_MAX              10000 /* more do not wait for a store that is so slow */
#define KEY_CATCH_ALL           2     /* in a key's last octet */

struct waiter {
    struct flight *flight;
    struct loop_timer *timer;
    struct loop *on;
    verifier_cb cb;
    void *arg;
    bool trace, fresh;
    struct waiter *prev, *next;
};

/* What came of it. */
struct landing {
    struct verdict verdict;     /* what was heard, */
    struct verdict stands;      /* and what is known now: the same, or what it does not turn */
    struct callout_trail trail; /* how it was asked */
    bool replaces;              /* the store still has an older record, until the commit */
    bool scheduled;
    struct lifetime deferred; /* while it is greylisted: `scheduled` */
};

struct flight {
    struct engine *engine;
    struct address address;
    bool no_probe, null_sender, apart, want_catch_all, fresh;
    enum callout_priority priority; /* of the most urgent who joined */
    bool again;                     /* a re-probe: */
    struct callout_trail *trail;    /* to be asked like this; NULL: as usual */
    int64_t began_wall;             /* clock_wall_ms */
    int64_t started, deadline;      /* clock_mono_ms */
    struct lookup *lookup;
    bool routed, lmtp;
    struct callout *callout;
    struct trace *trace; /* NULL until somebody asks for it */
    struct waiter *waiters;
    struct landing *landed; /* NULL: not yet */
    UT_hash_handle hh;
    /* Everything that can change the answer: the store key, and whether SMTP may be spoken. */
    size_t key_len;
    uint8_t key[];
};

static void waiter_answer(struct waiter *w, const struct verdict *v)
{
    struct flight *f = w->flight;

    DL_DELETE(f->waiters, w);
    f->engine->waiter_count--;
    delivery_send(w->on, w->cb, w->arg, v, w->trace ? trace_text(f->trace) : NULL);
    loop_timer_free(&w->timer);
    free(w);
}

/* Pending; or the recipient's own answer, where only made-up ones are still waited for. */
static void known_by_now(const struct flight *f, struct verdict *v)
{
    if (f->callout != NULL)
        (void)callout_answered(f->callout, v);
    else
        verdict_init(v, REASON_PENDING, SOURCE_PROBE);
    v->ms = clock_mono_ms() - f->started;
}

static void on_waiter_deadline(void *arg)
{
    struct waiter *w = arg;
    struct verdict v;

    known_by_now(w->flight, &v);
    waiter_answer(w, &v);
}

/* Who asks with `fresh` wants to know what the server says now, whatever is known. */
static const struct verdict *answer_for(const struct flight *f, bool fresh)
{
    return fresh ? &f->landed->verdict : &f->landed->stands;
}

static void answer_all(struct flight *f)
{
    struct waiter *w, *tmp;

    DL_FOREACH_SAFE (f->waiters, w, tmp)
        waiter_answer(w, answer_for(f, w->fresh));
}

static void flight_free(struct flight *f)
{
    struct engine *e = f->engine;

    HASH_DEL(e->flights, f);
    e->flight_count--;
    e->landed_count -= f->landed != NULL;
    lookup_cancel(&f->lookup);
    callout_cancel(&f->callout);
    trace_free(&f->trace);
    free(f->trail);
    free(f->landed);
    free(f);
    engine_check_idle(e);
}

static void flight_committed(void *arg)
{
    struct flight *f = arg;

    answer_all(f);
    flight_free(f);
}

/* Writer thread. */
static void on_stored(void *arg, bool committed)
{
    struct flight *f = arg;

    (void)committed; /* the store has logged why not; the answer is out all the same */
    loop_post(f->engine->loop, flight_committed, f);
}

static struct reprobe_case flight_case(const struct flight *f)
{
    return (struct reprobe_case){
        .address = &f->address,
        .apart = f->apart,
        .null_sender = f->null_sender,
        .want_catch_all = f->want_catch_all,
        .again = f->again,
        .routed = f->routed,
        .began = f->began_wall,
        .trail = &f->landed->trail,
    };
}

static void flight_schedule(struct flight *f)
{
    const struct reprobe_case c = flight_case(f);

    if (!f->no_probe)
        f->landed->scheduled =
            reprobe_heard(f->engine->reprobe, &c, &f->landed->verdict, &f->landed->deferred);
}

/*
 * How long it is kept. Users of our own come and go, and their servers are cheap to ask: `invalid`
 * has a life of its own. And mail is not to be kept out for minutes by a server that is back.
 */
static void flight_rules(const struct flight *f, uint32_t ttl, struct recall_rules *out)
{
    const struct verifier_opts *o = &f->engine->opts;

    *out = (struct recall_rules){.exact = f->landed->scheduled,
                                 .ttl = ttl,
                                 .confirm = o->confirm_invalid,
                                 .again = f->again,
                                 .dice = rng_below(UINT32_MAX)};
    memcpy(out->lifetimes, o->lifetimes, sizeof(o->lifetimes));
    if (f->landed->scheduled)
        out->lifetimes[STATUS_DEFERRED] = f->landed->deferred;
    if (!f->routed)
        return;
    out->lifetimes[STATUS_INVALID] = o->routed_invalid;
    out->lifetimes[STATUS_DEFERRED] =
        (struct lifetime){ROUTED_DEFERRED_REFRESH, ROUTED_DEFERRED_FORGET};
}

static void flight_confirm(struct flight *f, int64_t at)
{
    const struct reprobe_case c = flight_case(f);

    reprobe_confirm(f->engine->reprobe, &c, at);
}

/* Why who had mail yesterday has none today. */
static void flight_tell_turn(const struct flight *f, const struct record *old,
                             enum recall_effect effect)
{
    const struct verdict *v = &f->landed->verdict;
    char said[256];

    if (old->verdict.status != STATUS_VALID || v->status != STATUS_INVALID ||
        (effect != RECALL_CONFIRM && effect != RECALL_STORE))
        return;
    str_printable(said, sizeof(said), v->evidence.text, strlen(v->evidence.text));
    log_info("<%s> was valid and is said to be %s: code=%u mx=%s: %s%s", f->address.canonical,
             verdict_reason_name(v->reason), (unsigned)v->evidence.code, v->evidence.mx, said,
             effect == RECALL_CONFIRM ? "; it stays valid until that is confirmed" : "");
}

/* Sets what stands, and queues the record; false when there is nothing to wait for. */
static bool flight_store(struct flight *f, uint32_t ttl)
{
    struct engine *e = f->engine;
    struct landing *l = f->landed;
    struct recall_rules rules;
    struct record old, new;
    int64_t now = clock_wall();
    bool known = address_store_get(e->store, &f->address, f->apart, now, &old);
    bool old_stands = known && f->want_catch_all && recall_stands(&old, &l->verdict, now);
    enum recall_effect effect;

    l->replaces = known;
    flight_rules(f, ttl, &rules);
    effect = recall_store(known ? &old : NULL, &l->verdict, now, &rules, &new);
    if (known)
        flight_tell_turn(f, &old, effect);
    l->stands = l->verdict;
    if (effect == RECALL_CONFIRM)
        flight_confirm(f, new.retry_at);
    if (old_stands || effect == RECALL_CONFIRM) {
        l->stands = old.verdict;
        l->stands.source = SOURCE_STORE;
    }
    if (effect == RECALL_NOTHING)
        return false;
    if (e->landed_count > LANDED_MAX) {
        (void)address_store_put(e->store, &f->address, f->apart, &new, NULL, NULL);
        return false;
    }
    return address_store_put(e->store, &f->address, f->apart, &new, on_stored, f);
}

/*
 * At RCPT a refusal may yet be one recipient's own policy, and the recipient's name may have been
 * the word that made it one. So it is not held against the rest for long, and not at all where it
 * has the code of an unknown user, or where anybody can ask about any name: in a domain of our own.
 */
static void flight_remember_refusal(struct flight *f)
{
    const struct verdict *v = &f->landed->verdict;
    const struct lifetime *lives = f->engine->opts.lifetimes;
    bool early = v->evidence.stage < SMTP_STAGE_RCPT;
    bool longer = early && v->reason != REASON_BLOCKED; /* else see callout/standing */
    int64_t rest = lives[longer ? STATUS_UNKNOWN : STATUS_DEFERRED].refresh;

    if (v->passing)
        return;
    if (f->routed)
        rest = ROUTED_DEFERRED_REFRESH;
    if (!recall_about_us(v->reason)) {
        if (!early && v->evidence.code != 0)
            facts_answered(f->engine->facts, f->address.domain, f->apart);
    } else if (early || (!f->routed && v->evidence.enhanced.subject != 1)) {
        facts_refused(f->engine->facts, f->address.domain, f->apart, v, clock_wall() + rest);
    }
}

static void flight_set_down(struct flight *f, const struct verdict *v)
{
    f->landed = calloc(1, sizeof(*f->landed));
    if (f->landed == NULL)
        abort(); /* as in delivery_send() */
    f->landed->verdict = f->landed->stands = *v;
    f->engine->landed_count++;
}

/*
 * The answer is here: waiters hear it now, the store within its commit interval. Where the store
 * has another answer until then, waiters hear theirs after it, so that who asks next hears the
 * same.
 */
static void flight_land(struct flight *f, const struct verdict *v,
                        const struct callout_trail *trail, uint32_t ttl)
{
    flight_set_down(f, v);
    if (trail != NULL)
        f->landed->trail = *trail;
    if (v->source != SOURCE_STORE)
        f->landed->verdict.probed_at = clock_wall();
    f->landed->verdict.ms = clock_mono_ms() - f->started;
    flight_remember_refusal(f);
    flight_schedule(f);
    bool queued = flight_store(f, ttl);
    if (!queued || !f->landed->replaces)
        answer_all(f);
    if (!queued)
        flight_free(f);
}

static void on_verdict(void *arg, const struct verdict *v, const struct callout_trail *trail)
{
    struct flight *f = arg;

    f->callout = NULL;
    if (!v->passing)
        tally_called_out(f->engine->tally, clock_mono_ms() - f->started);
    flight_land(f, v, trail, 0);
}

static void on_trace(void *arg, char dir, const char *line)
{
    struct flight *f = arg;

    trace_add(f->trace, dir, line);
}

static void flight_call_out(struct flight *f, const struct mx_plan *plan)
{
    struct callout_handler h = {.on_verdict = on_verdict, .arg = f};
    struct verdict v;
    struct callout_ask ask = {
        .recipient = &f->address,
        .routed = f->routed,
        .lmtp = f->lmtp,
        .null_sender = f->null_sender,
        .want_catch_all = f->want_catch_all,
        .fresh = f->fresh && !f->again,
        .priority = f->priority,
        .again = f->trail,
        .deadline = f->deadline,
    };

    if (f->trace != NULL)
        h.on_trace = on_trace;
    f->callout = callout_start(f->engine, &ask, plan, &h);
    if (f->callout != NULL)
        return;
    verdict_init(&v, REASON_LOCAL_FAULT, SOURCE_PROBE);
    flight_land(f, &v, NULL, 0);
}

static void on_plan(void *arg, const struct mx_plan *plan)
{
    struct flight *f = arg;
    struct verdict v;

    f->lookup = NULL;
    if (f->trace != NULL && plan->detail[0] != '\0')
        trace_add(f->trace, '*', plan->detail);
    if (!f->no_probe) {
        flight_call_out(f, plan);
        return;
    }
    verdict_init(&v, REASON_SKIPPED, SOURCE_DNS);
    flight_land(f, &v, NULL, 0);
}

static void on_looked_up(void *arg, const struct verdict *v, uint32_t ttl)
{
    struct flight *f = arg;

    f->lookup = NULL;
    if (f->trace != NULL && v->has_evidence)
        trace_add(f->trace, '*', v->evidence.text);
    flight_land(f, v, NULL, ttl);
}

static void flight_add_waiter(struct flight *f, const struct flight_ask *ask)
{
    struct waiter *w = calloc(1, sizeof(*w));

    if (w != NULL)
        w->timer = loop_timer_new(f->engine->loop, on_waiter_deadline, w);
    if (w == NULL || w->timer == NULL) {
        struct verdict v;

        free(w);
        verdict_init(&v, REASON_OVERLOAD, SOURCE_PROBE);
        delivery_send(ask->on, ask->cb, ask->arg, &v, NULL);
        return;
    }
    w->flight = f;
    w->on = ask->on;
    w->cb = ask->cb;
    w->arg = ask->arg;
    w->trace = ask->trace;
    w->fresh = ask->fresh;
    if (ask->trace && f->trace == NULL) {
        f->trace = trace_new();
        trace_add(f->trace, '*', "this callout was under way before anybody asked for its trace");
    }
    if (ask->deadline != INT64_MAX)
        loop_timer_arm(w->timer, ask->deadline - clock_mono_ms());
    DL_APPEND(f->waiters, w);
    f->engine->waiter_count++;
}

static size_t flight_key(const struct flight_ask *ask, uint8_t *key)
{
    size_t len = record_key(&ask->address, ask->apart, key);

    key[len] = (uint8_t)(ask->no_probe | (ask->want_catch_all ? KEY_CATCH_ALL : 0));
    return len + 1;
}

/* False when out of memory. */
static bool flight_lookup(struct flight *f)
{
    struct engine *e = f->engine;
    const struct route *route = route_find(e->opts.routes, f->address.domain);
    const struct lookup_handler h = {on_plan, on_looked_up, f};

    f->routed = route != NULL;
    f->lmtp = route != NULL && route->lmtp;
    f->lookup = lookup_start(e, &f->address, route, e->opts.callout_ms, &h);
    return f->lookup != NULL;
}

/* How it is to be asked once more; without memory as usual. */
static void flight_set_trail(struct flight *f, const struct callout_trail *trail)
{
    if (f->trail == NULL)
        f->trail = malloc(sizeof(*f->trail));
    if (f->trail != NULL)
        *f->trail = *trail;
}

static struct flight *flight_start(struct engine *e, const struct flight_ask *ask)
{
    uint8_t key[RECORD_KEY_SIZE + 1];
    size_t key_len = flight_key(ask, key);
    struct flight *f = calloc(1, sizeof(*f) + key_len);

    if (f == NULL)
        return NULL;
    f->engine = e;
    f->address = ask->address;
    memcpy(f->key, key, key_len);
    f->key_len = key_len;
    f->no_probe = ask->no_probe;
    f->null_sender = ask->null_sender;
    f->apart = ask->apart;
    f->want_catch_all = ask->want_catch_all;
    f->fresh = ask->fresh;
    f->priority = ask->priority;
    f->again = ask->again;
    if (ask->again)
        flight_set_trail(f, &ask->trail);
    f->began_wall = clock_wall_ms();
    f->started = clock_mono_ms();
    f->deadline = f->started + e->opts.callout_ms;
    if (ask->trace)
        f->trace = trace_new();
    if (!flight_lookup(f)) {
        trace_free(&f->trace);
        free(f->trail);
        free(f);
        return NULL;
    }
    HASH_ADD(hh, e->flights, key, f->key_len, f);
    e->flight_count++;
    return f;
}

/* What cannot be learned now does not make less of the rest: *v is what is known, if anything is.
 */
static void recall_rest(struct engine *e, const struct flight_ask *ask, struct verdict *v)
{
    if (ask->want_catch_all)
        (void)address_store_recall(e->store, &ask->address, ask->apart, ask->stale_ok, false, v);
}

/* What is known without a flight: a record that came meanwhile, a refusal, no room, the end. */
static bool answer_without_flight(struct engine *e, const struct flight_ask *ask, struct verdict *v)
{
    if (e->stopping) {
        verdict_init(v, REASON_PENDING, SOURCE_PROBE);
        return true;
    }
    if (!ask->fresh) {
        enum recall known = address_store_recall(e->store, &ask->address, ask->apart, ask->stale_ok,
                                                 ask->want_catch_all, v);

        if (known == RECALL_ANSWER || (known == RECALL_ANSWER_REFRESH && ask->cb != NULL))
            return true;
    }
    if (!ask->fresh && !ask->no_probe &&
        facts_recall(e->facts, ask->address.domain, ask->apart, clock_wall(), v)) {
        recall_rest(e, ask, v);
        return true;
    }
    if (!ask->fresh && reprobe_is_due(e->reprobe, &ask->address, ask->apart, v)) {
        recall_rest(e, ask, v);
        return true;
    }
    if (e->flight_count - e->landed_count < e->opts.total + e->opts.max_waiting)
        return false;
    verdict_init(v, REASON_OVERLOAD, SOURCE_PROBE);
    return true;
}

/* The one to join. Who does not want to know what the domain does with others is content with one
   that finds that out, too. */
static struct flight *flight_find(struct engine *e, const struct flight_ask *ask)
{
    uint8_t key[RECORD_KEY_SIZE + 1];
    size_t len = flight_key(ask, key);
    struct flight *f;

    HASH_FIND(hh, e->flights, key, len, f);
    if (f == NULL && !ask->want_catch_all) {
        key[len - 1] |= KEY_CATCH_ALL;
        HASH_FIND(hh, e->flights, key, len, f);
    }
    return f;
}

static void flight_hurry(struct flight *f, enum callout_priority priority)
{
    if (priority >= f->priority)
        return;
    f->priority = priority;
    if (f->callout != NULL)
        callout_hurry(f->callout, priority);
}

/* A re-probe that comes to a callout under way: that is the try. */
static void flight_becomes_again(struct flight *f, const struct flight_ask *ask)
{
    f->again = true;
    if (f->callout == NULL)
        flight_set_trail(f, &ask->trail);
}

static void tell_overload(struct engine *e)
{
    if (log_ratelimit(&e->overload))
        log_warning("max_waiting: %u clients wait, others are told unknown/overload",
                    e->waiter_count);
}

/* Bulk leaves half of it to others. */
static unsigned most_waiters(const struct engine *e, const struct flight_ask *ask)
{
    unsigned most = e->opts.max_waiting;

    return ask->priority == CALLOUT_BULK ? most - most / 2 : most;
}

bool flight_join(struct engine *e, const struct flight_ask *ask)
{
    struct flight *f = flight_find(e, ask);
    struct verdict v;

    if (f != NULL && f->landed != NULL) {
        v = *answer_for(f, ask->fresh);
    } else if (ask->cb != NULL && e->waiter_count >= most_waiters(e, ask)) {
        tell_overload(e);
        verdict_init(&v, REASON_OVERLOAD, SOURCE_PROBE);
    } else if (f != NULL || !answer_without_flight(e, ask, &v)) {
        if (f == NULL)
            f = flight_start(e, ask);
        if (f != NULL) {
            flight_hurry(f, ask->priority);
            if (ask->again)
                flight_becomes_again(f, ask);
            if (ask->cb != NULL)
                flight_add_waiter(f, ask);
            return true;
        }
        verdict_init(&v, REASON_LOCAL_FAULT, SOURCE_PROBE);
    }
    if (ask->cb != NULL)
        delivery_send(ask->on, ask->cb, ask->arg, &v, NULL);
    return false;
}

void flight_end_all(struct engine *e)
{
    struct flight *f, *tmp;

    HASH_ITER (hh, e->flights, f, tmp) {
        bool under_way = f->landed == NULL;
        struct verdict v;

        if (under_way) {
            known_by_now(f, &v);
            flight_set_down(f, &v);
        }
        answer_all(f);
        if (under_way)
            flight_free(f);
    }
}
