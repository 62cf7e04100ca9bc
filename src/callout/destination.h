/*
 * Destinations: domains grouped by who answers for them, and what is remembered of each: for now,
 * that it refuses the null sender.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_DESTINATION_H
#define CALLOUT_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/providers.h"
#include "dns/mxlist.h"
#include "callout/keep.h"

#define DESTINATION_NAME_SIZE 272

/*
 * "provider/NAME" where the best MX host is a known provider's, else "mx/DOMAIN", the registrable
 * domain of its name, or the name itself where that has none, else "ip/ADDRESS"; of a unix socket
 * "unix/PATH". The plan has a candidate.
 */
void destination_name(const struct mx_plan *plan, const struct provider *provider,
                      char out[DESTINATION_NAME_SIZE]);

struct destination_fact {
    int64_t null_sender_refused_at; /* seconds since the epoch; 0: not that we know */
    int64_t expires_at;
};

/* False when there is none that lives at `now`. */
bool destination_get(struct keep *k, const char *name, int64_t now, struct destination_fact *out);
void destination_put(struct keep *k, const char *name, const struct destination_fact *f);

#endif
