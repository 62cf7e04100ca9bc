#include "callout/gate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "callout/line.h"

#define DESKS_MAX  10000 /* remembered while nobody is there; those in trouble stay */
#define SWEEP_STEP 32

/* Of servers of our own: so many at a time are what an MTA uses, too (Postfix:
   default_destination_concurrency_limit). */
static const struct pace_limits routed_limits = {.connections = 20, .per_connection = 100};

static void dispatch(struct desk *d);

/* Desks */

static unsigned either(unsigned own, unsigned usual)
{
    return own != 0 ? own : usual;
}

static struct pace_limits limits_of(const struct gate *g, const struct provider *p, bool routed)
{
    const struct pace_limits *usual = &g->engine->opts.limits;

    if (routed)
        return routed_limits;
    if (p == NULL)
        return *usual;
    return (struct pace_limits){
        .connections = either(p->limits.connections, usual->connections),
        .per_connection = either(p->limits.per_connection, usual->per_connection),
        .rate_milli = either(p->limits.rate_milli, usual->rate_milli),
        .burst = either(p->limits.burst, usual->burst),
    };
}

static void on_timer(void *arg)
{
    dispatch(arg);
}

/* The one that has waited longest for `total` comes first. */
static void set_starved(struct desk *d, bool starved)
{
    struct gate *g = d->gate;

    if (starved && !d->starved)
        DL_APPEND2(g->starved, d, starved_prev, starved_next);
    else if (!starved && d->starved)
        DL_DELETE2(g->starved, d, starved_prev, starved_next);
    d->starved = starved;
}

static void desk_free(struct desk *d)
{
    set_starved(d, false);
    HASH_DEL(d->gate->desks, d);
    loop_timer_free(&d->timer);
    free(d);
}

/* The ones nobody has been at for longest, if nothing would be missed. */
static void sweep(struct gate *g)
{
    struct desk *d, *tmp;
    unsigned looked = 0;

    HASH_ITER (hh, g->desks, d, tmp) {
        if (looked++ == SWEEP_STEP)
            return;
        if (d->waiting == 0 && d->line_count == 0 && standing_is_neutral(&d->standing))
            desk_free(d);
    }
}

static struct desk *desk_new(struct gate *g, const struct turn_ask *ask,
                             const struct pace_limits *limits)
{
    struct desk *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->timer = loop_timer_new(g->engine->loop, on_timer, d);
    if (d->timer == NULL) {
        free(d);
        return NULL;
    }
    d->gate = g;
    d->routed = ask->routed;
    standing_init(&d->standing, g->engine->keep, ask->destination, limits);
    HASH_ADD_STR(g->desks, standing.name, d);
    return d;
}

static struct desk *find(const struct gate *g, const char *name)
{
    struct desk *d;

    HASH_FIND_STR(g->desks, name, d);
    return d;
}

static struct desk *desk_of(struct gate *g, const struct turn_ask *ask)
{
    struct pace_limits limits = limits_of(g, ask->provider, ask->routed);
    struct desk *d = find(g, ask->destination);

    if (d == NULL) {
        if (HASH_COUNT(g->desks) >= DESKS_MAX)
            sweep(g);
        d = desk_new(g, ask, &limits);
    }
    if (d != NULL && memcmp(&d->limits, &limits, sizeof(limits)) != 0) {
        d->limits = limits;
        pace_set_limits(&d->standing.pace, &limits, clock_mono_ms());
        loop_timer_arm(d->timer, 0); /* those who wait may wait no longer */
    }
    return d;
}

/* The queue */

static void leave_queue(struct turn *t)
{
    DL_DELETE(t->desk->queues[t->queue], t);
    t->desk->waiting--;
}

static void turn_free(struct turn *t)
{
    struct engine *e = t->desk->gate->engine;

    if (t->trial)
        standing_unanswered(&t->desk->standing);
    if (t->network_trial)
        outage_trial_over(&e->network);
    free(t);
}

/* Whoever waits is told. */
static void refuse(struct turn *t, const struct verdict *v)
{
    struct turn_handler h = t->handler;

    leave_queue(t);
    turn_free(t);
    h.on_refused(h.arg, v);
}

