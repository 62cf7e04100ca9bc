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

/* Whether addresses in `domain` are called out for this class. */
bool inquiry_wanted(const struct policy_opts *o, enum mail_class c, const char *domain);

/*
 * Who is not called out comes to unknown/skipped: recipients in `local_domains`, those of inbound
 * mail that have no route, exempt ones, postmaster and abuse of routed domains; senders in domains
 * of our own, and exempt ones. The rest is verifier_ask(), with the same meaning of the result,
 * `on`, `cb` and `now`. The request's stale_ok and null_sender are set here: a sender is asked
 * about with MAIL FROM:<>, so that two who call out senders do not chase each other. So is
 * want_catch_all, by what is configured and by what the request has: true for an asker who wants to
 * see it.
 */
bool inquiry_start(const struct policy_opts *o, enum mail_class c, struct verifier *v,
                   const struct verifier_request *rq, struct loop *on, verifier_cb cb, void *arg,
                   struct verdict *now);

#endif
