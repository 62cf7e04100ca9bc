/*
 * The outcome of one probe: how far the dialogue came, and the reply or the transport failure that
 * ended it. Raw: what it means for the recipient is callout/classify's to say. Replies and
 * failures, ours and theirs, travel on this one path.
 *
 * Threads: a plain value.
 */
#ifndef SMTP_OUTCOME_H
#define SMTP_OUTCOME_H

#include <stdbool.h>

#include "smtp/reply.h"

/* Where in the dialogue; the names are what logs, JSON and scenarios show. */
#define SMTP_STAGES(X) \
    X(CONNECT, "connect") \
    X(GREETING, "greeting") \
    X(EHLO, "ehlo") \
    X(HELO, "helo") \
    X(STARTTLS, "starttls") \
    X(TLS, "tls") \
    X(MAIL, "mail") \
    X(RCPT, "rcpt") \
    X(QUIT, "quit")

enum smtp_stage {
#define X(id, name) SMTP_STAGE_##id,
    SMTP_STAGES(X)
#undef X
};

/* Why there is no reply. */
#define SMTP_FAILURES(X) \
    X(NONE, "none")               /* there is a reply */ \
    X(REFUSED, "refused")         /* connection refused (RST) */ \
    X(UNREACHABLE, "unreachable") /* no route, host or network unreachable */ \
    X(TIMEOUT, "timeout")         /* the stage's deadline, or the session's */ \
    X(CLOSED, "closed")           /* the server closed or reset the connection */ \
    X(PROTOCOL, "protocol")       /* not SMTP: garbage, bounds broken, injected plaintext */ \
    X(TLS, "tls")                 /* the handshake failed, or the certificate under verify */ \
    X(SMTPUTF8, "smtputf8")       /* the address needs SMTPUTF8 and it is not offered */ \
    X(LOCAL, "local")             /* our own: no descriptor, no memory, bind failed */

enum smtp_failure {
#define X(id, name) SMTP_FAILURE_##id,
    SMTP_FAILURES(X)
#undef X
};

struct outcome {
    enum smtp_stage stage;
    enum smtp_failure failure;
    struct smtp_reply reply; /* code 0 unless failure is NONE */
    bool tls_failed;         /* an earlier STARTTLS on this host failed and plaintext was used */
    bool reused;             /* the session had answered about another recipient before */
    char tls[16];            /* protocol version in use at the end, "TLSv1.3"; "" for none */
    char detail[128];        /* printable: errno text, TLS error; "" for none */
    char greeting[128];      /* how the server greeted, printable, perhaps cut; "" for not at all */
};

/* "rcpt", "timeout"; never NULL. */
const char *smtp_stage_name(enum smtp_stage stage);
const char *smtp_failure_name(enum smtp_failure failure);

/* False for an unknown name. */
bool smtp_stage_parse(const char *name, enum smtp_stage *out);
bool smtp_failure_parse(const char *name, enum smtp_failure *out);

#endif
