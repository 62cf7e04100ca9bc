/*
 * What is known of a domain apart from its addresses: what it does with recipients that do not
 * exist. It holds for the domain at this set of MX hosts, and has a life of its own.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_DOMAIN_FACT_H
#define CALLOUT_DOMAIN_FACT_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/keep.h"
#include "callout/recall.h"
#include "callout/verdict.h"
#include "smtp/address.h"
#include "smtp/outcome.h"

#define DOMAIN_FACT_SIZE_MAX KEEP_VALUE_MAX /* octets of one, as stored */

struct domain_fact {
    enum catch_all_fact catch_all;
    int64_t learned_at, refresh_at, expires_at; /* seconds since the epoch */
    /* The evidence: how many made-up recipients were asked about and accepted, and the reply that
       decided; 0 asked where a real recipient's refusal did. */
    uint8_t asked, accepted;
    uint16_t code; /* 0: the session broke */
    struct enhanced_code enhanced;
    char text[256];
    char mx[256];
};

/* What an answer to a made-up recipient, or a refusal, came to. */
void domain_fact_set(struct domain_fact *f, enum catch_all_fact what, const struct outcome *o,
                     const char *mx, int64_t now, const struct lifetime *life);

/* Encodes; its length, or 0 when `size` is too small (DOMAIN_FACT_SIZE_MAX always suffices). */
size_t domain_fact_encode(const struct domain_fact *f, uint8_t *buf, size_t size);

/* False for anything that is no whole, well-formed fact of a known version. */
bool domain_fact_decode(const uint8_t *buf, size_t len, struct domain_fact *out);

/* The store key: domain, NUL, the host set in eight octets, the least first, so that one domain is
   one range. Returns its length. */
#define DOMAIN_FACT_KEY_SIZE (ADDRESS_DOMAIN_MAX + 1 + 8)
size_t domain_fact_key(const char *domain, uint64_t host_set, uint8_t key[DOMAIN_FACT_KEY_SIZE]);

/* False when there is none that lives at `now`. `host_set`: that of struct mx_plan. */
bool domain_fact_get(struct keep *k, const char *domain, uint64_t host_set, int64_t now,
                     struct domain_fact *out);
void domain_fact_put(struct keep *k, const char *domain, uint64_t host_set,
                     const struct domain_fact *f);

#endif
