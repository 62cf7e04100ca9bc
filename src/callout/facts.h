/*
 * What is known of a destination apart from its addresses: for now, that it refuses us. A refusal
 * at the greeting, EHLO or MAIL, or one at RCPT that is about us, is kept here against the
 * recipient's domain, and never against an address.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_FACTS_H
#define CALLOUT_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/providers.h"
#include "callout/verdict.h"

struct facts;

/* Remembers at most `max` domains; the ones remembered longest make room. NULL: out of memory. */
struct facts *facts_new(unsigned max);
void facts_free(struct facts **f);

/*
 * Remembers `v` as the answer for callouts to `domain` until `until` (seconds since the epoch).
 * What is said to the null sender where that is not the usual one is remembered apart.
 */
void facts_refused(struct facts *f, const char *domain, bool null_sender, const struct verdict *v,
                   int64_t until);

/* The domain answered about a recipient: it does not refuse us. */
void facts_answered(struct facts *f, const char *domain, bool null_sender);

/* What was said there, by the destination of that name, counts no more. */
void facts_forget(struct facts *f, const char *destination, const struct providers *providers);

/* True, and *out filled, when the domain is known at `now` to refuse us. */
bool facts_recall(struct facts *f, const char *domain, bool null_sender, int64_t now,
                  struct verdict *out);

#endif
