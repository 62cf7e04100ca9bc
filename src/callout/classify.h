/*
 * Reading: outcome -> reason. Pure. Replies are read by rules (callout/reply_rules), in the order
 * of trust that replies.conf has: provider, enhanced code, text, basic code; transport failures by
 * what they are. Where no rule fits, doubt falls towards `unknown` and never towards `invalid`.
 * RFC 5321 section 4.2.
 *
 * Threads: any.
 */
#ifndef CALLOUT_CLASSIFY_H
#define CALLOUT_CLASSIFY_H

#include "callout/reply_rules.h"
#include "callout/verdict.h"
#include "smtp/outcome.h"

struct reading {
    enum verdict_reason reason;
    const char *rule; /* that decided, the set's; "" for none: a failure, or no rule fits */
};

/* `provider`: "" where it is not known. `recipient`: who was asked about, NULL where that is not
   known. `rules` may be NULL: none. */
struct reading classify_outcome(const struct reply_rules *rules, const struct outcome *o,
                                const char *provider, const struct address *recipient);

#endif
