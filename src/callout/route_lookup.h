/*
 * From a route to the ordered list of places that may be asked, as dns/mxlookup makes it of a
 * domain: target after target, each in its own order. Private addresses and our own are allowed.
 *
 * Threads: the resolver's loop only.
 */
#ifndef CALLOUT_ROUTE_LOOKUP_H
#define CALLOUT_ROUTE_LOOKUP_H

#include "callout/route.h"
#include "dns/mxlookup.h"

struct route_lookup;

/*
 * Copies what it needs of the route. The callback fires exactly once, from the loop, unless
 * cancelled; the plan is valid during the call. Its result is MX_OK, or a failure that may pass
 * (MX_SERVFAIL and on): that the DNS does not know a target says nothing of the domain's
 * recipients. A candidate's preference is the number of its target. NULL only when out of memory.
 */
struct route_lookup *route_lookup_start(struct resolver *r, const struct route *route,
                                        mx_lookup_cb cb, void *arg);

/* No callback any more. Sets *l to NULL; allowed on NULL, not after the callback fired. */
void route_lookup_cancel(struct route_lookup **l);

#endif
