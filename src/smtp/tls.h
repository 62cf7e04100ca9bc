/*
 * TLS for the client's side of SMTP (RFC 3207): fences OpenSSL. TLS 1.2 and later.
 *
 * Threads: a context is made anywhere and then used on one loop. OpenSSL writes to sockets without
 * MSG_NOSIGNAL: SIGPIPE is to be blocked in the loop's thread (threads started by
 * base/loop block every signal) or ignored by the process.
 */
#ifndef SMTP_TLS_H
#define SMTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/netaddr.h"

/* What is asked of a server. The order is that of strictness. */
enum tls_mode {
    TLS_NONE,    /* never */
    TLS_MAY,     /* when it can be had; certificates are not looked at */
    TLS_ENCRYPT, /* always; certificates are not looked at */
    TLS_VERIFY,  /* always, with a certificate of the MX host that the system's trust store vouches
                    for */
};

struct tls_context; /* options, trust store and what may be resumed, shared by all sessions */
struct tls;         /* one connection's */

/* Whom the handshake is with. */
struct tls_peer {
    const char *name;         /* SNI and certificate; "" for none: then the address is checked */
    const struct netaddr *ip; /* borrowed for the call, like `name` */
    uint16_t port;
    bool verify;
};

bool tls_context_new(struct tls_context **ctx, struct error *err);

/* Sets *ctx to NULL; allowed twice. No connection may be left. */
void tls_context_free(struct tls_context **ctx);

/*
 * For a connected, non-blocking socket with nothing buffered, which stays the caller's. What the
 * server gave us to resume by is used: a handshake without certificates, under `verify` only after
 * one in which they were verified for the same peer. A server that takes it no more gets a whole
 * handshake at once; one where a resumption fails, at the next connection and for an hour. NULL
 * when out of memory.
 */
struct tls *tls_new(struct tls_context *ctx, int fd, const struct tls_peer *peer);

/* Sets *t to NULL; allowed on NULL. After a whole handshake says close_notify, without waiting for
   an answer. */
void tls_free(struct tls **t);

enum tls_step {
    TLS_DONE,
    TLS_WAITS_TO_READ,  /* and is to be called again when the socket can be read, */
    TLS_WAITS_TO_WRITE, /* or written to */
    TLS_ENDED,          /* by the server, in good order or not */
    TLS_FAILED,         /* tls_explain() knows why, else errno, valid until the next call */
};

enum tls_step tls_handshake(struct tls *t);

/* After the handshake. DONE: *used, at least 1, says how much. */
enum tls_step tls_read(struct tls *t, char *buf, size_t size, size_t *used);
enum tls_step tls_write(struct tls *t, const char *data, size_t len, size_t *used);

/* "TLSv1.3"; constant. */
const char *tls_version(const struct tls *t);

/* The handshake resumed, or tried to resume, what an earlier one had begun. */
bool tls_resumes(const struct tls *t);

/* TLS did not work: what it was resumed by is not used again, nor any other of that peer. */
void tls_blame(struct tls *t);

/* Why it has FAILED: the certificate's fault, or OpenSSL's reason, or "" when it has none. */
void tls_explain(const struct tls *t, char *buf, size_t size);

#endif
