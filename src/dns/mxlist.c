#include "dns/mxlist.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

/* One who judges addresses. */
struct judge {
    const struct mxlist_opts *opts;
    const struct netaddr *own;
    size_t own_count;
};

struct place {
    const struct mx_host *host;
    struct netaddr ip;
};

/* Usable addresses of one preference, by family. */
struct group {
    size_t counts[MX_FAMILIES];
    struct place places[MX_FAMILIES][MX_CANDIDATES_MAX];
};

/*
 * Notes why something cannot be used. What may be different in a moment outweighs what is refused,
 * and that outweighs what is not there: a domain is only given up when nothing else is left.
 */
static void excuse(struct mx_plan *plan, enum mx_result result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void excuse(struct mx_plan *plan, enum mx_result result, const char *fmt, ...)
{
    va_list ap;

    if (plan->result >= MX_SERVFAIL || result <= plan->result)
        return;
    plan->result = result;
    va_start(ap, fmt);
    (void)vsnprintf(plan->detail, sizeof(plan->detail), fmt, ap);
    va_end(ap);
}

static void plan_clear(struct mx_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
}

static bool answer_failed(const struct dns_answer *a)
{
    return a == NULL || a->status >= DNS_SERVFAIL;
}

static void excuse_failure(struct mx_plan *plan, const char *name, const struct dns_answer *a)
{
    enum dns_status status = a != NULL ? a->status : DNS_LOCAL;
    enum mx_result result = status == DNS_SERVFAIL  ? MX_SERVFAIL
                            : status == DNS_TIMEOUT ? MX_TIMEOUT
                                                    : MX_LOCAL;

    excuse(plan, result, "%s: %s", name, dns_status_name(status));
}

/* Shuffled, then sorted by preference, equal ones left as they lie. Indexes into mx->mxs. */
static void records_order(const struct dns_answer *mx, mxlist_random random,
                          uint16_t order[DNS_RECORDS_MAX])
{
    size_t j;

    for (size_t i = 0; i < mx->count; i++) {
        j = random((uint32_t)i + 1);
        order[i] = order[j];
        order[j] = (uint16_t)i;
    }
    for (size_t i = 1; i < mx->count; i++) {
        uint16_t moved = order[i];

        for (j = i; j > 0 && mx->mxs[order[j - 1]].preference > mx->mxs[moved].preference; j--)
            order[j] = order[j - 1];
        order[j] = moved;
    }
}

static bool host_listed(const struct mxlist *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->hosts[i].name, name) == 0)
            return true;
    return false;
}

static void host_add(struct mxlist *l, const char *name, uint16_t preference)
{
    struct mx_host *h = &l->hosts[l->count++];

    h->name = name;
    h->preference = preference;
    if (!l->implicit)
        (void)netaddr_parse(name, &h->numeric);
}

static bool hosts_from_records(struct mxlist *l, const struct dns_answer *mx, mxlist_random random,
                               struct mx_plan *plan)
{
    uint16_t order[DNS_RECORDS_MAX] = {0};

    /* RFC 7505 section 3: "." alone. Beside others it is a host without a name. */
    if (mx->count == 1 && mx->unusable == 0 && mx->mxs[0].name[0] == '\0') {
        excuse(plan, MX_NULL, "null MX");
        return false;
    }
    records_order(mx, random, order);
    for (size_t i = 0; i < mx->count; i++) /* a sum: they come in any order */
        l->host_set += hash_bytes(mx->mxs[i].name, strlen(mx->mxs[i].name));
    for (size_t i = 0; i < mx->count && l->count < MX_HOSTS_MAX; i++) {
        const struct dns_mx *m = &mx->mxs[order[i]];

        if (m->name[0] != '\0' && !host_listed(l, m->name))
            host_add(l, m->name, m->preference);
    }
    if (l->count == 0)
        excuse(plan, MX_NO_DOMAIN, "no MX has a usable name");
    return l->count > 0;
}

void mxlist_host(struct mxlist *l, const char *name)
{
    memset(l, 0, sizeof(*l));
    l->ttl = DNS_TTL_MAX;
    l->implicit = true;
    host_add(l, name, 0);
}

bool mxlist_hosts(struct mxlist *l, const char *domain, const struct dns_answer *mx, uint32_t ttl,
                  mxlist_random random, struct mx_plan *plan)
{
    plan_clear(plan);
    memset(l, 0, sizeof(*l));
    l->ttl = ttl;
    if (answer_failed(mx)) {
        excuse_failure(plan, domain, mx);
        return false;
    }
    plan->ttl = ttl;
    if (mx->status == DNS_OK)
        return hosts_from_records(l, mx, random, plan);
    if (mx->status == DNS_NXDOMAIN) {
        excuse(plan, MX_NO_DOMAIN, "NXDOMAIN");
        return false;
    }
    l->implicit = true;
    l->host_set = hash_bytes(domain, strlen(domain));
    host_add(l, domain, 0);
    return true;
}

