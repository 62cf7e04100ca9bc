/*
 * Answers kept for as long as their TTL says, in memory, bounded in number and bytes; the least
 * recently used go first. Pure: the time is handed in.
 *
 * Threads: one at a time.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"

/*
 * SERVFAIL and timeouts are kept for this long, in seconds: enough to spare the servers a burst
 * for one broken domain (RFC 9520 section 3.2), too short to outlive the fault for anyone to
 * notice.
 */
#define DNS_FAILURE_TTL 5

/* What is asked, as a hash key. */
struct dns_key {
    size_t len;
    char bytes[DNS_NAME_SIZE + 1];
};

/* `name` must be clean (dns_name_clean), or "" for the root. */
void dns_key_make(struct dns_key *key, const char *name, enum dns_type type);

struct dns_cache;

/* NULL when out of memory. */
struct dns_cache *dns_cache_new(size_t entries_max, size_t bytes_max);

/*
 * The answer, borrowed until the next call for this cache, and in *ttl the seconds it has left (its
 * own TTL for failures: 0). NULL: not there, or expired by `now_ms` (any clock that never goes
 * back, the same at every call).
 */
struct dns_answer *dns_cache_get(struct dns_cache *c, const struct dns_key *key, int64_t now_ms,
                                 uint32_t *ttl);

/* Takes a reference. Replaces what was there; does nothing for TTL 0 or when out of memory. */
void dns_cache_put(struct dns_cache *c, const struct dns_key *key, struct dns_answer *answer,
                   int64_t now_ms);

size_t dns_cache_count(const struct dns_cache *c);
void dns_cache_clear(struct dns_cache *c);
void dns_cache_free(struct dns_cache **c); /* sets *c to NULL; allowed on NULL */

#endif
