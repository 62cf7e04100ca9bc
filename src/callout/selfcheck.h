/*
 * Whether we are what servers expect of a client: the HELO name resolves (RFC 5321 section 4.1.4),
 * and the senders' domains take mail, so that whoever calls our sender back finds somebody. What is
 * wrong is logged when it is found, and kept for whoever asks after our health; what the DNS does
 * not answer is not guessed at. And that source_addresses are this host's. Looked at again every
 * hour, and while something is wrong more often.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_SELFCHECK_H
#define CALLOUT_SELFCHECK_H

#include <stddef.h>

#include "callout/engine.h"
#include "callout/verifier.h"

struct selfcheck;

/* With the engine's options of now. NULL when out of memory. */
struct selfcheck *selfcheck_start(struct engine *e);
void selfcheck_free(struct selfcheck **s); /* sets *s to NULL; NULL is allowed */

/* Looks at source_addresses now: for whoever has new ones, or could not connect from one. Logs what
   has changed, and returns how many are missing. */
size_t selfcheck_sources(struct engine *e);

/* What is wrong, as known by now; of the sources callout/health tells. */
void selfcheck_tell(const struct selfcheck *s, struct verifier_health *out);

#endif
