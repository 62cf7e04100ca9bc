/*
 * The first step of a callout: where a recipient may be asked about, by its domain's route or the
 * DNS; or the verdict, where that needs nobody to be asked.
 *
 * That a domain does not exist is believed when the DNS servers have given records since, to
 * whatever question, or know the root; that they fail is held against the domain when others were
 * answered meanwhile. Else it may be our own resolver that is broken, or lies (callout/outage).
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_LOOKUP_H
#define CALLOUT_LOOKUP_H

#include <stdint.h>

#include "callout/engine.h"
#include "callout/verdict.h"
#include "dns/mxlookup.h"
#include "smtp/address.h"

struct lookup;

struct lookup_handler {
    /* One of the two, exactly once, never inside lookup_start(). The lookup is gone then. */
    void (*on_plan)(void *arg, const struct mx_plan *plan); /* there are candidates */
    void (*on_verdict)(void *arg, const struct verdict *v, uint32_t ttl);
    void *arg;
};

/* `route`: NULL for none. It lasts `bound_ms` at most. NULL only when out of memory. */
struct lookup *lookup_start(struct engine *e, const struct address *a, const struct route *route,
                            int64_t bound_ms, const struct lookup_handler *h);

/* No callback any more. Sets *l to NULL; NULL is allowed. */
void lookup_cancel(struct lookup **l);

#endif
