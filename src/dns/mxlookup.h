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

#define MX_CANDIDATES_MAX 20
#define MX_OWN_MAX        64

/* A plain value: copied at mx_lookup_start(). */
struct mxlist_opts {
    bool allow_private; /* private_destinations = allow: loopback, private, link-local */
    size_t own_count;   /* own_addresses; the interfaces' are found by themselves */
    struct netaddr own[MX_OWN_MAX];
};

enum mx_result {
    MX_OK,        /* count >= 1 */
    MX_NO_DOMAIN, /* NXDOMAIN, or no MX, A and AAAA, or every MX loopback, unspecified, nameless */
    MX_NULL,      /* null MX, RFC 7505 */
    MX_PRIVATE,   /* every MX is private, link-local, multicast or this host */
    MX_SERVFAIL,  /* the DNS answered, but not the question */
    MX_TIMEOUT,   /* no DNS server answered */
};

struct mx_candidate {
    char name[256]; /* MX host name; the domain itself for an implicit MX; "" for a literal */
    uint16_t preference;
    struct netaddr ip;
};

struct mx_plan {
    enum mx_result result;
    uint32_t ttl; /* seconds this result may be kept by what the DNS said; 0 for failures */
    size_t count; /* candidates, in the order they are to be tried */
    struct mx_candidate list[MX_CANDIDATES_MAX];
    char detail[160]; /* printable, for log and JSON: "NXDOMAIN", "mx1.example: SERVFAIL" */
};

struct resolver;
struct mx_lookup;

typedef void (*mx_lookup_cb)(void *arg, const struct mx_plan *plan);

/*
 * `domain` in A-labels, lower case; or `literal` not AF_UNSPEC for an address-literal domain, which
 * asks no DNS but is refused or allowed by the same rules. The callback fires exactly once, from
 * the loop, unless cancelled; the plan is valid during the call. NULL only when out of memory.
 */
struct mx_lookup *mx_lookup_start(struct resolver *r, const struct mxlist_opts *opts,
                                  const char *domain, const struct netaddr *literal,
                                  mx_lookup_cb cb, void *arg);

/* No callback any more. Sets *l to NULL; allowed on NULL, not after the callback fired. */
void mx_lookup_cancel(struct mx_lookup **l);

#endif