/* Trouble: those who wait are answered. Who had a turn already goes on. */
static void refuse_all(struct desk *d)
{
    struct turn *t, *tmp;
    struct verdict v;
    bool trial;

    for (unsigned q = 1; q < QUEUE_COUNT; q++)
        DL_FOREACH_SAFE (d->queues[q], t, tmp)
            if (standing_refuses(&d->standing, false, &v, &trial))
                refuse(t, &v);
}

static struct turn *first_turn(const struct desk *d)
{
    for (unsigned q = 0; q < QUEUE_COUNT; q++)
        if (d->queues[q] != NULL)
            return d->queues[q];
    return NULL;
}

/* Turns and lines */

static void begin(struct turn *t)
{
    leave_queue(t);
    pace_take(&t->desk->standing.pace, clock_mono_ms());
}

/* One of those who are as urgent as the first, on a session that is kept. */
static bool serve_on_kept(struct desk *d, const struct turn *first)
{
    struct turn *t;
    struct line *l;

    DL_FOREACH (d->lines, l) {
        if (!l->kept)
            continue;
        DL_FOREACH (d->queues[first->queue], t)
            if (line_serves(l, t) && line_take(l, t)) {
                begin(t);
                return true;
            }
    }
    return false;
}

static bool quit_kept(struct desk *d)
{
    struct line *l;

    DL_FOREACH (d->lines, l)
        if (l->kept) {
            l->kept = false;
            session_quit(l->session);
            return true;
        }
    return false;
}

/* Where all connections are in use by somebody, one that is only kept makes room. */
static void make_room(struct gate *g)
{
    struct desk *d, *tmp;

    HASH_ITER (hh, g->desks, d, tmp)
        if (quit_kept(d))
            return;
}

static bool may_open(struct desk *d)
{
    struct gate *g = d->gate;

    if (d->line_count >= pace_connections(&d->standing.pace)) {
        (void)quit_kept(d);
        return false;
    }
    if (g->line_count < g->engine->opts.total && (g->starved == NULL || g->fed == d))
        return true;
    set_starved(d, true);
    if (g->line_count < g->engine->opts.total)
        loop_timer_arm(g->timer, 0);
    else
        make_room(g);
    return false;
}

static void fail_local(struct turn *t)
{
    struct verdict v;

    verdict_init(&v, REASON_LOCAL_FAULT, SOURCE_PROBE);
    refuse(t, &v);
}

/* Bulk that waited may have to rest by now. */
static bool rests(struct desk *d, struct turn *t)
{
    struct verdict v;

    if (t->queue != CALLOUT_BULK + 1 || !standing_bulk_rests(&d->standing, &v))
        return false;
    refuse(t, &v);
    return true;
}

/* Until the rate allows it. */
static int64_t wait_of(struct turn *t)
{
    return t->goes_on ? 0 : pace_wait(&t->desk->standing.pace, clock_mono_ms());
}

static void dispatch(struct desk *d)
{
    struct turn *t;

    while ((t = first_turn(d)) != NULL) {
        int64_t wait = wait_of(t);

        if (wait > 0) {
            loop_timer_arm(d->timer, wait);
            return;
        }
        if (rests(d, t) || serve_on_kept(d, t))
            continue;
        if (!may_open(d))
            return;
        if (line_open(d, t))
            begin(t);
        else
            fail_local(t);
    }
}

/* There is room for those who wait for `total`: each in its turn, however much the others want. */
static void on_room(void *arg)
{
    struct gate *g = arg;

    while (g->starved != NULL && g->line_count < g->engine->opts.total) {
        g->fed = g->starved;
        set_starved(g->fed, false);
        dispatch(g->fed);
        g->fed = NULL;
    }
}

void gate_line_gone(struct desk *d)
{
    struct gate *g = d->gate;

    d->line_count--;
    g->line_count--;
    if (d->waiting > 0)
        loop_timer_arm(d->timer, 0);
    if (g->starved != NULL)
        loop_timer_arm(g->timer, 0);
    engine_check_idle(g->engine);
}

/* Sources */