/* ::ffff:192.0.2.1 is reached over IPv4 and is the same place. */
static struct netaddr address_plain(const struct netaddr *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct netaddr v4 = {.family = AF_INET};

    if (ip->family != AF_INET6 || memcmp(ip->bytes, mapped, sizeof(mapped)) != 0)
        return *ip;
    memcpy(v4.bytes, ip->bytes + sizeof(mapped), 4);
    return v4;
}

static bool address_among(const struct netaddr *ip, const struct netaddr *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (netaddr_equal(ip, &list[i]))
            return true;
    return false;
}

static bool address_own(const struct judge *j, const struct netaddr *ip)
{
    if (j->opts->allow_own)
        return false;
    return address_among(ip, j->opts->own, j->opts->own_count) ||
           address_among(ip, j->own, j->own_count);
}

/* MX_OK, or how it is refused; *why names the kind of place. */
static enum mx_result address_judge(const struct judge *j, const struct netaddr *ip,
                                    const char **why)
{
    enum mx_result refused = MX_NO_DOMAIN;

    switch (netaddr_scope(ip)) {
    case NETADDR_GLOBAL:
        return MX_OK;
    case NETADDR_UNSPECIFIED:
        *why = "unspecified";
        return MX_NO_DOMAIN;
    case NETADDR_MULTICAST:
        *why = "multicast";
        return MX_PRIVATE;
    case NETADDR_LOOPBACK:
        *why = "loopback";
        break;
    case NETADDR_LINK_LOCAL:
        *why = "link-local";
        refused = MX_PRIVATE;
        break;
    case NETADDR_PRIVATE:
        *why = "private";
        refused = MX_PRIVATE;
        break;
    }
    return j->opts->allow_private ? MX_OK : refused;
}

static bool host_own(const struct judge *j, const struct mx_host *h)
{
    if (address_own(j, &h->numeric))
        return true;
    for (int f = 0; f < MX_FAMILIES; f++)
        for (size_t i = 0; h->answers[f] != NULL && i < h->answers[f]->count; i++) {
            struct netaddr ip = address_plain(&h->answers[f]->ips[i]);

            if (address_own(j, &ip))
                return true;
        }
    return false;
}

/* RFC 5321 section 5.1: hosts before this index are better than ourselves. */
static size_t own_cut(const struct mxlist *l, const struct judge *j, struct mx_plan *plan)
{
    size_t cut;

    for (size_t i = 0; i < l->count; i++) {
        if (!host_own(j, &l->hosts[i]))
            continue;
        for (cut = i; cut > 0 && l->hosts[cut - 1].preference == l->hosts[i].preference;)
            cut--;
        excuse(plan, MX_PRIVATE, "%s is this host", l->hosts[i].name);
        return cut;
    }
    return l->count;
}

static bool place_taken(const struct mx_plan *plan, const struct group *g, enum mx_family f,
                        const struct netaddr *ip)
{
    for (size_t i = 0; i < g->counts[f]; i++)
        if (netaddr_equal(&g->places[f][i].ip, ip))
            return true;
    for (size_t i = 0; i < plan->count; i++)
        if (netaddr_equal(&plan->list[i].ip, ip))
            return true;
    return false;
}

static void group_add(struct group *g, const struct judge *j, const struct mx_host *h,
                      const struct netaddr *answered, struct mx_plan *plan)
{
    struct netaddr ip = address_plain(answered);
    enum mx_family f = ip.family == AF_INET6 ? MX_V6 : MX_V4;
    char text[NETADDR_TEXT_MAX];
    const char *why = "";
    enum mx_result refused = address_judge(j, &ip, &why);

    if (refused != MX_OK)
        excuse(plan, refused, "%s: %s address %s", h->name, why, netaddr_format(&ip, text));
    else if (g->counts[f] < MX_CANDIDATES_MAX && !place_taken(plan, g, f, &ip))
        g->places[f][g->counts[f]++] = (struct place){h, ip};
}

