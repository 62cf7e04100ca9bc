#include "policy/inquiry.h"

#include "policy/class.h"
#include "policy/flags.h"

static bool is_wanted(const struct policy_opts *o, enum mail_class c, const char *domain,
                      const struct route *route)
{
    if (c == CLASS_SENDER ? route != NULL : route == NULL && c != CLASS_OUTBOUND)
        return false;
    return !domain_is_local(o, domain);
}

bool inquiry_wanted(const struct policy_opts *o, enum mail_class c, const char *domain)
{
    return is_wanted(o, c, domain, route_find(o->routes, domain));
}

static bool is_exempt(const struct policy_opts *o, enum mail_class c, const struct address *a,
                      const struct route *route)
{
    if (c == CLASS_SENDER)
        return exempt_has_address(o->exempt_senders, a);
    return exempt_has_address(o->exempt_recipients, a) || (route != NULL && address_is_contact(a));
}

/* What a 2yz is worth: where it could change the action, or the asker said so. */
static bool wants_catch_all(const struct policy_opts *o, enum mail_class c, bool asked)
{
    const enum action *actions = o->decision.actions[c];

    switch (o->catch_all_test) {
    case CATCH_ALL_TEST_ALWAYS:
        return true;
    case CATCH_ALL_TEST_NEVER:
        return false;
    case CATCH_ALL_TEST_AUTO:
        break;
    }
    return asked || actions[REASON_MAILBOX_EXISTS] != actions[REASON_ACCEPTS_EVERYTHING];
}

bool inquiry_start(const struct policy_opts *o, enum mail_class c, struct verifier *v,
                   const struct verifier_request *rq, struct loop *on, verifier_cb cb, void *arg,
                   struct verdict *now)
{
    struct verifier_request asked = *rq;
    const struct route *route = route_find(o->routes, rq->address->domain);
    struct address key;

    if (!is_wanted(o, c, rq->address->domain, route) || is_exempt(o, c, rq->address, route)) {
        verdict_init(now, REASON_SKIPPED, SOURCE_OVERLAY);
        return true;
    }
    if (!o->fold_local_part) {
        key = *rq->address;
        address_keep_case(&key);
        asked.address = &key;
    }
    asked.stale_ok = decision_accepting(&o->decision, c, route);
    asked.null_sender = c == CLASS_SENDER;
    asked.want_catch_all = c != CLASS_SENDER && route == NULL && !rq->no_probe &&
                           wants_catch_all(o, c, rq->want_catch_all);
    return verifier_ask(v, &asked, on, cb, arg, now);
}
