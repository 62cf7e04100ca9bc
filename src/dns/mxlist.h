/*
 * From DNS answers to the ordered addresses that may be asked about a domain's recipients, or the
 * reason why there are none. Pure: answers, own addresses and random numbers are handed in.
 * RFC 5321 section 5.1, RFC 7505 (null MX), RFC 8305 (families take turns).
 *
 * Two steps: mxlist_hosts() reads the MX answer and says whose addresses are needed, mxlist_plan()
 * reads those.
 *
 * An MX name that is the text of an IPv4 address is no host name (RFC 5321 section 5.1), but met,
 * and Postfix and Sendmail deliver there: it is taken as that address. One in brackets is left out
 * like every odd name.
 *
 * Threads: any; plain values.
 */
#ifndef DNS_MXLIST_H
#define DNS_MXLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"
#include "dns/answer.h"

#define MX_CANDIDATES_MAX 20
#define MX_OWN_MAX        64
#define MX_HOSTS_MAX      20 /* the best by preference; the others are not looked at */

/* A plain value. */
struct mxlist_opts {
    bool allow_private; /* private_destinations = allow: loopback, private, link-local */
    bool allow_own;     /* our own addresses are addresses like others: call-ahead */
    size_t own_count;   /* own_addresses; the interfaces' are found by themselves */
    struct netaddr own[MX_OWN_MAX];
};

/* When several hosts are refused for different reasons, the one furthest down here counts; of
   failures (from MX_SERVFAIL on) the first. */
enum mx_result {
    MX_OK,        /* count >= 1 */
    MX_NO_DOMAIN, /* NXDOMAIN, or no MX, A and AAAA, or every MX does not exist, is loopback,
                     unspecified or nameless */
    MX_NULL,      /* null MX, RFC 7505 */
    MX_PRIVATE,   /* every MX is private, link-local, multicast or this host */
    MX_SERVFAIL,  /* the DNS answered, but not the question */
    MX_TIMEOUT,   /* no DNS server answered */
    MX_LOCAL,     /* the DNS was not asked: a fault of ours */
};

struct mx_candidate {
    const char *name; /* MX host name; the domain itself for an implicit MX; "" for a literal */
    uint16_t preference;
    struct netaddr ip;
    uint16_t port;    /* 0: the usual one */
    const char *path; /* of a unix socket, and then there is no ip; else NULL */
};

/* The candidates' texts are borrowed from where the list it was made of has them. */
struct mx_plan {
    enum mx_result result;
    uint32_t ttl;      /* seconds this result may be kept by what the DNS said; 0 for failures */
    uint16_t best;     /* preference of the best host there is, usable or not */
    uint64_t host_set; /* tells sets of MX hosts apart, whatever of them resolves now; may be
                          stored. 0 for an address literal */
    size_t count;      /* candidates, in the order they are to be tried */
    bool old_failure;  /* a failure that it rests on was known before. Of mxlookup */
    uint64_t heard;    /* the newest of what this rests on: see resolver_vouched(). 0: no server was
                          asked. Of mxlookup */
    char detail[160];  /* printable, for log and JSON: "NXDOMAIN", "mx1.example: SERVFAIL" */
    struct mx_candidate list[MX_CANDIDATES_MAX];
};

enum mx_family { MX_V6, MX_V4 };
#define MX_FAMILIES 2

struct mx_host {
    const char *name; /* of the MX answer, or the domain: borrowed */
    uint16_t preference;
    struct netaddr numeric; /* of a name that is the text of an IPv4 address, else AF_UNSPEC; it is
                               used as that address, like Postfix and Sendmail do, and not asked
                               about */
    /* The AAAA and the A answer with what is left of their TTLs; the caller fills them in, and owns
       them. NULL is a fault of ours. */
    struct dns_answer *answers[MX_FAMILIES];
    uint32_t ttls[MX_FAMILIES];
};

struct mxlist {
    bool implicit;     /* no MX: the domain's own addresses */
    uint64_t host_set; /* of all MX, also those that are not looked at */
    uint32_t ttl;      /* of the MX answer */
    size_t count;
    struct mx_host hosts[MX_HOSTS_MAX]; /* best first */
};

/* As much of it as there is, texts and all in one piece, to be freed: beyond `count` the copy has
   no candidates. NULL when out of memory. */
struct mx_plan *mx_plan_copy(const struct mx_plan *plan);

/* Uniform in [0, bound). */
typedef uint32_t (*mxlist_random)(uint32_t bound);

/*
 * True: *l lists the hosts whose addresses are needed next. False: *plan is the result already.
 * Hosts of equal preference come in random order.
 */
bool mxlist_hosts(struct mxlist *l, const char *domain, const struct dns_answer *mx, uint32_t ttl,
                  mxlist_random random, struct mx_plan *plan);

/* *l lists this one host, without an MX having been asked for. */
void mxlist_host(struct mxlist *l, const char *name);

/*
 * The result, once the hosts' answers are there. A host at an address of ours, in opts->own or
 * `own`, takes all of equal or worse preference away: no loops.
 */
void mxlist_plan(const struct mxlist *l, const struct mxlist_opts *opts, const struct netaddr *own,
                 size_t own_count, struct mx_plan *plan);

/* The result for an address-literal domain, by the same rules. */
void mxlist_literal(const struct netaddr *literal, const struct mxlist_opts *opts,
                    const struct netaddr *own, size_t own_count, struct mx_plan *plan);

#endif
