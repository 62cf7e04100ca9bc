/*
 * One SMTP or LMTP session with one host: the client FSM (smtp/client) over a socket and TLS. It
 * greets, asks about one recipient, reports the outcome, asks about another one if it is told to,
 * and then ends the session with QUIT by itself.
 *
 * Threads: the loop's only. Ownership: the session frees itself right after on_closed; until then
 * the owner holds a borrowed pointer. Guarantees: on_outcome fires exactly once for each recipient,
 * on_closed exactly once and after it, neither inside session_start() nor session_ask(). After
 * every step the session is finished or has an armed event with a deadline.
 *
 * SIGPIPE is to be blocked in the loop's thread or ignored: see smtp/tls.h.
 *
 * RFC 5321 (dialogue, timeouts bounded by options), 2033 (LMTP), 2920 (PIPELINING), 3207
 * (STARTTLS), 6531.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/netaddr.h"
#include "smtp/address.h"
#include "smtp/outcome.h"
#include "smtp/tls.h"

/* Durations in milliseconds. A plain value: copied at session_start(). */
struct session_opts {
    char helo_name[256]; /* FQDN or address literal */
    enum tls_mode tls;
    int64_t connect_ms;
    int64_t greeting_ms;
    int64_t command_ms; /* each later reply, QUIT apart */
    int64_t tls_ms;
    int64_t quit_ms; /* longest wait for 221 */
};

struct session_target {
    struct netaddr ip;
    uint16_t port;
    char path[108]; /* of a unix socket, in place of ip and port; else "" */
    char name[256]; /* MX host name: SNI, certificate check, logs; may be "" for a literal. One that
                       is an address is for logs alone */
    bool lmtp;      /* LHLO (RFC 2033) */
};

struct session_handler {
    void (*on_outcome)(void *arg, const struct outcome *o);
    void (*on_closed)(void *arg);
    /* One line of the dialogue without CRLF, printable; dir '>' sent, '<' received, '*' remark.
       May be NULL. */
    void (*on_trace)(void *arg, char dir, const char *line);
    void *arg;
};

struct session;

/*
 * Connects to `target`, with `deadline` (clock_mono_ms) over the whole session up to the outcome.
 * `sender` is the MAIL FROM address in wire form, "" for the null sender. `tls` may be NULL when
 * opts->tls is TLS_NONE. Under TLS_MAY a failed handshake is followed, on the same host, by a fresh
 * connection without TLS, within the same deadline. NULL only when out of memory.
 */
struct session *session_start(struct loop *loop, const struct session_opts *opts,
                              struct tls_context *tls, const struct session_target *target,
                              const char *sender, const struct address *recipient, int64_t deadline,
                              const struct session_handler *handler);

/*
 * Only in on_outcome: another recipient on the same session, in the transaction of the one before
 * or in one of its own. False when the session cannot be used any more: there was no reply to RCPT,
 * or the server leaves.
 */
bool session_ask(struct session *s, const struct address *recipient, bool new_transaction);

/*
 * Wants no more of it: if the outcome is not out yet it is reported as a TIMEOUT at the present
 * stage, from the loop; a server that is listening gets QUIT, bounded by quit_ms. Idempotent.
 */
void session_quit(struct session *s);

#endif
