/*
 * The one way from a recipient and a class to a verdict, for every frontend: who is asked at all,
 * and with which answers from the store it may be content.
 *
 * Threads: any; the options are read only.
 */
#ifndef POLICY_INQUIRY_H
#define POLICY_INQUIRY_H

#include <stdbool.h>

#include "callout/verifier.h"
#include "policy/policy.h"

/* Whether recipients in `domain` are called out for mail of this class. */
bool inquiry_wanted(const struct policy_opts *o, enum mail_class c, const char *domain);

/*
 * Mail of class inbound, and recipients in `local_domains`, are not called out: unknown/skipped.
 * The rest is verifier_ask(), with the same meaning of the result, `on`, `cb` and `now`. The
 * request's stale_ok is set here, from the class's actions.
 */
bool inquiry_start(const struct policy_opts *o, enum mail_class c, struct verifier *v,
                   const struct verifier_request *rq, struct loop *on, verifier_cb cb, void *arg,
                   struct verdict *now);

#endif
