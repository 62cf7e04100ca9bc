/*
 * TLS for the client's side of SMTP (RFC 3207): fences OpenSSL. TLS 1.2 and later.
 *
 * Threads: a context is made anywhere and then used on one loop. OpenSSL writes to sockets without
 * MSG_NOSIGNAL, as libevent does: SIGPIPE is to be blocked in the loop's thread (threads started by
 * base/loop block every signal) or ignored by the process.
 */
#ifndef SMTP_TLS_H
#define SMTP_TLS_H

#include <stdbool.h>
#include <stddef.h>

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

struct tls_context; /* options and trust store, shared by all sessions */
struct bufferevent;
struct event_base;

/* Whom the handshake is with. */
struct tls_peer {
    const char *name;         /* SNI and certificate; "" for none: then the address is checked */
    const struct netaddr *ip; /* borrowed for the call, like `name` */
    bool verify;
};

bool tls_context_new(struct tls_context **ctx, struct error *err);

/* Sets *ctx to NULL; allowed twice. No connection may be left. */
void tls_context_free(struct tls_context **ctx);

/*
 * Shakes hands on a connected socket with nothing buffered. Owns `fd` from then on, and closes it
 * when the bufferevent is freed. Callbacks are deferred, so that data is seen before its end; the
 * caller sets and enables them. NULL, with `fd` still the caller's, when out of memory.
 */
struct bufferevent *tls_start(struct tls_context *ctx, struct event_base *base, int fd,
                              const struct tls_peer *peer);

/* "TLSv1.3"; constant. */
const char *tls_version(struct bufferevent *bev);

/* Why BEV_EVENT_ERROR: the certificate's fault, or OpenSSL's reason, or "" when it has none. */
void tls_explain(struct bufferevent *bev, char *buf, size_t size);

/* Says close_notify, without waiting for an answer. */
void tls_goodbye(struct bufferevent *bev);

#endif
