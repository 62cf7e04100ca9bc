#include "policy/policy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct policy {
    pthread_mutex_t lock;
    const struct policy_opts *opts;
};

struct policy_opts *policy_opts_new(void)
{
    struct policy_opts *o = calloc(1, sizeof(*o));

    if (o == NULL)
        return NULL;
    atomic_init(&o->references, 1);
    decision_defaults(&o->decision);
    o->fold_local_part = true;
    return o;
}

static const struct policy_opts *opts_ref(const struct policy_opts *o)
{
    atomic_fetch_add(&((struct policy_opts *)o)->references, 1);
    return o;
}

void policy_opts_unref(const struct policy_opts *counted)
{
    struct policy_opts *o = (struct policy_opts *)counted;

    if (o == NULL || atomic_fetch_sub(&o->references, 1) > 1)
        return;
    for (size_t i = 0; i < o->local_domain_count; i++)
        free(o->local_domains[i]);
    free(o->local_domains);
    free(o->networks);
    route_table_unref(&o->routes);
    exempt_free(&o->exempt_recipients);
    exempt_free(&o->exempt_senders);
    exempt_free(&o->exempt_clients);
    free(o);
}

struct policy *policy_new(const struct policy_opts *o)
{
    struct policy *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->opts = opts_ref(o);
    return p;
}

void policy_free(struct policy **pp)
{
    struct policy *p = *pp;

    if (p == NULL)
        return;
    policy_opts_unref(p->opts);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *pp = NULL;
}

void policy_set(struct policy *p, const struct policy_opts *o)
{
    const struct policy_opts *old;

    pthread_mutex_lock(&p->lock);
    old = p->opts;
    p->opts = opts_ref(o);
    pthread_mutex_unlock(&p->lock);
    policy_opts_unref(old);
}

const struct policy_opts *policy_get(struct policy *p)
{
    const struct policy_opts *o;

    pthread_mutex_lock(&p->lock);
    o = opts_ref(p->opts);
    pthread_mutex_unlock(&p->lock);
    return o;
}
