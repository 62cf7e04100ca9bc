/*
 * From a domain to the ordered list of addresses that may be asked about its recipients: MX
 * (RFC 5321 section 5.1), implicit MX, null MX (RFC 7505), refusals. The asynchronous glue between
 * dns/resolver (answers) and dns/mxlist (pure ordering and refusing).
 *
 * Threads: the resolver's loop only.
 */
#ifndef DNS_MXLOOKUP_H
#define DNS_MXLOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"
#include "dns/mxlist.h"

struct resolver;
struct mx_lookup;

typedef void (*mx_lookup_cb)(void *arg, const struct mx_plan *plan);

/*
 * `domain` in A-labels, lower case; or `literal` not AF_UNSPEC for an address-literal domain, which
 * asks no DNS but is refused or allowed by the same rules. The callback fires exactly once, from
 * the loop, unless cancelled; the plan is valid during the call. The options are borrowed as long
 * as the lookup: those that are in force when the addresses are there count. NULL only when out of
 * memory.
 */
struct mx_lookup *mx_lookup_start(struct resolver *r, const struct mxlist_opts *opts,
                                  const char *domain, const struct netaddr *literal,
                                  mx_lookup_cb cb, void *arg);

/* The same for one host: its addresses, whatever MX there may be. */
struct mx_lookup *mx_lookup_start_host(struct resolver *r, const struct mxlist_opts *opts,
                                       const char *host, mx_lookup_cb cb, void *arg);

/* No callback any more. Sets *l to NULL; allowed on NULL, not after the callback fired. */
void mx_lookup_cancel(struct mx_lookup **l);

#endif
