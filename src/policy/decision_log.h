/*
 * The log line of a decision, in logfmt: one line a decision, the same from every frontend.
 *
 * Threads: any.
 */
#ifndef POLICY_DECISION_LOG_H
#define POLICY_DECISION_LOG_H

#include "callout/verdict.h"
#include "policy/decision.h"

/* Who asked; empty strings are left out of the line. */
struct asker {
    const char *address; /* the recipient, or in class sender the sender */
    const char *client;
    const char *sasl;
    const char *queue_id;
};

void decision_log(const struct asker *who, enum mail_class c, const struct verdict *v,
                  const struct decision *d);

#endif
