/*
 * What servers gave us to resume TLS by (RFC 5077, RFC 8446 section 4.6.1), kept for a while: a few
 * for each peer, those of TLS 1.3 for one connection each (RFC 8446 appendix C.4). Fences OpenSSL.
 *
 * Threads: one at a time.
 */
#ifndef SMTP_TLS_TICKETS_H
#define SMTP_TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "smtp/tls.h"

struct tls_tickets;

/* Everything that the verification of a peer depends on, and where it is. A plain value. */
struct ticket_key {
    size_t len;
    uint8_t bytes[1 + 1 + 16 + 2 + 256];
};

void ticket_key_make(struct ticket_key *key, const struct tls_peer *peer);

/* Of at most `max` (>= 1) peers; those not heard of longest make room. NULL: out of memory. */
struct tls_tickets *tls_tickets_new(size_t max);
void tls_tickets_free(struct tls_tickets **t); /* sets *t to NULL; NULL is allowed */

/* Keeps it for so many seconds, an hour at most. True: the reference is the table's. */
bool tls_tickets_put(struct tls_tickets *t, const struct ticket_key *key, SSL_SESSION *session,
                     int64_t seconds, int64_t now_ms);

/* The caller's reference, or NULL. What it is renewed by is not to be kept beyond *until_ms. */
SSL_SESSION *tls_tickets_take(struct tls_tickets *t, const struct ticket_key *key, int64_t now_ms,
                              int64_t *until_ms);

/* A handshake by one has failed: those of this peer are gone, and for an hour none is kept. */
void tls_tickets_refused(struct tls_tickets *t, const struct ticket_key *key, int64_t now_ms);

#endif
