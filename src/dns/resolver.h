/*
 * DNS answers with their TTLs, over c-ares on a loop, with a cache in memory. c-ares itself is
 * fenced into dns/channel.
 *
 * Answers live in the cache for as long as their TTL says (caps in dns/answer.h), "no" by its SOA
 * (RFC 2308), failures for a few seconds (dns/cache.h). The same question asked again in its first
 * try joins it. Every server is asked up to three times before a question ends as a timeout.
 * A changed resolv.conf is noticed at the next question; those under way finish with the servers
 * they were sent to.
 *
 * Threads: the loop's only.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/netaddr.h"
#include "dns/answer.h"

#define RESOLVER_SERVERS_MAX 8

struct resolver_server {
    struct netaddr ip;
    uint16_t port;
};

/* A plain value. Zeroes are the defaults. */
struct resolver_opts {
    size_t server_count; /* dns_servers; 0: those of resolv.conf, watched for changes */
    struct resolver_server servers[RESOLVER_SERVERS_MAX];
    int try_ms;            /* wait of the first try; 0: 2000 */
    char resolv_conf[256]; /* "": /etc/resolv.conf */
    uint16_t port;         /* of the servers in resolv.conf; 0: 53 */
};

struct resolver;
struct resolver_query;

/*
 * `answer` is never NULL and valid during the call; dns_answer_ref() keeps it for longer. `ttl` is
 * what is left of its TTL, in seconds.
 */
typedef void (*resolver_cb)(void *arg, struct dns_answer *answer, uint32_t ttl);

bool resolver_new(struct resolver **r, struct loop *loop, const struct resolver_opts *opts,
                  struct error *err);

/*
 * Asks for the records of `type` at `name` (any case, a trailing dot allowed). The callback fires
 * exactly once, from the loop and never inside this call, unless cancelled. A name that is no host
 * name is NXDOMAIN without being asked for. NULL only when out of memory.
 */
struct resolver_query *resolver_query(struct resolver *r, const char *name, enum dns_type type,
                                      resolver_cb cb, void *arg);

/* The same for the name servers of the root, past the cache. Whoever has them may be believed a
   "no". */
struct resolver_query *resolver_query_root(struct resolver *r, resolver_cb cb, void *arg);

/* No callback any more. Sets *q to NULL; allowed on NULL, not once the callback has fired. */
void resolver_query_cancel(struct resolver_query **q);

/* New servers (SIGHUP): later queries use them, those under way finish on the old ones. */
bool resolver_reconfigure(struct resolver *r, const struct resolver_opts *opts, struct error *err);

/*
 * When (clock_mono_ms) a server last sent an answer with records; INT64_MIN: never. Answers from
 * the cache do not count, nor those of servers that are not asked any more.
 */
int64_t resolver_worked_at(const struct resolver *r);

/*
 * Up to where a "no" may be believed: all that is sent and heard is numbered in one row, and this
 * is the last question that the present servers have answered with records. What was heard before
 * that was asked (dns_answer's `heard`) was said by servers that worked still. An answer to an
 * earlier question would prove nothing: they may have begun to lie in between. 0: no question.
 */
uint64_t resolver_vouched(const struct resolver *r);

/* Empties the cache: the servers have lied. What is under way is answered, but not kept. */
void resolver_forget(struct resolver *r);

/* The loop it runs on. */
struct loop *resolver_loop(struct resolver *r);

/*
 * Addresses of this host's interfaces, loopback ones left out, read again when older than a few
 * seconds. Valid until the next call; *count may be 0.
 */
const struct netaddr *resolver_own_addresses(struct resolver *r, size_t *count);

/*
 * Queries under way are dropped without their callbacks: cancel or await lookups first. Not from
 * inside a callback. Sets *r to NULL; allowed on NULL.
 */
void resolver_free(struct resolver **r);

#endif
