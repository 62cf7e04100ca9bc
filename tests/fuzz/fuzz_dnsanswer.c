/*
 * dns/answer and dns/mxlist: any bytes as the answer to a question for a.test, whose type the
 * input's first byte chooses; for NS it is one for the root. An MX answer then goes on to become a
 * list of hosts, and an address answer a plan.
 */
#include <string.h>

#include "dns/answer.h"
#include "dns/mxlist.h"
#include "fuzz.h"

static uint32_t random_none(uint32_t bound)
{
    return bound - 1;
}

static void check_answer(const struct dns_answer *a, enum dns_type type)
{
    char clean[DNS_NAME_SIZE];

    REQUIRE(a->ttl <= (a->status == DNS_OK ? DNS_TTL_MAX : DNS_NEGATIVE_TTL_MAX));
    REQUIRE(a->status <= DNS_SERVFAIL && (a->status != DNS_SERVFAIL || a->ttl == 0));
    REQUIRE(a->count <= DNS_RECORDS_MAX);
    REQUIRE(a->mxs == NULL || type == DNS_MX);
    REQUIRE(a->ips == NULL || type == DNS_A || type == DNS_AAAA);
    REQUIRE(a->status == DNS_OK ? a->count + a->unusable > 0 : a->count == 0);
    for (size_t i = 0; i < a->count && type == DNS_MX; i++)
        REQUIRE(a->mxs[i].name[0] == '\0' ||
                (dns_name_clean(a->mxs[i].name, clean) && strcmp(a->mxs[i].name, clean) == 0));
    for (size_t i = 0; i < a->count && a->ips != NULL; i++)
        REQUIRE(a->ips[i].family == (type == DNS_A ? AF_INET : AF_INET6));
}

static void check_plan(const struct mx_plan *p)
{
    REQUIRE(p->count <= MX_CANDIDATES_MAX);
    REQUIRE((p->result == MX_OK) == (p->count > 0));
    REQUIRE(memchr(p->detail, '\0', sizeof(p->detail)) != NULL);
    for (size_t i = 0; i < p->count; i++) {
        REQUIRE(netaddr_scope(&p->list[i].ip) == NETADDR_GLOBAL);
        REQUIRE(i == 0 || p->list[i - 1].preference <= p->list[i].preference);
    }
}

/* The domain has no MX, so that its addresses count. */
static void plan_addresses(struct dns_answer *a, enum dns_type type)
{
    static const struct dns_answer none = {.status = DNS_NODATA};
    static const struct mxlist_opts opts;
    static struct mxlist list;
    static struct mx_plan plan;

    REQUIRE(mxlist_hosts(&list, "a.test", &none, 60, random_none, &plan));
    list.hosts[0].answers[type == DNS_AAAA ? MX_V6 : MX_V4] = a;
    mxlist_plan(&list, &opts, NULL, 0, &plan);
    check_plan(&plan);
}

static void list_hosts(const struct dns_answer *a)
{
    static const struct mxlist_opts opts;
    static struct mxlist list;
    static struct mx_plan plan;

    if (!mxlist_hosts(&list, "a.test", a, a->ttl, random_none, &plan)) {
        REQUIRE(plan.result != MX_OK);
        return;
    }
    REQUIRE(list.count > 0 && list.count <= MX_HOSTS_MAX);
    mxlist_plan(&list, &opts, NULL, 0, &plan);
    REQUIRE(plan.result == MX_LOCAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_answer *a;
    enum dns_type type;

    if (size == 0)
        return 0;
    type = (enum dns_type)(data[0] % 4);
    a = dns_answer_parse(data + 1, size - 1, type == DNS_NS ? "" : "a.test", type);
    if (a == NULL)
        return 0;
    check_answer(a, type);
    if (type == DNS_MX)
        list_hosts(a);
    else if (type != DNS_NS)
        plan_addresses(a, type);
    dns_answer_unref(&a);
    return 0;
}
