#include "callout/origin.h"

#include "base/clock.h"
#include "base/str.h"

static struct sources *pool_of(const struct turn *t)
{
    return t->desk->gate->engine->sources;
}

/* The address of the time before. */
static bool has_source(const struct turn *t)
{
    return !t->any_source && sources_has(pool_of(t), &t->source);
}

static enum sources_pick pick(const struct turn *t, int family, struct netaddr *out)
{
    const char *destination = t->desk->standing.name;
    int64_t now = clock_mono_ms();

    *out = (struct netaddr){.family = AF_UNSPEC};
    if (t->desk->routed)
        return SOURCES_ANY;
    if (t->source.family == family && has_source(t)) {
        *out = t->source;
        return sources_usable(pool_of(t), out, destination, now) ? SOURCES_ONE : SOURCES_REST;
    }
    return sources_pick(pool_of(t), family, destination, t->domain, now, out);
}

/* Whether its family is to be kept to. */
static bool is_bound(const struct turn *t)
{
    if (t->any_source || t->desk->routed ||
        (!has_source(t) && netaddr_scope(&t->source) != NETADDR_UNSPECIFIED))
        return false;
    for (size_t i = 0; i < t->targets->count; i++)
        if (t->targets->list[i].ip.family == t->source.family)
            return true;
    return false;
}

/* `why`: the worst reason for leaving one out. */
static void choose(struct turn *t, enum sources_pick *why)
{
    bool bound = is_bound(t);
    struct netaddr source[2];
    const enum sources_pick picked[2] = {
        pick(t, AF_INET, &source[0]),
        pick(t, AF_INET6, &source[1]),
    };
    struct session_target *list = t->targets->list;
    size_t kept = 0;

    for (size_t i = 0; i < t->targets->count; i++) {
        bool v6 = list[i].ip.family == AF_INET6;

        if (bound && list[i].ip.family != t->source.family)
            continue;
        if (picked[v6] > SOURCES_ONE) {
            *why = picked[v6];
            continue;
        }
        list[kept] = list[i];
        list[kept].source = source[v6];
        t->map[kept++] = t->map[i];
    }
    t->targets->count = kept;
}

bool origin_choose(struct turn *t, struct verdict *refused)
{
    enum sources_pick why = SOURCES_ANY;

    choose(t, &why);
    if (t->targets->count > 0)
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

bool origin_stands(const struct turn *t)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < t->targets->count && !t->desk->routed; i++)
        if (!sources_usable(pool_of(t), &t->targets->list[i].source, t->desk->standing.name, now))
            return false;
    return true;
}
