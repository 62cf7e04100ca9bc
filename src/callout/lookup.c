#include "callout/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "callout/route_lookup.h"
#include "dns/rootcheck.h"

struct lookup {
    struct engine *engine;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct lookup_handler handler;
    int64_t began;
    struct loop_timer *bound;
    struct mx_lookup *mx;       /* one of these three is under way */
    struct route_lookup *route; /* in place of `mx` */
    struct root_check *root;    /* after it */
    uint64_t heard;             /* what it has to vouch for */
    struct verdict verdict;     /* waits for `root` */
    uint32_t ttl;
};

static void lookup_free(struct lookup *l)
{
    mx_lookup_cancel(&l->mx);
    route_lookup_cancel(&l->route);
    root_check_cancel(&l->root);
    loop_timer_free(&l->bound);
    free(l);
}

static void conclude(struct lookup *l)
{
    struct lookup_handler h = l->handler;
    struct verdict v = l->verdict;
    uint32_t ttl = l->ttl;

    lookup_free(l);
    h.on_verdict(h.arg, &v, ttl);
}

static void set_verdict(struct lookup *l, enum verdict_reason reason, const char *detail)
{
    struct evidence *ev = &l->verdict.evidence;

    verdict_init(&l->verdict, reason, SOURCE_DNS);
    l->verdict.has_evidence = detail[0] != '\0';
    (void)str_copy(ev->text, sizeof(ev->text), detail);
}

/* Ours or theirs */

static void dns_worked(struct engine *e, int64_t at)
{
    if (outage_worked(&e->dns, at))
        log_info("dns: answers again");
}

/* Whoever was answered since the last look. */
static void look_who_was_answered(struct engine *e)
{
    int64_t worked_at = resolver_worked_at(e->resolver);

    if (worked_at > e->dns.worked_at)
        dns_worked(e, worked_at);
}

/* While the DNS is out, that is the reason; and what is not proved is of this moment only. */
static void dns_is_doubtful(struct lookup *l)
{
    char text[200];

    if (outage_tell(&l->engine->dns, clock_mono_ms(), text, sizeof(text)))
        set_verdict(l, REASON_LOCAL_FAULT, text);
    l->verdict.passing = true;
}

static void dns_failed(struct lookup *l, const char *what)
{
    struct outage *dns = &l->engine->dns;
    int64_t now = clock_mono_ms();
    char text[200];

    if (outage_failed(dns, hash_bytes(l->domain, strlen(l->domain)), l->began, SMTP_FAILURE_NONE,
                      what, now)) {
        (void)outage_tell(dns, now, text, sizeof(text));
        log_error("dns: %s", text);
    }
    if (!outage_blames_them(dns, l->began, now))
        dns_is_doubtful(l);
}

static bool is_vouched_for(struct lookup *l);

static void on_root(void *arg, bool knows)
{
    struct lookup *l = arg;

    l->root = NULL;
    if (knows) {
        dns_worked(l->engine, clock_mono_ms());
        if (!is_vouched_for(l))
            return;
    } else {
        resolver_forget(l->engine->resolver);
        set_verdict(l, REASON_LOCAL_FAULT, "the DNS servers deny even the root");
        dns_failed(l, "the root is denied, too");
    }
    conclude(l);
}

/* False: the root is being asked for, as often as it takes until that was after the answer came. A
   lookup that cannot find out (out of memory) is no proof. */
static bool is_vouched_for(struct lookup *l)
{
    struct resolver *r = l->engine->resolver;

    if (resolver_vouched(r) >= l->heard)
        return true;
    l->root = root_check_start(r, on_root, l);
    if (l->root == NULL)
        set_verdict(l, REASON_LOCAL_FAULT, "out of memory");
    return l->root == NULL;
}

/* What the DNS came to */

static enum verdict_reason plan_reason(enum mx_result result)
{
    switch (result) {
    case MX_NO_DOMAIN:
        return REASON_NO_DOMAIN;
    case MX_NULL:
        return REASON_NULL_MX;
    case MX_PRIVATE:
        return REASON_PRIVATE_DESTINATION;
    case MX_SERVFAIL:
    case MX_TIMEOUT:
        return REASON_DNS_ERROR;
    case MX_LOCAL:
        return REASON_LOCAL_FAULT;
    case MX_OK:
        break;
    }
    return REASON_SKIPPED;
}

static void give_plan(struct lookup *l, const struct mx_plan *plan)
{
    struct lookup_handler h = l->handler;

    lookup_free(l);
    h.on_plan(h.arg, plan);
}

static void on_mx_plan(void *arg, const struct mx_plan *plan)
{
    struct lookup *l = arg;

    l->mx = NULL;
    look_who_was_answered(l->engine);
    if (plan->result == MX_OK) {
        give_plan(l, plan);
        return;
    }
    set_verdict(l, plan_reason(plan->result), plan->detail);
    l->ttl = plan->ttl;
    if (plan->result == MX_SERVFAIL || plan->result == MX_TIMEOUT) {
        if (plan->old_failure) /* whose it was is past knowing */
            dns_is_doubtful(l);
        else
            dns_failed(l, plan->detail);
    }
    l->heard = plan->heard;
    if (plan->result != MX_NO_DOMAIN || is_vouched_for(l))
        conclude(l);
}

static void on_route_plan(void *arg, const struct mx_plan *plan)
{
    struct lookup *l = arg;

    l->route = NULL;
    if (plan->result == MX_OK) {
        give_plan(l, plan);
        return;
    }
    set_verdict(l, plan_reason(plan->result), plan->detail);
    l->ttl = plan->ttl;
    conclude(l);
}

static void on_bound(void *arg)
{
    struct lookup *l = arg;

    look_who_was_answered(l->engine);
    set_verdict(l, REASON_DNS_ERROR, "no answer in time");
    if (l->route == NULL)
        dns_failed(l, "no answer in time");
    conclude(l);
}

static bool begin(struct lookup *l, const struct address *a, const struct route *route)
{
    struct engine *e = l->engine;

    if (route != NULL)
        l->route = route_lookup_start(e->resolver, route, on_route_plan, l);
    else
        l->mx = mx_lookup_start(e->resolver, &e->opts.mx, a->domain, &a->literal, on_mx_plan, l);
    return l->route != NULL || l->mx != NULL;
}

struct lookup *lookup_start(struct engine *e, const struct address *a, const struct route *route,
                            int64_t bound_ms, const struct lookup_handler *h)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->engine = e;
    l->handler = *h;
    l->began = clock_mono_ms();
    (void)str_copy(l->domain, sizeof(l->domain), a->domain);
    l->bound = loop_timer_new(e->loop, on_bound, l);
    if (l->bound == NULL || !begin(l, a, route)) {
        lookup_free(l);
        return NULL;
    }
    loop_timer_arm(l->bound, bound_ms);
    return l;
}

void lookup_cancel(struct lookup **lp)
{
    if (*lp != NULL)
        lookup_free(*lp);
    *lp = NULL;
}
