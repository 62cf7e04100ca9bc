#include "callout/origin.h"

#include "base/clock.h"
#include "base/str.h"

static bool in_pool(const struct sources_opts *o, const struct netaddr *ip)
{
    for (size_t i = 0; i < o->count; i++)
        if (netaddr_equal(&o->list[i], ip))
            return true;
    return false;
}

static enum sources_pick pick(const struct turn *t, int family, struct netaddr *out)
{
    struct engine *e = t->desk->gate->engine;
    const char *destination = t->desk->standing.name;
    int64_t now = clock_mono_ms();

    *out = (struct netaddr){.family = AF_UNSPEC};
    if (t->desk->routed)
        return SOURCES_ANY;
    if (!t->any_source && t->source.family == family && in_pool(&e->opts.sources, &t->source)) {
        *out = t->source;
        return sources_usable(e->sources, out, destination, now) ? SOURCES_ONE : SOURCES_REST;
    }
    return sources_pick(e->sources, family, destination, t->domain, now, out);
}

/* `why`: the worst reason for another. */
static void choose(struct turn *t, enum sources_pick *why)
{
    struct netaddr source[2];
    const enum sources_pick picked[2] = {
        pick(t, AF_INET, &source[0]),
        pick(t, AF_INET6, &source[1]),
    };
    size_t count = t->count;

    t->count = 0;
    for (size_t i = 0; i < count; i++) {
        bool v6 = t->targets[i].ip.family == AF_INET6;

        if (picked[v6] > SOURCES_ONE) {
            *why = picked[v6];
            continue;
        }
        t->targets[t->count] = t->targets[i];
        t->targets[t->count].source = source[v6];
        t->map[t->count++] = t->map[i];
    }
}

bool origin_choose(struct turn *t, struct verdict *refused)
{
    enum sources_pick why = SOURCES_ANY;

    choose(t, &why);
    if (t->count > 0)
        return true;
    verdict_init(refused, why == SOURCES_REST ? REASON_RATE_LIMITED : REASON_LOCAL_FAULT,
                 SOURCE_STORE);
    refused->passing = true;
    refused->has_evidence = true;
    (void)str_copy(refused->evidence.text, sizeof(refused->evidence.text),
                   why == SOURCES_REST ? "every source address rests there"
                                       : "none of source_addresses is on this host");
    return false;
}