static void group_add_host(struct group *g, const struct mxlist *l, const struct judge *j,
                           const struct mx_host *h, struct mx_plan *plan)
{
    size_t found = 0;
    bool failed = false;

    if (h->numeric.family != AF_UNSPEC) {
        group_add(g, j, h, &h->numeric, plan);
        return;
    }
    for (int f = 0; f < MX_FAMILIES; f++) {
        const struct dns_answer *a = h->answers[f];

        if (answer_failed(a)) {
            failed = true;
            excuse_failure(plan, h->name, a);
            continue;
        }
        for (size_t i = 0; i < a->count; i++)
            group_add(g, j, h, &a->ips[i], plan);
        found += a->count;
    }
    if (found == 0 && !failed && l->implicit)
        excuse(plan, MX_NO_DOMAIN, "no MX, A or AAAA record");
    else if (found == 0 && !failed)
        excuse(plan, MX_NO_DOMAIN, "%s: no address", h->name);
}

static void plan_add(struct mx_plan *plan, const struct mx_host *h, const struct netaddr *ip)
{
    struct mx_candidate *c;

    if (plan->count == MX_CANDIDATES_MAX)
        return;
    c = &plan->list[plan->count++];
    c->name = h->name;
    c->preference = h->preference;
    c->ip = *ip;
}

/* RFC 8305 section 4: the families take turns, IPv6 first. */
static void plan_add_group(struct mx_plan *plan, const struct group *g)
{
    for (size_t i = 0; i < MX_CANDIDATES_MAX; i++)
        for (int f = 0; f < MX_FAMILIES; f++)
            if (i < g->counts[f])
                plan_add(plan, g->places[f][i].host, &g->places[f][i].ip);
}

/* What the result hangs on: the addresses where there are some, else also every "no". */
static uint32_t plan_ttl(const struct mxlist *l, const struct mx_plan *plan)
{
    uint32_t ttl = l->ttl;

    if (plan->result >= MX_SERVFAIL)
        return 0;
    for (size_t i = 0; i < l->count; i++)
        for (int f = 0; f < MX_FAMILIES; f++) {
            const struct dns_answer *a = l->hosts[i].answers[f];

            if (answer_failed(a) || (plan->result == MX_OK && a->status != DNS_OK))
                continue;
            if (l->hosts[i].ttls[f] < ttl)
                ttl = l->hosts[i].ttls[f];
        }
    return ttl;
}

void mxlist_plan(const struct mxlist *l, const struct mxlist_opts *opts, const struct netaddr *own,
                 size_t own_count, struct mx_plan *plan)
{
    struct judge j = {opts, own, own_count};
    size_t cut, i = 0;

    plan_clear(plan);
    plan->best = l->count > 0 ? l->hosts[0].preference : 0;
    plan->host_set = l->host_set;
    cut = own_cut(l, &j, plan);
    while (i < cut) {
        struct group g = {.counts = {0}};
        uint16_t preference = l->hosts[i].preference;

        for (; i < cut && l->hosts[i].preference == preference; i++)
            group_add_host(&g, l, &j, &l->hosts[i], plan);
        plan_add_group(plan, &g);
    }
    if (plan->count > 0) {
        plan->result = MX_OK;
        plan->detail[0] = '\0';
    }
    plan->ttl = plan_ttl(l, plan);
}

void mxlist_literal(const struct netaddr *literal, const struct mxlist_opts *opts,
                    const struct netaddr *own, size_t own_count, struct mx_plan *plan)
{
    struct judge j = {opts, own, own_count};
    struct netaddr ip = address_plain(literal);
    static const struct mx_host nameless = {.name = ""};
    char text[NETADDR_TEXT_MAX];
    const char *why = "";
    enum mx_result refused = address_judge(&j, &ip, &why);

    plan_clear(plan);
    plan->ttl = DNS_TTL_MAX;
    netaddr_format(&ip, text);
    if (address_own(&j, &ip))
        excuse(plan, MX_PRIVATE, "%s is this host", text);
    else if (refused != MX_OK)
        excuse(plan, refused, "%s address %s", why, text);
    else
        plan_add(plan, &nameless, &ip);
}

struct mx_plan *mx_plan_copy(const struct mx_plan *plan)
{
    size_t head = offsetof(struct mx_plan, list) + plan->count * sizeof(plan->list[0]), texts = 0;
    char *copy, *at;
    struct mx_candidate *list;

    for (size_t i = 0; i < plan->count; i++)
        texts += str_size(plan->list[i].name) + str_size(plan->list[i].path);
    copy = malloc(head + texts);
    if (copy == NULL)
        return NULL;
    memcpy(copy, plan, head);
    list = (struct mx_candidate *)(void *)(copy + offsetof(struct mx_plan, list));
    at = copy + head;
    for (size_t i = 0; i < plan->count; i++) {
        list[i].name = str_put(&at, plan->list[i].name);
        list[i].path = str_put(&at, plan->list[i].path);
    }
    return (struct mx_plan *)(void *)copy;
}
