/*
 * smtp/client on the bench: a client, what it said, the states it went through, and scripts.
 *
 * A script is a list of steps ended by NULL: "<" what the server says (neighbours arrive at once;
 * CRLF is added, unless it ends in a backslash), ">" the line that is said next, "!" an event
 * (connected, secured, tls failed, eof, deadline; more, which is for before all others, then ask,
 * ask anew, enough), "=" the outcome by now ("none", "rcpt 550", "greeting timeout"). Everything
 * said has to be expected.
 */
#ifndef TESTS_CLIENT_RIG_H
#define TESTS_CLIENT_RIG_H

#include <stdbool.h>

#include "smtp/client.h"

struct rig {
    struct client c;
    bool more;          /* in CLIENT_READY the script goes on; else that is the end */
    char said[4096];    /* taken and not yet expected */
    char states[1024];  /* every state entered, a space behind each */
    char traced[65536]; /* the dialogue */
};

/* How the recipient's host is to be spoken to: TLS never, where it can be had, always; by LMTP. */
enum rig_tls { NONE, MAY, ENCRYPT, LMTP };

#define HELLO    "!connected", "<220 mx", ">EHLO me.example"
#define HELLO_LM "!connected", "<220 mx", ">LHLO me.example"
#define ENVELOPE ">MAIL FROM:<>", ">RCPT TO:<u@d.example>"
#define BYE      ">QUIT", "<221 bye"
#define TO_MAIL  HELLO, "<250 mx", ">MAIL FROM:<>"
#define TO_PIPE  HELLO, "<250-mx", "<250 PIPELINING", ENVELOPE
#define TO_TLS   HELLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go"

extern const struct address rig_mailbox; /* u@d.example */
extern const struct address rig_other;   /* v@d.example, by "ask" */

void rig_init(struct rig *r, enum rig_tls tls);
void rig_run(struct rig *r, const char *const *script);

/* One event by its name in a script. */
void rig_event(struct rig *r, const char *event);

/* After what was done to `r->c` directly: takes what is said, checks what always holds. */
void rig_step(struct rig *r);

void rig_expect_outcome(const struct rig *r, const char *want);

#endif
