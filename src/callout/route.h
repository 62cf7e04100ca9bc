/*
 * Call-ahead routes: domains whose recipients are asked about at servers of our own instead of at
 * their MX. The servers may be private; what they are called never reaches a mail client.
 *
 * Threads: any. A table is filled by one thread, and immutable from its second reference on; the
 * last route_table_unref() frees it. Routes are borrowed from their table.
 */
#ifndef CALLOUT_ROUTE_H
#define CALLOUT_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/netaddr.h"
#include "smtp/address.h"

#define ROUTE_TARGETS_MAX 16

/* What becomes of a recipient that is not known while no target answers. Known ones are answered
   from the store in any case. */
#define ROUTE_OUTAGES(X) \
    X(STALE, "stale") /* as the actions say for `deferred` */ \
    X(ACCEPT, "accept") \
    X(TEMPFAIL, "tempfail")

enum route_outage {
#define X(id, name) ROUTE_OUTAGE_##id,
    ROUTE_OUTAGES(X)
#undef X
};

enum route_target_kind {
    ROUTE_TARGET_IP,   /* "[192.0.2.1]", "[2001:db8::1]" */
    ROUTE_TARGET_HOST, /* "[mail.example.com]": its A and AAAA records */
    ROUTE_TARGET_MX,   /* "example.com": its MX records, or else its addresses */
    ROUTE_TARGET_UNIX, /* "unix:/run/dovecot/lmtp" */
};

struct route_target {
    enum route_target_kind kind;
    char name[ADDRESS_DOMAIN_MAX + 1]; /* HOST, MX: lower-case A-labels; else as configured */
    struct netaddr ip;                 /* IP */
    char path[108];                    /* UNIX, absolute */
    uint16_t port;                     /* 0: none was given */
};

struct route {
    char domain[ADDRESS_DOMAIN_MAX + 3]; /* lower-case A-labels; perhaps with "*." before it */
    bool lmtp;                           /* LMTP (RFC 2033) instead of SMTP */
    enum route_outage outage;
    size_t target_count;
    struct route_target *targets; /* the preferred first; the table's */
};

struct route_table;

/* An empty table with one reference; NULL when out of memory. */
struct route_table *route_table_new(void);
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table **t); /* sets *t to NULL; NULL is allowed */

/* A new route for `domain` (form of struct route), without targets, to be filled by the caller.
   NULL when out of memory, or when there is one for it. */
struct route *route_table_add(struct route_table *t, const char *domain);

/* One more target, behind the others. False with err when it is one too many, or memory is out. */
bool route_add_target(struct route *r, const struct route_target *target, struct error *err);

/*
 * The route of a recipient's domain (struct address), or NULL: the domain itself, else the longest
 * "*.parent" that it is in, at any depth. A NULL table is empty.
 */
const struct route *route_find(const struct route_table *t, const char *domain);

/*
 * Reads "[HOST]", "[HOST]:PORT", "[ADDRESS]:PORT", "NAME", "NAME:PORT" or "unix:/PATH". On failure
 * err is "is no ...".
 */
bool route_target_parse(const char *text, struct route_target *out, struct error *err);

#endif
