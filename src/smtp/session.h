/*
 * One SMTP or LMTP session with one host: the client FSM (smtp/client) over a socket and TLS. It
 * connects to the first address that lets it (smtp/dial), greets, asks about a recipient and
 * reports the outcome. Then it asks about another one or is kept for one, if it is told to; else it
 * ends with QUIT by itself.
 *
 * Threads: the loop's only. Ownership: the session frees itself right after on_closed; until then
 * the owner holds a borrowed pointer. Guarantees: on_outcome fires exactly once for each recipient,
 * on_closed exactly once and after it, neither inside session_start(), session_ask(),
 * session_keep() nor session_quit(). After every step the session is finished or has an armed event
 * with a deadline.
 *
 * SIGPIPE is to be blocked in the loop's thread or ignored: see smtp/tls.h.
 *
 * RFC 5321 (dialogue, timeouts bounded by options), 2033 (LMTP), 2920 (PIPELINING), 3207
 * (STARTTLS), 6531, 8305 section 5 (several addresses), 9422 (LIMITS).
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

#define SESSION_TARGETS_MAX 20

/* Durations in milliseconds. A plain value: copied at session_start(). */
struct session_opts {
    char helo_name[256]; /* FQDN or address literal */
    bool lmtp;           /* LHLO (RFC 2033) */
    enum tls_mode tls;
    int64_t connect_ms; /* of each address */
    int64_t greeting_ms;
    int64_t command_ms; /* each later reply, QUIT apart */
    int64_t tls_ms;
    int64_t quit_ms; /* longest wait for 221 */
};

/* One of the addresses of a server, or of servers as good as each other. Borrowed as long as the
   session lives. */
struct session_target {
    struct netaddr ip;
    uint16_t port;
    const char *path; /* of a unix socket, in place of ip and port; else NULL */
    const char *name; /* MX host name: SNI, certificate check, logs; may be "" for a literal. One
                         that is an address is for logs alone */
    struct netaddr source; /* to connect from (port chosen by the system); AF_UNSPEC: the system's
                              choice */
    bool no_tls;           /* what is said there does not leave this host */
};

/* What is asked, and as whom. Borrowed for the call. */
struct session_job {
    const char *sender; /* MAIL FROM in wire form, "" for the null sender */
    const struct address *recipient;
    int64_t deadline; /* clock_mono_ms, up to the outcome */
};

enum session_address {
    SESSION_ADDRESS_CONNECTED, /* the winner, once a race */
    SESSION_ADDRESS_FAILED,
    SESSION_ADDRESS_LATE, /* it was given 250 ms or more, and another was there first */
};

struct session_handler {
    /* What became of an address that was tried, before the outcome; `how`: of FAILED. An address
       whose time was cut short is not heard of. May be NULL. Never inside session_start(). */
    void (*on_address)(void *arg, size_t index, enum session_address what, enum smtp_failure how);
    void (*on_outcome)(void *arg, const struct outcome *o);
    void (*on_closed)(void *arg);
    /* One line of the dialogue without CRLF, printable; dir '>' sent, '<' received, '*' remark.
       May be NULL. */
    void (*on_trace)(void *arg, char dir, const char *line);
    void *arg;
};

struct session;

/*
 * Connects to one of `targets` (1 to SESSION_TARGETS_MAX), the preferred first: the next is tried
 * 250 ms after the last, or at once when that failed, and the first to connect it is. Where none
 * does, the outcome is the failure of the first. `tls` may be NULL when opts->tls is TLS_NONE. A
 * failed handshake is followed, at the same address and within the same deadline, by a fresh
 * connection: for a whole handshake, where it was to resume an earlier one; under TLS_MAY, without
 * TLS. NULL only when out of memory.
 */
struct session *session_start(struct loop *loop, const struct session_opts *opts,
                              struct tls_context *tls, const struct session_target *targets,
                              size_t count, const struct session_job *job,
                              const struct session_handler *handler);

/*
 * In on_outcome, or while it is kept: another recipient, in the transaction under way (only in
 * on_outcome; job->sender is that of before) or in one of its own. False when the session cannot be
 * used any more, or its limits do not allow it: what the server's LIMITS say, and SMTPUTF8, which a
 * transaction has from the beginning or not at all. After true on_outcome fires exactly once more.
 */
bool session_ask(struct session *s, const struct session_job *job, bool new_transaction);

/*
 * In on_outcome: it is kept for `idle_ms` without a recipient and then ends itself with QUIT. What
 * the server says or does meanwhile ends it with on_closed alone. False when it cannot be used any
 * more (it is ending then, as without this call).
 */
bool session_keep(struct session *s, int64_t idle_ms);

/*
 * Whether another recipient of this domain, in a transaction of its own (else in the one under
 * way), fits into what the server's LIMITS allow (RFC 9422); false as well when the session is not
 * ready (its outcome not out, leaving, closed by the server). Valid in on_outcome and while kept.
 */
bool session_takes(const struct session *s, const char *domain, bool new_transaction);

/* Whether on_trace is called, from now on. It is from the beginning. */
void session_trace(struct session *s, bool wanted);

/* The name it goes by, as long as it lives. */
const char *session_helo_name(const struct session *s);

/*
 * Wants no more of it: if the outcome is not out yet it is reported as a TIMEOUT at the present
 * stage, from the loop; a server that is listening gets QUIT, bounded by quit_ms. Idempotent.
 */
void session_quit(struct session *s);

#endif
