#include "callout/origin.h"

#include "base/clock.h"

/* Whether the address of the time before is to be used again. */
static bool is_bound(const struct engine *e, const struct turn_ask *ask)
{
    return !ask->any_source && !ask->routed && sources_has(e->sources, &ask->source);
}

static enum sources_pick pick(struct engine *e, const struct turn_ask *ask, int family,
                              struct netaddr *out)
{
    int64_t now = clock_mono_ms();

    *out = (struct netaddr){.family = AF_UNSPEC};
    if (ask->routed)
        return SOURCES_ANY;
    if (ask->source.family == family && is_bound(e, ask)) {
        *out = ask->source;
        return sources_usable(e->sources, out, ask->destination, now) ? SOURCES_ONE : SOURCES_REST;
    }
    return sources_pick(e->sources, family, ask->destination, ask->domain, now, out);
}

static bool has_family(const struct turn_ask *ask, int family)
{
    for (size_t i = 0; i < ask->count; i++)
        if (ask->targets[i].ip.family == family)
            return true;
    return false;
}

size_t origin_choose(struct engine *e, const struct turn_ask *ask, struct turn *t,
                     enum sources_pick *why)
{
    bool one_family = is_bound(e, ask) && has_family(ask, ask->source.family);
    struct netaddr source[2];
    enum sources_pick picked[2] = {
        pick(e, ask, AF_INET, &source[0]),
        pick(e, ask, AF_INET6, &source[1]),
    };

    for (size_t i = 0; i < ask->count; i++) {
        struct session_target *to = &t->targets[t->count];
        bool v6 = ask->targets[i].ip.family == AF_INET6;

        if (one_family && ask->targets[i].ip.family != ask->source.family)
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
