#include "policy/inquiry.h"

#include "policy/class.h"
#include "policy/flags.h"

bool inquiry_wanted(const struct policy_opts *o, enum mail_class c, const char *domain)
{
    bool routed = route_find(o->routes, domain) != NULL;

    if (domain_is_local(o, domain))
        return false;
    return c == CLASS_SENDER ? !routed : routed || c == CLASS_OUTBOUND;
}

static bool is_exempt(const struct policy_opts *o, enum mail_class c, const struct address *a)
{
    if (c == CLASS_SENDER)
        return exempt_has_address(o->exempt_senders, a);
    return exempt_has_address(o->exempt_recipients, a) ||
           (address_is_contact(a) && route_find(o->routes, a->domain) != NULL);
}

bool inquiry_start(const struct policy_opts *o, enum mail_class c, struct verifier *v,
                   const struct verifier_request *rq, struct loop *on, verifier_cb cb, void *arg,
                   struct verdict *now)
{
    struct verifier_request asked = *rq;

    if (!inquiry_wanted(o, c, rq->address->domain) || is_exempt(o, c, rq->address)) {
        verdict_init(now, REASON_SKIPPED, SOURCE_OVERLAY);
        return true;
    }
    asked.stale_ok =
        decision_accepting(&o->decision, c, route_find(o->routes, rq->address->domain));
    asked.null_sender = c == CLASS_SENDER;
    return verifier_ask(v, &asked, on, cb, arg, now);
}
