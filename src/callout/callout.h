/*
 * A callout: a destination is asked about one recipient, and its answer read.
 *
 *  - the sender is the configured one; where that is the null sender and it is refused, once more
 *    with the fallback; that this did better is remembered for the destination, or where it was
 *    refused at RCPT for the domain (RFC 5321 section 4.5.5 has null senders accepted, but not all
 *    do);
 *  - a 2yz is worth what is known of the provider and of the domain; where somebody wants to know,
 *    and nothing is known, made-up recipients are asked about after it on the same session
 *    (callout/catch_all). Not where a backup answers, which does not know the domain's users;
 *  - a refusal of a recipient that does not exist, by a domain held to accept everything, puts that
 *    right.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_CALLOUT_H
#define CALLOUT_CALLOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/destination.h"
#include "callout/engine.h"
#include "callout/verdict.h"
#include "dns/mxlookup.h"
#include "smtp/address.h"

struct callout;

/* A plain value. */
struct callout_ask {
    const struct address *recipient; /* borrowed as long as the callout */
    bool routed, lmtp;
    bool null_sender;    /* MAIL FROM:<>, and nothing else in its place */
    bool want_catch_all; /* find out what the domain does with unknown recipients */
    bool fresh;          /* also of hosts that are known to be dead, or to refuse us */
    enum callout_priority priority;
    const struct callout_trail *again; /* as it was asked before (greylisting); for the call */
    int64_t deadline;                  /* clock_mono_ms, of all of it */
};

/* How it was asked: who asks once more does it like that. A plain value. */
struct callout_trail {
    char destination[DESTINATION_NAME_SIZE]; /* "" where no turn was given */
    char sender[ADDRESS_TEXT_SIZE];
    char helo[256];
    struct netaddr source; /* 0.0.0.0 or ::, the system's choice */
};

struct callout_handler {
    /* Exactly once, never inside callout_start(). Its times are not set. The callout is gone; both
       are valid during the call. */
    void (*on_verdict)(void *arg, const struct verdict *v, const struct callout_trail *trail);
    void (*on_trace)(void *arg, char dir, const char *line); /* may be NULL */
    void *arg;
};

/* Copies the plan, which has a candidate. NULL only when out of memory. */
struct callout *callout_start(struct engine *e, const struct callout_ask *ask,
                              const struct mx_plan *plan, const struct callout_handler *handler);

/* What is known of the recipient itself while made-up ones are being asked about: false before, and
   then *v is `pending`, with what is waited for. Its times are not set. */
bool callout_answered(const struct callout *c, struct verdict *v);

/* Somebody waits for it now. */
void callout_hurry(struct callout *c, enum callout_priority priority);

/* No callback any more; the session under way gets its QUIT. Sets *c to NULL; NULL is allowed. */
void callout_cancel(struct callout **c);

#endif
