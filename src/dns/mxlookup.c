#include "dns/mxlookup.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/rng.h"
#include "base/str.h"
#include "dns/answer.h"
#include "dns/resolver.h"

/* One address question of one host. */
struct host_query {
    struct mx_lookup *lookup;
    struct resolver_query *query; /* NULL: answered, or could not be asked */
    size_t host;
    enum mx_family family;
};

struct mx_lookup {
    struct resolver *resolver;
    const struct mxlist_opts *opts;
    char domain[DNS_NAME_SIZE];
    mx_lookup_cb cb;
    void *arg;
    struct resolver_query *mx_query;
    struct loop_timer *later; /* for results that are there at once */
    struct dns_answer *mx;    /* the list's names are there */
    struct netaddr literal;
    size_t pending;
    int64_t began;
    bool old_failure; /* of the plan, both */
    uint64_t heard;
    struct host_query *host_queries; /* one for each host and family */
    struct mxlist list;
};

static void lookup_free(struct mx_lookup *l)
{
    resolver_query_cancel(&l->mx_query);
    for (size_t i = 0; l->host_queries != NULL && i < l->list.count * MX_FAMILIES; i++)
        resolver_query_cancel(&l->host_queries[i].query);
    for (size_t i = 0; i < l->list.count; i++)
        for (int f = 0; f < MX_FAMILIES; f++)
            dns_answer_unref(&l->list.hosts[i].answers[f]);
    dns_answer_unref(&l->mx);
    loop_timer_free(&l->later);
    free(l->host_queries);
    free(l);
}

static void lookup_finish(struct mx_lookup *l, struct mx_plan *plan)
{
    plan->heard = l->heard;
    plan->old_failure = l->old_failure;
    l->cb(l->arg, plan);
    lookup_free(l);
}

static void heard_note(struct mx_lookup *l, const struct dns_answer *answer)
{
    bool failed = answer->status == DNS_SERVFAIL || answer->status == DNS_TIMEOUT;

    if (answer->heard > l->heard)
        l->heard = answer->heard;
    if (failed && answer->made_at < l->began)
        l->old_failure = true;
}

static void lookup_plan(struct mx_lookup *l)
{
    size_t own_count;
    const struct netaddr *own = resolver_own_addresses(l->resolver, &own_count);
    struct mx_plan plan;

    mxlist_plan(&l->list, l->opts, own, own_count, &plan);
    lookup_finish(l, &plan);
}

static void on_addresses(void *arg, struct dns_answer *answer, uint32_t ttl)
{
    struct host_query *hq = arg;
    struct mx_lookup *l = hq->lookup;
    struct mx_host *host = &l->list.hosts[hq->host];

    hq->query = NULL;
    heard_note(l, answer);
    host->answers[hq->family] = dns_answer_ref(answer);
    host->ttls[hq->family] = ttl;
    if (--l->pending == 0)
        lookup_plan(l);
}

static void host_ask(struct mx_lookup *l, size_t host, enum mx_family family)
{
    struct host_query *hq = &l->host_queries[host * MX_FAMILIES + family];

    *hq = (struct host_query){.lookup = l, .host = host, .family = family};
    hq->query = resolver_query(l->resolver, l->list.hosts[host].name,
                               family == MX_V6 ? DNS_AAAA : DNS_A, on_addresses, hq);
    if (hq->query != NULL)
        l->pending++;
}

static void ask_hosts(struct mx_lookup *l)
{
    l->host_queries = calloc(l->list.count * MX_FAMILIES, sizeof(*l->host_queries));
    for (size_t i = 0; l->host_queries != NULL && i < l->list.count; i++)
        for (int f = 0; f < MX_FAMILIES && l->list.hosts[i].numeric.family == AF_UNSPEC; f++)
            host_ask(l, i, (enum mx_family)f);
}

static void on_mx(void *arg, struct dns_answer *answer, uint32_t ttl)
{
    struct mx_lookup *l = arg;
    struct mx_plan plan;

    l->mx_query = NULL;
    l->mx = dns_answer_ref(answer);
    heard_note(l, answer);
    if (!mxlist_hosts(&l->list, l->domain, answer, ttl, rng_below, &plan)) {
        lookup_finish(l, &plan);
        return;
    }
    ask_hosts(l);
    if (l->pending == 0) /* none to ask about; or out of memory, a fault of ours */
        lookup_plan(l);
}

static void on_literal(void *arg)
{
    struct mx_lookup *l = arg;
    size_t own_count;
    const struct netaddr *own = resolver_own_addresses(l->resolver, &own_count);
    struct mx_plan plan;

    mxlist_literal(&l->literal, l->opts, own, own_count, &plan);
    lookup_finish(l, &plan);
}

static bool literal_start(struct mx_lookup *l, const struct netaddr *literal)
{
    l->later = loop_timer_new(resolver_loop(l->resolver), on_literal, l);
    if (l->later == NULL)
        return false;
    l->literal = *literal;
    loop_timer_arm(l->later, 0);
    return true;
}

static struct mx_lookup *lookup_new(struct resolver *r, const struct mxlist_opts *opts,
                                    mx_lookup_cb cb, void *arg)
{
    struct mx_lookup *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->resolver = r;
    l->began = clock_mono_ms();
    l->opts = opts;
    l->cb = cb;
    l->arg = arg;
    return l;
}

struct mx_lookup *mx_lookup_start_host(struct resolver *r, const struct mxlist_opts *opts,
                                       const char *host, mx_lookup_cb cb, void *arg)
{
    struct mx_lookup *l = lookup_new(r, opts, cb, arg);

    if (l == NULL)
        return NULL;
    (void)str_copy(l->domain, sizeof(l->domain), host);
    mxlist_host(&l->list, l->domain);
    ask_hosts(l);
    if (l->pending > 0)
        return l;
    lookup_free(l);
    return NULL;
}

struct mx_lookup *mx_lookup_start(struct resolver *r, const struct mxlist_opts *opts,
                                  const char *domain, const struct netaddr *literal,
                                  mx_lookup_cb cb, void *arg)
{
    struct mx_lookup *l = lookup_new(r, opts, cb, arg);
    bool started;

    if (l == NULL)
        return NULL;
    if (literal != NULL && literal->family != AF_UNSPEC) {
        started = literal_start(l, literal);
    } else {
        str_copy(l->domain, sizeof(l->domain), domain);
        l->mx_query = resolver_query(r, l->domain, DNS_MX, on_mx, l);
        started = l->mx_query != NULL;
    }
    if (!started) {
        lookup_free(l);
        return NULL;
    }
    return l;
}

void mx_lookup_cancel(struct mx_lookup **lp)
{
    if (*lp != NULL)
        lookup_free(*lp);
    *lp = NULL;
}
