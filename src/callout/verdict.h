/*
 * A verdict: what is known of a mailbox (status), why (reason), and the evidence for it.
 * Status and reason names are part of the outside contract: stable identifiers.
 *
 * Threads: a plain value.
 */
#ifndef CALLOUT_VERDICT_H
#define CALLOUT_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/netaddr.h"
#include "smtp/outcome.h"

#define VERDICT_STATUSES(X) \
    X(VALID, "valid") \
    X(INVALID, "invalid") \
    X(CATCH_ALL, "catch_all") \
    X(UNKNOWN, "unknown") \
    X(DEFERRED, "deferred")

enum verdict_status {
#define X(id, name) STATUS_##id,
    VERDICT_STATUSES(X)
#undef X
};
#define VERDICT_STATUS_COUNT 5

/*
 * id, name, status. The numbers are stored (callout/record): append, never reorder. Fewer than 64,
 * so that a set of reasons fits a uint64_t.
 */
#define VERDICT_REASONS(X) \
    X(MAILBOX_EXISTS, "mailbox_exists", VALID) \
    X(MAILBOX_FULL, "mailbox_full", VALID) \
    X(FORWARDED, "forwarded", VALID) \
    X(DELIVERED, "delivered", VALID) \
    X(NO_MAILBOX, "no_mailbox", INVALID) \
    X(MAILBOX_DISABLED, "mailbox_disabled", INVALID) \
    X(MOVED, "moved", INVALID) \
    X(BAD_SYNTAX, "bad_syntax", INVALID) \
    X(NO_DOMAIN, "no_domain", INVALID) \
    X(NULL_MX, "null_mx", INVALID) \
    X(BOUNCED, "bounced", INVALID) \
    X(ACCEPTS_EVERYTHING, "accepts_everything", CATCH_ALL) \
    X(CANNOT_VERIFY, "cannot_verify", UNKNOWN) \
    X(PROVIDER_MASKS, "provider_masks", UNKNOWN) \
    X(BLOCKED, "blocked", UNKNOWN) \
    X(SENDER_REFUSED, "sender_refused", UNKNOWN) \
    X(SMTPUTF8_UNSUPPORTED, "smtputf8_unsupported", UNKNOWN) \
    X(PRIVATE_DESTINATION, "private_destination", UNKNOWN) \
    X(SKIPPED, "skipped", UNKNOWN) \
    X(PROTOCOL_ERROR, "protocol_error", UNKNOWN) \
    X(OVERLOAD, "overload", UNKNOWN) \
    X(GREYLISTED, "greylisted", DEFERRED) \
    X(RATE_LIMITED, "rate_limited", DEFERRED) \
    X(PENDING, "pending", DEFERRED) \
    X(SERVER_ERROR, "server_error", DEFERRED) \
    X(UNREACHABLE, "unreachable", DEFERRED) \
    X(TIMEOUT, "timeout", DEFERRED) \
    X(DNS_ERROR, "dns_error", DEFERRED) \
    X(TLS_FAILED, "tls_failed", DEFERRED) \
    X(LOCAL_FAULT, "local_fault", DEFERRED)

enum verdict_reason {
#define X(id, name, status) REASON_##id,
    VERDICT_REASONS(X)
#undef X
        VERDICT_REASON_COUNT
};

#define VERDICT_SOURCES(X) \
    X(STORE, "store") \
    X(PROBE, "probe") \
    X(LEARNED, "learned") \
    X(DNS, "dns") \
    X(SYNTAX, "syntax") \
    X(OVERLAY, "overlay")

enum verdict_source {
#define X(id, name) SOURCE_##id,
    VERDICT_SOURCES(X)
#undef X
};

#define VERDICT_PROVIDER_SIZE 32
#define VERDICT_RULE_SIZE     48

/* What the domain was found to do with recipients that do not exist. */
#define CATCH_ALL_FACTS(X) \
    X(UNTESTED, "untested")   /* nobody asked */ \
    X(SELECTIVE, "selective") /* it refuses them: a 2yz means something */ \
    X(EVERYTHING, "accepts_everything") \
    X(NOT_KNOWN, "not_known") /* asked, and not answered: 4yz, a drop, about us */

enum catch_all_fact {
#define X(id, name) CATCH_ALL_##id,
    CATCH_ALL_FACTS(X)
#undef X
};

/* How it is known. Absent facts: code 0, empty strings, AF_UNSPEC. */
struct evidence {
    enum smtp_stage stage; /* of the reply or failure; CONNECT when there was no SMTP at all */
    enum smtp_failure failure;
    uint16_t code;
    struct enhanced_code enhanced;
    char text[512]; /* remote reply or failure detail; not yet reduced for clients */
    char mx[256];
    struct netaddr ip;
    char tls[16];
    char provider[VERDICT_PROVIDER_SIZE]; /* of providers.conf */
    char rule[VERDICT_RULE_SIZE];         /* of replies.conf, by which the reply was read */
    enum catch_all_fact catch_all;        /* what was known of the domain when this was learned */
};

struct verdict {
    enum verdict_status status; /* always that of the reason */
    enum verdict_reason reason;
    enum verdict_source source;
    bool passing; /* of this moment: not to be stored */
    bool has_evidence;
    struct evidence evidence;
    int64_t probed_at;  /* seconds since the epoch; 0: never asked (syntax, skipped, overload) */
    int64_t refresh_at; /* 0: not stored */
    int64_t expires_at; /* 0: not stored */
    int64_t ms; /* how long the callout took, or has by now; 0 when answered from the store */
};

const char *verdict_status_name(enum verdict_status status);
const char *verdict_reason_name(enum verdict_reason reason);
const char *verdict_source_name(enum verdict_source source);
const char *catch_all_fact_name(enum catch_all_fact fact);
enum verdict_status verdict_reason_status(enum verdict_reason reason);

/* False for an unknown name. */
bool verdict_reason_parse(const char *name, enum verdict_reason *out);
bool verdict_status_parse(const char *name, enum verdict_status *out);
bool verdict_source_parse(const char *name, enum verdict_source *out);
bool catch_all_fact_parse(const char *name, enum catch_all_fact *out);

/* Zeroes *v and sets reason, its status, and source. */
void verdict_init(struct verdict *v, enum verdict_reason reason, enum verdict_source source);

#endif
