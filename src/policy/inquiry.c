#include "policy/inquiry.h"

#include "policy/class.h"

bool inquiry_wanted(const struct policy_opts *o, enum mail_class c, const char *domain)
{
    return c == CLASS_OUTBOUND && !domain_is_local(o, domain);
}

bool inquiry_start(const struct policy_opts *o, enum mail_class c, struct verifier *v,
                   const struct verifier_request *rq, struct loop *on, verifier_cb cb, void *arg,
                   struct verdict *now)
{
    struct verifier_request asked = *rq;

    if (!inquiry_wanted(o, c, rq->address->domain)) {
        verdict_init(now, REASON_SKIPPED, SOURCE_OVERLAY);
        return true;
    }
    asked.stale_ok = decision_accepting(&o->decision, c);
    return verifier_ask(v, &asked, on, cb, arg, now);
}
