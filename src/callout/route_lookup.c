#include "callout/route_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/str.h"
#include "dns/resolver.h"

struct target_lookup {
    struct route_lookup *all;
    struct mx_lookup *lookup; /* NULL: not asked, or answered */
    struct mx_plan *plan;     /* NULL: not answered yet, or out of memory */
};

struct route_lookup {
    size_t count;
    struct route_target *asked;
    mx_lookup_cb cb;
    void *arg;
    struct loop_timer *later; /* for results that are there at once */
    size_t pending;
    struct target_lookup targets[ROUTE_TARGETS_MAX];
};

static const struct mxlist_opts anywhere = {.allow_private = true, .allow_own = true};

static void lookup_free(struct route_lookup *l)
{
    for (size_t i = 0; i < ROUTE_TARGETS_MAX; i++) {
        mx_lookup_cancel(&l->targets[i].lookup);
        free(l->targets[i].plan);
    }
    loop_timer_free(&l->later);
    free(l->asked);
    free(l);
}

/* The candidates of a target, behind those of better ones, up to `max` in all. */
static void add_target(struct mx_plan *plan, const struct mx_plan *from, uint16_t preference,
                       uint16_t port, size_t max)
{
    for (size_t i = 0; from != NULL && i < from->count && plan->count < max; i++) {
        struct mx_candidate *c = &plan->list[plan->count++];

        *c = from->list[i];
        c->preference = preference;
        c->port = port;
    }
}

static void finish(void *arg)
{
    struct route_lookup *l = arg;
    const struct mx_plan *first = l->targets[0].plan;
    struct mx_plan plan = {.count = 0};

    for (size_t i = 0; i < l->count; i++)
        add_target(&plan, l->targets[i].plan, (uint16_t)i, l->asked[i].port,
                   MX_CANDIDATES_MAX - (l->count - i - 1)); /* a place for each of the others */
    if (plan.count == 0 && first == NULL) {
        plan.result = MX_LOCAL;
    } else if (plan.count == 0) {
        plan.result = first->result >= MX_SERVFAIL ? first->result : MX_SERVFAIL;
        (void)str_format(plan.detail, sizeof(plan.detail), "route to %.60s: %.80s",
                         l->asked[0].name, first->detail);
    }
    l->cb(l->arg, &plan);
    lookup_free(l);
}

static void on_plan(void *arg, const struct mx_plan *plan)
{
    struct target_lookup *t = arg;

    t->lookup = NULL;
    t->plan = mx_plan_copy(plan);
    if (--t->all->pending == 0)
        finish(t->all);
}

/* One that nobody needs to be asked about. False when out of memory. */
static bool settle(struct target_lookup *t, const struct route_target *target)
{
    bool local = target->kind == ROUTE_TARGET_UNIX;
    const struct mx_plan plan = {
        .count = 1,
        .list[0] = {.name = local ? target->name : "", /* an address is no name */
                    .path = local ? target->path : NULL,
                    .ip = target->ip},
    };

    t->plan = mx_plan_copy(&plan);
    return t->plan != NULL;
}

/* False when out of memory. */
static bool start_target(struct route_lookup *l, struct resolver *r, size_t i)
{
    const struct route_target *target = &l->asked[i];
    struct target_lookup *t = &l->targets[i];

    t->all = l;
    switch (target->kind) {
    case ROUTE_TARGET_IP:
    case ROUTE_TARGET_UNIX:
        return settle(t, target);
    case ROUTE_TARGET_HOST:
        t->lookup = mx_lookup_start_host(r, &anywhere, target->name, on_plan, t);
        break;
    case ROUTE_TARGET_MX:
        t->lookup = mx_lookup_start(r, &anywhere, target->name, NULL, on_plan, t);
        break;
    }
    l->pending += t->lookup != NULL;
    return t->lookup != NULL;
}

struct route_lookup *route_lookup_start(struct resolver *r, const struct route *route,
                                        mx_lookup_cb cb, void *arg)
{
    struct route_lookup *l = calloc(1, sizeof(*l));
    bool ok;

    if (l == NULL)
        return NULL;
    l->count = route->target_count;
    l->asked = calloc(l->count, sizeof(*l->asked));
    l->cb = cb;
    l->arg = arg;
    l->later = loop_timer_new(resolver_loop(r), finish, l);
    ok = l->later != NULL && l->asked != NULL;
    if (ok)
        memcpy(l->asked, route->targets, l->count * sizeof(*l->asked));
    for (size_t i = 0; ok && i < l->count; i++)
        ok = start_target(l, r, i);
    if (!ok) {
        lookup_free(l);
        return NULL;
    }
    if (l->pending == 0)
        loop_timer_arm(l->later, 0);
    return l;
}

void route_lookup_cancel(struct route_lookup **lp)
{
    if (*lp != NULL)
        lookup_free(*lp);
    *lp = NULL;
}
