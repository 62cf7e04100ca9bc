/*
 * The client's side of an SMTP session up to the reply to RCPT, as a state machine without I/O:
 * bytes in, bytes out. It knows no socket, TLS library, clock or log; smtp/session drives it.
 *
 * Per state two questions: what is said on entry, and what a reply means. Never DATA. Guarantee:
 * after every call below the state is CLIENT_CLOSED, or the machine waits for one thing and the
 * user puts a deadline on it: a reply, in CLIENT_CONNECT the connection, in CLIENT_TLS the
 * handshake, in CLIENT_READY the user's client_ask() or client_quit(). There is exactly one outcome
 * for each recipient, and in CLIENT_CLOSED there is always one. It is final once what was said by
 * then has been taken.
 *
 * Threads: a plain value owned by its user; what the options point to is borrowed. It holds memory
 * while a reply is half heard (not in CLIENT_CLOSED) or something said is not taken. CLIENT_CLOSED
 * is also where it ends for want of memory. RFC 5321, 2920 (PIPELINING), 3207 (STARTTLS), 6531
 * (SMTPUTF8), 9422 (LIMITS).
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/address.h"
#include "smtp/keywords.h"
#include "smtp/limits.h"
#include "smtp/outcome.h"
#include "smtp/reply.h"

#define CLIENT_COMMAND_MAX 512                      /* RFC 5321 section 4.5.3.1.4, CRLF included */
#define CLIENT_OUT_MAX     (3 * CLIENT_COMMAND_MAX) /* RSET, MAIL and RCPT in one write */

/* State, name, stage an outcome found there belongs to. */
#define CLIENT_STATES(X) \
    X(CONNECT, "connect", CONNECT)    /* the user connects, then client_connected() */ \
    X(GREETING, "greeting", GREETING) /* waits for the whole multi-line greeting */ \
    X(EHLO, "ehlo", EHLO)             /* again after TLS, with everything said before forgotten */ \
    X(HELO, "helo", HELO)             /* only after EHLO was answered 500, 502 or 504 */ \
    X(STARTTLS, "starttls", STARTTLS) \
    X(TLS, "tls", TLS)        /* the user shakes hands, then client_secured() */ \
    X(MAIL, "mail", MAIL)     /* RCPT goes along where PIPELINING is offered; also where the reply \
                                 is only awaited, RSET being refused */ \
    X(RCPT, "rcpt", RCPT)     /* also where the reply is only awaited, MAIL being refused */ \
    X(READY, "ready", RCPT)   /* the outcome is out; another recipient may be asked about */ \
    X(RSET, "rset", MAIL)     /* for another transaction; MAIL and RCPT may go along */ \
    X(QUIT, "quit", QUIT)     /* the outcome is out; waits for 221 */ \
    X(CLOSED, "closed", QUIT) /* the user closes the connection */

enum client_state {
#define X(id, name, stage) CLIENT_##id,
    CLIENT_STATES(X)
#undef X
        CLIENT_STATE_COUNT
};

struct client_opts {
    const char *helo_name;
    const char *sender;              /* in wire form, "" for the null sender */
    const struct address *recipient; /* asked about */
    bool starttls;                   /* where offered, and where a 530 asks for it */
    bool tls_required;               /* no MAIL without it */
    bool lmtp;                       /* LHLO in place of EHLO, and no HELO (RFC 2033) */
    /* Every change of state, before what its entry says; may be NULL. */
    void (*on_state)(void *arg, enum client_state from, enum client_state to);
    /* One line, printable, without its end; dir '>' taken to be sent, '<' heard; may be NULL. */
    void (*on_trace)(void *arg, char dir, const char *line);
    void *arg;
};

struct client {
    struct client_opts opts;
    enum client_state state;
    unsigned keywords; /* smtp/keywords */
    bool secured;      /* TLS is on */
    bool tls_asked;    /* STARTTLS was said on this connection */
    bool tls_due;      /* 530 at a pipelined MAIL: STARTTLS once RCPT is answered */
    bool mail_said;    /* in the write with RSET */
    bool rcpt_said;    /* in the write with MAIL */
    bool mail_utf8;    /* the transaction under way has SMTPUTF8 */
    bool early;        /* the reply being heard began before its command was taken */
    bool has_outcome;  /* `outcome` holds; until then it may keep the 530 that asked for TLS */
    size_t quit_heard; /* octets since QUIT; bounded */
    size_t out_len;    /* said but not taken */
    struct outcome outcome;
    struct limits limits;
    struct reply_parser *parser; /* of what is half heard; else NULL */
    char *out;                   /* what is said but not taken, or NULL */
};

void client_init(struct client *c, const struct client_opts *opts);

/* What the user reports. Each may change the state and leave something to be taken. */
void client_connected(struct client *c);
void client_secured(struct client *c, const char *version);

/*
 * In CLIENT_READY: asks about another recipient, in the transaction under way, whose sender stays
 * and which has SMTPUTF8 or has not, or, after RSET, in one of its own; or ends the session. A
 * reply that nobody asked for, heard in CLIENT_READY, has changed the outcome to a failure and
 * ended the session already.
 */
void client_ask(struct client *c, const char *sender, const struct address *recipient,
                bool new_transaction);
void client_quit(struct client *c);

/* Whether in CLIENT_READY, nothing having been heard there, and within the server's LIMITS. */
bool client_takes(const struct client *c, const char *domain, bool new_transaction);

/*
 * Bytes from the server: all that had arrived by now, in one call, because whatever comes on top of
 * the replies that were due is there before the next command was sent, and makes a failure. Not in
 * CLIENT_CONNECT.
 */
void client_receive(struct client *c, const char *data, size_t len);

/*
 * In CLIENT_TLS: plaintext was found where the handshake should have begun, put there by somebody
 * who can write to the connection but not into TLS. client_receive() comes to the same.
 */
void client_injected(struct client *c);

/* The connection cannot be used any more: at once CLIENT_CLOSED. `detail` may hold anything. */
void client_lost(struct client *c, enum smtp_failure failure, const char *detail);

/* The deadline passed, or nobody wants the answer any more: QUIT, or from there the end. */
void client_timeout(struct client *c, const char *detail);

/* Moves what is to be sent into `out`; returns its length. */
size_t client_take(struct client *c, char out[CLIENT_OUT_MAX]);

const char *client_state_name(enum client_state state);
enum smtp_stage client_state_stage(enum client_state state);

#endif
