#include "callout/gate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "callout/desk.h"
#include "callout/line.h"
#include "callout/origin.h"

/* The last of a callout's time: who waited that long is given none; less where all of it is short.
 */
#define LEAST_MS    2000
#define LEAST_SHARE 3

/* The queue */

static void leave_queue(struct turn *t)
{
    DL_DELETE(t->desk->queues[t->queue], t);
    t->desk->queued[t->queue]--;
    t->desk->waiting--;
}

static void turn_free(struct turn *t)
{
    struct engine *e = t->desk->gate->engine;

    if (t->trial)
        standing_unanswered(&t->desk->standing);
    if (t->network_trial)
        outage_trial_over(&e->network);
    targets_unref(&t->targets);
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

/* Where there is trouble: who had a turn already, unless the session was lost; that would be
   another connection. */
static bool may_go_on(const struct turn *t)
{
    return t->goes_on && !t->fresh_session &&
           (t->trial || t->desk->standing.breaker.state != BREAKER_OPEN);
}

/* Those who wait are answered. */
static void refuse_all(struct desk *d)
{
    struct turn *t, *tmp;
    struct verdict v;
    bool trial;

    for (unsigned q = 0; q < QUEUE_COUNT; q++)
        DL_FOREACH_SAFE (d->queues[q], t, tmp)
            if (!may_go_on(t) && standing_refuses(&d->standing, false, &v, &trial))
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

static void quit_kept(struct line *l)
{
    line_set_kept(l, false);
    session_quit(l->session);
}

static struct line *kept_of(const struct desk *d)
{
    struct line *l;

    DL_FOREACH (d->lines, l)
        if (l->kept)
            return l;
    return NULL;
}

/* Where all connections are in use, one that is only kept makes room. */
static bool may_open(struct desk *d)
{
    struct gate *g = d->gate;
    struct line *kept = NULL;

    if (d->line_count >= pace_connections(&d->standing.pace)) {
        kept = kept_of(d);
    } else if (g->line_count >= g->engine->opts.total) {
        desk_starve(d);
        kept = g->kept;
    } else if (g->starved != NULL && g->fed != d) {
        desk_starve(d); /* behind those who wait already */
        loop_timer_arm(g->timer, 0);
    } else {
        return true;
    }
    if (kept != NULL)
        quit_kept(kept);
    return false;
}

static void fail_local(struct turn *t)
{
    struct verdict v;

    verdict_init(&v, REASON_LOCAL_FAULT, SOURCE_PROBE);
    refuse(t, &v);
}

/* What has changed since it came to the queue. */
static bool comes_to_nothing(struct turn *t, struct verdict *v)
{
    struct desk *d = t->desk;
    int64_t least = d->gate->engine->opts.callout_ms / LEAST_SHARE;

    if (t->queue == CALLOUT_BULK + 1 && standing_bulk_rests(&d->standing, v))
        return true;
    if (!t->goes_on && t->job.deadline - clock_mono_ms() < (least < LEAST_MS ? least : LEAST_MS)) {
        turn_too_late(d->standing.name, v);
        return true;
    }
    return !origin_stands(t) && !origin_choose(t, v);
}

/* Until the rate allows it. */
static int64_t wait_of(struct turn *t)
{
    return t->goes_on ? 0 : pace_wait(&t->desk->standing.pace, clock_mono_ms());
}

static void serve(struct desk *d)
{
    struct verdict v;
    struct turn *t;

    while ((t = first_turn(d)) != NULL) {
        int64_t wait = wait_of(t);

        if (comes_to_nothing(t, &v)) {
            refuse(t, &v);
            continue;
        }
        if (wait > 0) {
            loop_timer_arm(d->timer, wait);
            return;
        }
        if (serve_on_kept(d, t))
            continue;
        if (!may_open(d))
            return;
        if (line_open(d, t))
            begin(t);
        else
            fail_local(t);
    }
}

/* Who is refused here may go to another desk, for which this one is not to be swept away. */
static void dispatch(struct desk *d)
{
    bool was_served = d->is_served;

    d->is_served = true;
    serve(d);
    d->is_served = was_served;
}

static void on_desk(void *arg)
{
    dispatch(arg);
}

/* There is room for those who wait for `total`: each in its turn, however much the others want. */
static void on_room(void *arg)
{
    struct gate *g = arg;

    while (g->starved != NULL && g->line_count < g->engine->opts.total) {
        g->fed = g->starved;
        desk_unstarve(g->fed);
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

/* The door */

static bool refuses(struct desk *d, const struct turn_ask *ask, struct turn *t, struct verdict *out)
{
    struct outage *net = &d->gate->engine->network;
    int64_t now = clock_mono_ms();

    if (ask->routed || may_go_on(t))
        return false;
    if (ask->try_now)
        standing_try_now(&d->standing);
    if (standing_refuses(&d->standing, ask->priority == CALLOUT_BULK, out, &t->trial))
        return true;
    if (outage_admit(net, now, &t->network_trial))
        return false;
    verdict_init(out, REASON_LOCAL_FAULT, SOURCE_PROBE);
    out->has_evidence = outage_tell(net, now, out->evidence.text, sizeof(out->evidence.text));
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
    t->more = ask->more;
    t->any_source = ask->any_source;
    t->source = ask->source;
    t->session = ask->session;
    t->job = ask->job;
    t->domain = ask->domain;
    for (size_t i = 0; i < ask->count; i++)
        t->map[i] = (uint8_t)i;
}

/* By the rate alone those before it in the queue take longer than it has. */
static bool is_hopeless(struct turn *t, struct verdict *out)
{
    struct desk *d = t->desk;
    int64_t now = clock_mono_ms(), wait;
    unsigned ahead = 0;

    if (t->goes_on)
        return false;
    for (unsigned q = 0; q <= t->queue; q++)
        ahead += d->queued[q];
    wait = pace_wait_for(&d->standing.pace, now, ahead + 1);
    if (wait == 0 || now + wait < t->job.deadline)
        return false;
    turn_too_late(d->standing.name, out);
    return true;
}

static void take_trial(struct turn *t, struct turn *before)
{
    if (before == NULL || before->desk != t->desk)
        return;
    t->trial = before->trial;
    before->trial = false;
}

struct turn *gate_wait(struct gate *g, const struct turn_ask *ask, const struct turn_handler *h,
                       struct verdict *refused)
{
    struct turn *t = calloc(1, sizeof(*t));
    struct desk *d = t != NULL ? desk_of(g, ask) : NULL;

    if (d != NULL)
        t->targets = targets_new(ask->targets, ask->count);
    if (d == NULL || t->targets == NULL) {
        free(t);
        verdict_init(refused, REASON_LOCAL_FAULT, SOURCE_PROBE);
        return NULL;
    }
    fill_turn(t, d, ask, h);
    take_trial(t, ask->before);
    if (refuses(d, ask, t, refused) || is_hopeless(t, refused) || !origin_choose(t, refused)) {
        turn_free(t);
        return NULL;
    }
    DL_APPEND(d->queues[t->queue], t);
    d->queued[t->queue]++;
    d->waiting++;
    if (!loop_timer_armed(d->timer) || t->goes_on)
        loop_timer_arm(d->timer, 0);
    return t;
}

void turn_too_late(const char *destination, struct verdict *v)
{
    verdict_init(v, REASON_RATE_LIMITED, SOURCE_STORE);
    v->passing = true;
    v->has_evidence = true;
    (void)str_format(v->evidence.text, sizeof(v->evidence.text), "no turn at %s in time",
                     destination);
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
    d->queued[t->queue]--;
    t->queue = priority + 1;
    DL_APPEND(d->queues[t->queue], t);
    d->queued[t->queue]++;
}

bool turn_ask_more(struct turn *t, const struct session_job *job, bool new_transaction)
{
    struct session *session = t->line->session;

    if (!session_takes(session, job->recipient->domain, new_transaction))
        new_transaction = true; /* RCPTMAX */
    if (!line_is_good(t->line) || !session_ask(session, job, new_transaction))
        return false;
    t->line->asked++;
    pace_take(&t->desk->standing.pace, clock_mono_ms());
    return true;
}

/* To who waits, or may come: it is connected, and there is no trouble. */
static bool is_of_use(const struct line *l)
{
    const struct desk *d = l->desk;
    const struct engine *e = d->gate->engine;
    struct turn *t = first_turn(d);
    bool wanted = t != NULL && wait_of(t) == 0;

    return !e->stopping && l->peer != NULL && line_is_good(l) &&
           (wanted || (e->opts.idle_ms > 0 && d->gate->starved == NULL));
}

/* Its line to the next who waits, or kept for one who comes. */
static void hand_on(struct line *l)
{
    struct desk *d = l->desk;

    l->turn = NULL;
    line_set_kept(l, session_keep(l->session, d->gate->engine->opts.idle_ms));
    if (l->kept && d->waiting > 0)
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
    } else if (is_of_use(l) && session_takes(l->session, t->domain, true)) {
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

void gate_heard(struct gate *g, const struct gate_word *w)
{
    struct desk *d = desk_find(g, w->destination);
    struct standing_word word = {.verdict = w->verdict, .domain = w->domain, .made_up = w->made_up};
    int64_t now = clock_mono_ms();
    struct line *l;

    if (d == NULL || d->routed)
        return;
    if (standing_is_throttle(w->verdict) && w->source.family != AF_UNSPEC)
        word.others = sources_rest(g->engine->sources, &w->source, w->destination,
                                   now + rest_of(&d->standing), now);
    switch (standing_heard(&d->standing, &word)) {
    case STANDING_SAME:
        break;
    case STANDING_REFUSED:
        while ((l = kept_of(d)) != NULL)
            quit_kept(l);
        refuse_all(d);
        break;
    case STANDING_TROUBLE:
        refuse_all(d);
        break;
    case STANDING_CHANGED:
        if (d->waiting > 0)
            loop_timer_arm(d->timer, 0);
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
    g->on_desk = on_desk;
    g->timer = loop_timer_new(e->loop, on_room, g);
    if (g->timer == NULL)
        gate_free(&g);
    return g;
}
