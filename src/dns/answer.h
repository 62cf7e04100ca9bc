/*
 * What the DNS said to one question: a status, a TTL, and addresses or mail exchangers; name
 * servers are only counted. Reading an answer is pure; every byte of it is distrusted. RFC 1035,
 * RFC 2181, RFC 2308.
 *
 * Threads: an answer is never changed once made, but its reference count is not atomic: one thread
 * (the loop's) per answer.
 */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"

#define DNS_NAME_SIZE   256 /* RFC 1035 section 2.3.4: 253 characters as text; with the NUL */
#define DNS_RECORDS_MAX 256 /* records kept of one answer; later ones are dropped */

/*
 * Caps, in seconds. What an operator mistyped should not outlive a day, and RFC 2308 section 5 has
 * found one to three hours right for "no": an hour, since "no" turns mail away.
 */
#define DNS_TTL_MAX          86400
#define DNS_NEGATIVE_TTL_MAX 3600

#define DNS_TYPES(X) \
    X(A, "A", 1) \
    X(AAAA, "AAAA", 28) \
    X(MX, "MX", 15) \
    X(NS, "NS", 2)

enum dns_type {
#define X(id, name, number) DNS_##id,
    DNS_TYPES(X)
#undef X
};

#define DNS_STATUSES(X) \
    X(OK, "OK")             /* there are such records */ \
    X(NODATA, "NODATA")     /* the name exists, such records don't */ \
    X(NXDOMAIN, "NXDOMAIN") /* the name does not exist */ \
    X(SERVFAIL, "SERVFAIL") /* an error, or nothing that could be understood */ \
    X(TIMEOUT, "timeout")   /* no server answered */ \
    X(LOCAL, "local fault") /* not asked: no memory, or too many questions under way */

enum dns_status {
#define X(id, name) DNS_##id,
    DNS_STATUSES(X)
#undef X
};

struct dns_mx {
    uint16_t preference;
    char name[DNS_NAME_SIZE]; /* lower case, no trailing dot; "" is the root */
};

struct dns_answer {
    enum dns_status status;
    /*
     * Seconds, capped. OK: the least of the records and the aliases that led to them. NODATA and
     * NXDOMAIN: by the SOA, 0 when there was none. SERVFAIL, TIMEOUT and LOCAL: 0.
     */
    uint32_t ttl;
    unsigned
        unusable; /* records of the type asked for that were left out: odd names, bad lengths */
    size_t count; /* records, in whichever of the two arrays the type calls for; NS: in neither */
    struct netaddr *ips;
    struct dns_mx *mxs;
    int64_t made_at; /* clock_mono_ms: when it was heard, or given up */
    uint64_t heard;  /* in the order of resolver_vouched(); 0: no server has said this */
    unsigned refs;
};

const char *dns_type_name(enum dns_type type);
uint16_t dns_type_number(enum dns_type type);
const char *dns_status_name(enum dns_status status);

/*
 * A host name as it may be asked for: lower case, without the trailing dot. False for what is no
 * such name: empty, labels over 63, more than 253 characters, or anything but letters, digits,
 * hyphens, underscores (seen in the wild) and the dots between labels.
 */
bool dns_name_clean(const char *name, char out[DNS_NAME_SIZE]);

/*
 * Reads a whole message (wire format) as the answer to `type` at `name` (clean, or "" for the
 * root). CNAMEs in it are followed from `name`, at most 16 of them. `heard` and
 * `made_at` are left to the caller.
 * Never fails but for memory: NULL.
 *
 * SERVFAIL: any rcode but NOERROR and NXDOMAIN, a message that is malformed, no response or still
 * truncated, an endless chain of aliases, or a referral.
 */
struct dns_answer *dns_answer_parse(const uint8_t *msg, size_t len, const char *name,
                                    enum dns_type type);

/* An answer without records and with TTL 0. NULL when out of memory. */
struct dns_answer *dns_answer_empty(enum dns_status status);

/* Bytes of memory it takes. */
size_t dns_answer_size(const struct dns_answer *a);

struct dns_answer *dns_answer_ref(struct dns_answer *a);
void dns_answer_unref(struct dns_answer **a); /* sets *a to NULL; allowed on NULL */

#endif