static bool in_pool(const struct sources_opts *o, const struct netaddr *ip)
{
    for (size_t i = 0; i < o->count; i++)
        if (netaddr_equal(&o->list[i], ip))
            return true;
    return false;
}

static enum sources_pick pick(struct gate *g, const struct turn_ask *ask, int family,
                              struct netaddr *out)
{
    struct engine *e = g->engine;
    int64_t now = clock_mono_ms();

    *out = (struct netaddr){.family = AF_UNSPEC};
    if (ask->routed)
        return SOURCES_ANY;
    if (!ask->any_source && ask->source.family == family &&
        in_pool(&e->opts.sources, &ask->source)) {
        *out = ask->source;
        return sources_usable(e->sources, out, ask->destination, now) ? SOURCES_ONE : SOURCES_REST;
    }
    return sources_pick(e->sources, family, ask->destination, ask->domain, now, out);
}

/* The targets that can be reached from a source of ours; `why`: the worst reason for another. */
static size_t choose_targets(struct gate *g, const struct turn_ask *ask, struct turn *t,
                             enum sources_pick *why)
{
    struct netaddr source[2];
    enum sources_pick picked[2] = {
        pick(g, ask, AF_INET, &source[0]),
        pick(g, ask, AF_INET6, &source[1]),
    };

    for (size_t i = 0; i < ask->count; i++) {
        struct session_target *to = &t->targets[t->count];
        bool v6 = ask->targets[i].ip.family == AF_INET6;

        if (picked[v6] > SOURCES_ONE) {
            *why = picked[v6];
            continue;
        }
        *to = ask->targets[i];
        to->source = source[v6];
        t->map[t->count++] = (uint8_t)i;
    }
    return t->count;
}

/* The door. Who goes on is let in, unless the session was lost: that would be another connection.
 */

static bool refuses(struct desk *d, const struct turn_ask *ask, struct turn *t, struct verdict *out)
{
    struct outage *net = &d->gate->engine->network;

    if (ask->routed || (ask->goes_on && !ask->fresh_session))
        return false;
    if (standing_refuses(&d->standing, ask->priority == CALLOUT_BULK, out, &t->trial))
        return true;
    if (outage_admit(net, &t->network_trial))
        return false;
    verdict_init(out, REASON_LOCAL_FAULT, SOURCE_PROBE);
    out->has_evidence = outage_tell(net, out->evidence.text, sizeof(out->evidence.text));
    return true;
}

static bool has_no_source(struct gate *g, const struct turn_ask *ask, struct turn *t,
                          struct verdict *out)
{
    enum sources_pick why = SOURCES_ANY;

    if (choose_targets(g, ask, t, &why) > 0)
        return false;
    verdict_init(out, why == SOURCES_REST ? REASON_RATE_LIMITED : REASON_LOCAL_FAULT, SOURCE_STORE);
    out->passing = true;
    out->has_evidence = true;
    (void)str_copy(out->evidence.text, sizeof(out->evidence.text),
                   why == SOURCES_REST ? "every source address rests there"
                                       : "none of source_addresses is on this host");
    return true;
}

static void fill_turn(struct turn *t, struct desk *d, const struct turn_ask *ask,
                      const struct turn_handler *h)
{
    t->desk = d;
    t->handler = *h;
    t->queue = ask->goes_on ? 0 : ask->priority + 1;
    t->goes_on = ask->goes_on;
    t->fresh_session = ask->fresh_session;
    t->session = *ask->session;
    t->job = ask->job;
    (void)str_copy(t->domain, sizeof(t->domain), ask->domain);
}

struct turn *gate_wait(struct gate *g, const struct turn_ask *ask, const struct turn_handler *h,
                       struct verdict *refused)
{
    struct turn *t = calloc(1, sizeof(*t) + ask->count * sizeof(t->targets[0]));
    struct desk *d = t != NULL ? desk_of(g, ask) : NULL;

    if (d == NULL) {
        free(t);
        verdict_init(refused, REASON_LOCAL_FAULT, SOURCE_PROBE);
        return NULL;
    }
    fill_turn(t, d, ask, h);
    if (refuses(d, ask, t, refused) || has_no_source(g, ask, t, refused)) {
        turn_free(t);
        return NULL;
    }
    DL_APPEND(d->queues[t->queue], t);
    d->waiting++;
    if (!loop_timer_armed(d->timer) || t->goes_on)
        loop_timer_arm(d->timer, 0);
    return t;
}

