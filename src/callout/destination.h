/*
 * Destinations: domains grouped by who answers for them, and what is remembered of each: that it
 * refuses the null sender, its greylisting, the trouble we had there, its breaker.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_DESTINATION_H
#define CALLOUT_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
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

/* Whether `text` may be such a name, or "domain/NAME". */
bool destination_name_valid(const char *text);

#define DESTINATION_FACT_SIZE_MAX KEEP_VALUE_MAX /* octets of one, as stored */

/* Times in seconds since the epoch. All zero: nothing is known. */
struct destination_fact {
    int64_t null_sender_refused_at; /* 0: not that we know; how long that counts is the asker's */
    int64_t greylist_ms;    /* from the first try to the one that was let in; 0: not known */
    int64_t greylisted_at;  /* when that was learned */
    unsigned level;         /* of the trouble: callout/pace */
    int64_t pause_until;    /* 0: none */
    struct breaker breaker; /* callout/breaker */
    int64_t expires_at;     /* of all of it: no sooner than the last of these is of use */
};

/* Encodes; its length, or 0 when `size` is too small (DESTINATION_FACT_SIZE_MAX always suffices).
   A trial is kept as an open breaker whose time is over: who made it may be gone by then. */
size_t destination_fact_encode(const struct destination_fact *f, uint8_t *buf, size_t size);

/* False, and nothing known, for what is no whole, well-formed fact of a known version. */
bool destination_fact_decode(const uint8_t *buf, size_t len, struct destination_fact *out);

/* False, and nothing known, when there is none that lives at `now`. */
bool destination_get(struct keep *k, const char *name, int64_t now, struct destination_fact *out);

/* In the place of what is there: begin with destination_get(). */
void destination_put(struct keep *k, const char *name, const struct destination_fact *f);

#endif
