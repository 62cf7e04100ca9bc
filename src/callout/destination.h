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

#include "callout/breaker.h"
#include "callout/keep.h"
#include "callout/providers.h"
#include "dns/mxlist.h"

#define DESTINATION_NAME_SIZE 272

/*
 * Who answers at this host: "provider/NAME" where it is a known provider's, else "mx/DOMAIN", the
 * registrable domain of its name, or the name itself where that has none, else "ip/ADDRESS"; of a
 * unix socket "unix/PATH". ("domain/NAME" is a recipient's domain alone: callout/callout.)
 */
void destination_name(const struct mx_candidate *host, const struct provider *provider,
                      char out[DESTINATION_NAME_SIZE]);

/* Times in seconds since the epoch. */
struct destination_fact {
    int64_t null_sender_refused_at; /* 0: not that we know, or too long ago */
    int64_t greylist_ms;    /* from the first try to the one that was let in; 0: not known */
    int64_t greylisted_at;  /* when that was learned */
    unsigned level;         /* of the trouble: callout/pace */
    int64_t pause_until;    /* 0: none */
    struct breaker breaker; /* callout/breaker */
    int64_t expires_at;
};

/* False when there is none that lives at `now`. */
bool destination_get(struct keep *k, const char *name, int64_t now, struct destination_fact *out);
void destination_put(struct keep *k, const char *name, const struct destination_fact *f);

#endif