bool turn_waits(const struct turn *t)
{
    return t != NULL && t->line == NULL;
}

void turn_hurry(struct turn *t, enum callout_priority priority)
{
    struct desk *d = t->desk;

    if (t->line != NULL || t->queue <= priority + 1)
        return;
    DL_DELETE(d->queues[t->queue], t);
    t->queue = priority + 1;
    DL_APPEND(d->queues[t->queue], t);
}

bool turn_ask_more(struct turn *t, const struct session_job *job, bool new_transaction)
{
    if (!session_takes(t->line->session, job->recipient->domain, new_transaction))
        new_transaction = true; /* RCPTMAX */
    if (!session_ask(t->line->session, job, new_transaction))
        return false;
    t->line->asked++;
    pace_take(&t->desk->standing.pace, clock_mono_ms());
    return true;
}

/* Its line to the next who waits, or kept for one who comes; else it ends by itself. */
static void hand_on(struct line *l)
{
    struct desk *d = l->desk;
    struct engine *e = d->gate->engine;
    struct turn *t = first_turn(d);
    bool wanted = t != NULL && wait_of(t) == 0;

    l->turn = NULL;
    if (e->stopping || !line_is_good(l) ||
        (!wanted && (e->opts.idle_ms == 0 || d->gate->starved != NULL)))
        return;
    l->kept = session_keep(l->session, e->opts.idle_ms);
    if (l->kept && t != NULL)
        dispatch(d);
}

void turn_end(struct turn **tp)
{
    struct turn *t = *tp;
    struct line *l;

    if (t == NULL)
        return;
    *tp = NULL;
    l = t->line;
    if (l == NULL) {
        leave_queue(t);
    } else if (session_takes(l->session, t->domain, true)) {
        hand_on(l);
    } else {
        l->turn = NULL;
        session_quit(l->session);
    }
    turn_free(t);
}

/* What is heard */

/* As long as the pause would be. */
static int64_t rest_of(const struct standing *s)
{
    int64_t ms = PACE_PAUSE_FIRST << s->pace.level;

    return ms < PACE_PAUSE_MAX ? ms : PACE_PAUSE_MAX;
}

void gate_heard(struct gate *g, const char *destination, const char *domain,
                const struct verdict *v, const struct netaddr *source)
{
    struct desk *d = find(g, destination);
    struct sources *pool = g->engine->sources;
    int64_t now = clock_mono_ms();
    bool others = false;

    if (d == NULL || d->routed)
        return;
    if (standing_is_throttle(v) && source->family != AF_UNSPEC)
        others = sources_rest(pool, source, destination, now + rest_of(&d->standing), now);
    switch (standing_heard(&d->standing, domain, v, others)) {
    case STANDING_SAME:
    case STANDING_SHRUNK:
        break;
    case STANDING_REFUSED:
        while (quit_kept(d))
            ;
        refuse_all(d);
        break;
    case STANDING_TROUBLE:
        refuse_all(d);
        break;
    }
}

unsigned gate_session_count(const struct gate *g)
{
    return g->line_count;
}

void gate_quit_all(struct gate *g)
{
    struct desk *d, *tmp;
    struct line *l;

    HASH_ITER (hh, g->desks, d, tmp)
        DL_FOREACH (d->lines, l)
            session_quit(l->session);
}

void gate_free(struct gate **gp)
{
    struct desk *d, *tmp;

    if (*gp == NULL)
        return;
    HASH_ITER (hh, (*gp)->desks, d, tmp)
        desk_free(d);
    loop_timer_free(&(*gp)->timer);
    free(*gp);
    *gp = NULL;
}

struct gate *gate_new(struct engine *e)
{
    struct gate *g = calloc(1, sizeof(*g));

    if (g == NULL)
        return NULL;
    g->engine = e;
    g->timer = loop_timer_new(e->loop, on_room, g);
    if (g->timer == NULL)
        gate_free(&g);
    return g;
}
