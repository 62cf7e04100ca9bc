#include "mxlist_rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mxlist list;
struct mx_plan plan;
struct mxlist_opts opts;
static struct dns_answer *mx_answer; /* the list's names are there */
struct netaddr own[4];
size_t own_count;
uint32_t (*random_fn)(uint32_t bound);

uint32_t random_last(uint32_t bound)
{
    return bound - 1;
}

uint32_t random_first(uint32_t bound)
{
    (void)bound;
    return 0;
}

struct netaddr address(const char *text)
{
    struct netaddr ip;

    ck_assert_msg(netaddr_parse(text, &ip), "%s", text);
    return ip;
}

void mxlist_setup(void)
{
    memset(&opts, 0, sizeof(opts));
    own_count = 0;
    random_fn = random_last;
}

void mxlist_unresolve(void)
{
    for (size_t i = 0; i < MX_HOSTS_MAX; i++)
        for (int f = 0; f < MX_FAMILIES; f++)
            dns_answer_unref(&list.hosts[i].answers[f]);
}

void mxlist_teardown(void)
{
    mxlist_unresolve();
    dns_answer_unref(&mx_answer);
}

struct dns_answer *answer_empty(enum dns_status status)
{
    struct dns_answer *a = dns_answer_empty(status);

    ck_assert_ptr_nonnull(a);
    return a;
}

struct dns_answer *answer_mx(const char *text)
{
    struct dns_answer *a = answer_empty(DNS_OK);
    unsigned preference;
    int used;

    a->mxs = calloc(64, sizeof(*a->mxs));
    ck_assert_ptr_nonnull(a->mxs);
    while (sscanf(text, " %u %255[^,]%n", &preference, a->mxs[a->count].name, &used) == 2) {
        if (strcmp(a->mxs[a->count].name, ".") == 0)
            a->mxs[a->count].name[0] = '\0';
        a->mxs[a->count++].preference = (uint16_t)preference;
        text += used + (text[used] == ',');
    }
    return a;
}

/* "2001:db8::1 2001:db8::2", or the name of a status. */
static struct dns_answer *answer_ips(const char *text)
{
    struct dns_answer *a;
    char one[64];
    int used;

    for (int s = DNS_NODATA; s <= DNS_LOCAL; s++)
        if (strcmp(text, dns_status_name((enum dns_status)s)) == 0)
            return answer_empty((enum dns_status)s);
    a = answer_empty(DNS_OK);
    a->ips = calloc(64, sizeof(*a->ips));
    ck_assert_ptr_nonnull(a->ips);
    for (; sscanf(text, " %63s%n", one, &used) == 1; text += used)
        a->ips[a->count++] = address(one);
    return a;
}

bool hosts_of(struct dns_answer *mx, uint32_t ttl)
{
    bool more;

    mxlist_teardown();
    more = mxlist_hosts(&list, "d.test", mx, ttl, random_fn, &plan);
    mx_answer = mx;
    return more;
}

struct mx_host *host(const char *name)
{
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(list.hosts[i].name, name) == 0)
            return &list.hosts[i];
    ck_abort_msg("no host %s", name);
    return NULL;
}

void resolve_ttl(const char *name, const char *v6, uint32_t ttl6, const char *v4, uint32_t ttl4)
{
    struct mx_host *h = host(name);

    h->answers[MX_V6] = answer_ips(v6);
    h->answers[MX_V4] = answer_ips(v4);
    h->ttls[MX_V6] = ttl6;
    h->ttls[MX_V4] = ttl4;
}

void resolve(const char *name, const char *v6, const char *v4)
{
    resolve_ttl(name, v6, 1000, v4, 1000);
}

const char *planned(void)
{
    static char text[4096];
    char ip[NETADDR_TEXT_MAX];
    size_t used = 0;

    mxlist_plan(&list, &opts, own, own_count, &plan);
    text[0] = '\0';
    for (size_t i = 0; i < plan.count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u %s %s", i > 0 ? ", " : "",
                                 plan.list[i].preference, plan.list[i].name,
                                 netaddr_format(&plan.list[i].ip, ip));
    return text;
}

void one_mx(const char *v6, const char *v4)
{
    ck_assert(hosts_of(answer_mx("10 mx.test"), 300));
    resolve("mx.test", v6, v4);
    (void)planned();
}
