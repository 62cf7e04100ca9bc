#include "dns/rootcheck.h"

#include <stdlib.h>

#include "dns/resolver.h"

struct root_check {
    struct resolver_query *query;
    root_check_cb cb;
    void *arg;
};

static void on_answer(void *arg, struct dns_answer *answer, uint32_t ttl)
{
    struct root_check *c = arg;

    (void)ttl;
    c->cb(c->arg, answer->status == DNS_OK && answer->count > 0);
    free(c);
}

struct root_check *root_check_start(struct resolver *r, root_check_cb cb, void *arg)
{
    struct root_check *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->cb = cb;
    c->arg = arg;
    c->query = resolver_query_root(r, on_answer, c);
    if (c->query != NULL)
        return c;
    free(c);
    return NULL;
}

void root_check_cancel(struct root_check **cp)
{
    struct root_check *c = *cp;

    if (c == NULL)
        return;
    resolver_query_cancel(&c->query);
    free(c);
    *cp = NULL;
}
