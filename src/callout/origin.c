#include "callout/origin.h"

#include "base/clock.h"

/* The address of the time before. */
static bool has_source(const struct engine *e, const struct turn_ask *ask)
{
    return !ask->any_source && sources_has(e->sources, &ask->source);
}

static enum sources_pick pick(struct engine *e, const struct turn_ask *ask, int family,
                              struct netaddr *out)
{
    int64_t now = clock_mono_ms();

    *out = (struct netaddr){.family = AF_UNSPEC};
    if (ask->routed)
        return SOURCES_ANY;
    if (ask->source.family == family && has_source(e, ask)) {
        *out = ask->source;
        return sources_usable(e->sources, out, ask->destination, now) ? SOURCES_ONE : SOURCES_REST;
    }
    return sources_pick(e->sources, family, ask->destination, ask->domain, now, out);
}

/* Whether its family is to be kept to. */
static bool is_bound(const struct engine *e, const struct turn_ask *ask)
{
    if (ask->any_source || ask->routed ||
        (!sources_has(e->sources, &ask->source) &&
         netaddr_scope(&ask->source) != NETADDR_UNSPECIFIED))
        return false;
    for (size_t i = 0; i < ask->count; i++)
        if (ask->targets[i].ip.family == ask->source.family)
            return true;
    return false;
}

size_t origin_choose(struct engine *e, const struct turn_ask *ask, struct turn *t,
                     enum sources_pick *why)
{
    bool bound = is_bound(e, ask);
    struct netaddr source[2];
    const enum sources_pick picked[2] = {
        pick(e, ask, AF_INET, &source[0]),
        pick(e, ask, AF_INET6, &source[1]),
    };

    for (size_t i = 0; i < ask->count; i++) {
        struct session_target *to = &t->targets[t->count];
        bool v6 = ask->targets[i].ip.family == AF_INET6;

        if (bound && ask->targets[i].ip.family != ask->source.family)
            continue;
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
