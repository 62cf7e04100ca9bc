/* A session of the fake MX, without I/O: bytes in, replies out. It takes every recipient, and
   whoever does not do as somebody who only verifies recipients has to do is told so. */
#ifndef MX_DIALOGUE_H
#define MX_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#define MX_LINE_MAX    1024 /* a command, with what surely fits */
#define MX_REPLIES_MAX 2048 /* of one session, not yet sent */

struct mx_opts {
    bool pipelining, starttls;
    const char *rcpt_reply;
};

enum mx_next { MX_GO_ON, MX_START_TLS, MX_CLOSE };

struct mx_dialogue {
    char in[MX_LINE_MAX], out[MX_REPLIES_MAX];
    size_t in_len, out_len;
    unsigned recipients;
    bool greeted, in_transaction, secured;
    bool pipelining;   /* offered to this client */
    bool must_hear;    /* the last reply in `out`, before it says anything more */
    enum mx_next next; /* what comes once all of `out` is sent */
};

/* With the greeting in `out`. */
void mx_begin(struct mx_dialogue *d);

/* TLS is there: everything before is forgotten (RFC 3207 section 4.2). */
void mx_secured(struct mx_dialogue *d);

/* `len` bytes more in in[in_len…], within MX_LINE_MAX. What is wrong with them, or NULL. */
const char *mx_hear(struct mx_dialogue *d, const struct mx_opts *opts, size_t len);

/* The first `len` bytes of `out` are sent. */
void mx_sent(struct mx_dialogue *d, size_t len);

#endif
