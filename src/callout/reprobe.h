/*
 * Re-probes: a recipient that was greylisted is asked about again, as callout/greylist plans and
 * callout/schedule keeps it, from the same source, with the same sender and HELO name. How long it
 * took until a destination let us in is kept, and is the first delay the next time. On the same
 * schedule are recipients that were valid and are said not to exist, until that is confirmed.
 *
 * Threads: the engine loop's only; reprobe_new() before it runs.
 */
#ifndef CALLOUT_REPROBE_H
#define CALLOUT_REPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callout/callout.h"
#include "callout/engine.h"

struct reprobe;

/* With what the store has. NULL: out of memory. */
struct reprobe *reprobe_new(struct engine *e);
void reprobe_free(struct reprobe **r); /* sets *r to NULL; NULL is allowed */

/* From now on they are made (by a daemon). */
void reprobe_run(struct reprobe *r);

/* Whether it will be asked again by itself; *out is the answer until then. */
bool reprobe_is_due(struct reprobe *r, const struct address *a, bool apart, struct verdict *out);

/* A callout that ended. */
struct reprobe_case {
    const struct address *address;
    bool apart, null_sender, want_catch_all; /* as it was asked */
    bool again;                              /* it was a re-probe */
    bool routed;                             /* the server is our own: it is never asked again */
    int64_t began;                           /* clock_wall_ms */
    const struct callout_trail *trail;
};

/*
 * True: it will be asked again, and *life is how long the answer is fresh, and worth anything,
 * until then. After the last try *v becomes unknown/cannot_verify.
 */
bool reprobe_heard(struct reprobe *r, const struct reprobe_case *c, struct verdict *v,
                   struct lifetime *life);

/* As schedule_reread() and schedule_reread_domain(). */
void reprobe_reread(struct reprobe *r, const uint8_t *key, size_t key_len);
void reprobe_reread_domain(struct reprobe *r, const char *domain);

/* The recipient was `valid` and is said not to exist: it is asked again, once, at `at` (seconds
   since the epoch). */
void reprobe_confirm(struct reprobe *r, const struct reprobe_case *c, int64_t at);

size_t reprobe_count(const struct reprobe *r);

#endif
