#include "callout/desk.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/str.h"

#define DESKS_MAX  10000 /* remembered while nobody is there */
#define SWEEP_STEP 32

/* Of servers of our own: so many at a time are what an MTA uses, too (Postfix:
   default_destination_concurrency_limit). */
static const struct pace_limits routed_limits = {.connections = 20, .per_connection = 100};

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

void desk_free(struct desk *d)
{
    desk_unstarve(d);
    HASH_DEL(d->gate->desks, d);
    loop_timer_free(&d->timer);
    free(d);
}

/* The next few, from where the last sweep ended. */
static void sweep(struct gate *g)
{
    struct desk *d = g->swept != NULL ? g->swept : g->desks, *next;

    for (unsigned i = 0; i < SWEEP_STEP && d != NULL; i++, d = next) {
        next = d->hh.next;
        if (!d->is_served && d->waiting == 0 && d->line_count == 0 && standing_may_go(&d->standing))
            desk_free(d);
    }
    g->swept = d;
}

static struct desk *desk_new(struct gate *g, const char *name, bool routed,
                             const struct pace_limits *limits)
{
    struct desk *d = calloc(1, sizeof(*d));

    if (d == NULL)
        return NULL;
    d->timer = loop_timer_new(g->engine->loop, g->on_desk, d);
    if (d->timer == NULL) {
        free(d);
        return NULL;
    }
    d->gate = g;
    d->routed = routed;
    d->limits = *limits;
    standing_init(&d->standing, g->engine->keep, name, limits);
    HASH_ADD_STR(g->desks, standing.name, d);
    return d;
}

struct desk *desk_find(const struct gate *g, const char *name)
{
    struct desk *d;

    HASH_FIND_STR(g->desks, name, d);
    return d;
}

static void set_limits(struct desk *d, const struct pace_limits *limits)
{
    if (memcmp(&d->limits, limits, sizeof(*limits)) == 0)
        return;
    d->limits = *limits;
    pace_set_limits(&d->standing.pace, limits, clock_mono_ms());
    loop_timer_arm(d->timer, 0); /* those who wait may wait no longer */
}

struct desk *desk_of(struct gate *g, const struct turn_ask *ask)
{
    const struct pace_limits limits = limits_of(g, ask->provider, ask->routed);
    struct desk *d = desk_find(g, ask->destination);

    if (d == NULL) {
        if (HASH_COUNT(g->desks) >= DESKS_MAX)
            sweep(g);
        d = desk_new(g, ask->destination, ask->routed, &limits);
    }
    if (d != NULL)
        set_limits(d, &limits);
    return d;
}

void desk_starve(struct desk *d)
{
    struct gate *g = d->gate;

    if (d->is_starved)
        return;
    d->is_starved = true;
    DL_APPEND2(g->starved, d, starved_prev, starved_next);
}

void desk_unstarve(struct desk *d)
{
    if (d->is_starved)
        DL_DELETE2(d->gate->starved, d, starved_prev, starved_next);
    d->is_starved = false;
}

/* A destination is called by its provider, where it has one. */
static const struct provider *provider_of(const struct gate *g, const char *name)
{
    static const char prefix[] = "provider/";
    size_t len = sizeof(prefix) - 1;

    if (strncmp(name, prefix, len) != 0)
        return NULL;
    return providers_find(g->engine->opts.providers, name + len);
}

void gate_reconfigure(struct gate *g)
{
    struct desk *d, *tmp;

    HASH_ITER (hh, g->desks, d, tmp) {
        struct pace_limits limits = limits_of(g, provider_of(g, d->standing.name), d->routed);

        set_limits(d, &limits);
    }
    if (g->starved != NULL) /* `total` may be more now */
        loop_timer_arm(g->timer, 0);
}

static bool recall_one(void *arg, const void *key, size_t key_len, const void *value,
                       size_t value_len)
{
    struct gate *g = arg;
    struct destination_fact fact;
    char name[DESTINATION_NAME_SIZE];
    struct pace_limits limits;

    if (key_len >= sizeof(name) || !destination_fact_decode(value, value_len, &fact) ||
        fact.breaker.state == BREAKER_CLOSED || HASH_COUNT(g->desks) >= DESKS_MAX)
        return true;
    (void)str_copyn(name, sizeof(name), key, key_len);
    limits = limits_of(g, provider_of(g, name), false);
    if (desk_find(g, name) == NULL)
        (void)desk_new(g, name, false, &limits);
    return true;
}

void gate_recall(struct gate *g)
{
    struct store *store = g->engine->store;

    if (store != NULL)
        (void)store_each(store, STORE_TABLE_DESTINATION, clock_wall(), recall_one, g);
}

void gate_reread(struct gate *g, const char *destination)
{
    struct desk *d = desk_find(g, destination);

    if (d == NULL)
        return; /* whoever comes there next reads it */
    standing_reread(&d->standing, &d->limits);
    loop_timer_arm(d->timer, 0); /* those who wait may wait no longer */
}
