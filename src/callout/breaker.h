/*
 * The breaker of a destination: after replies that are about us nothing is asked there any more,
 * for longer each time; then one callout is let through to see. Pure: time and random numbers are
 * handed in.
 *
 *   CLOSED --refused--> OPEN --its time is over, somebody asks--> TRIAL --answered--> CLOSED
 *                        ^-----------------refused, for longer---/  |
 *                        ^-----------------no answer, 5 minutes----/
 *
 * A refusal at RCPT may be one domain's own policy, and one before it that of one host among many,
 * where the destination has answered others: the first is only remembered, the second with no
 * answer between opens it, whoever that is about. Else, at the greeting, EHLO or MAIL, the first
 * does. What comes while it is open was asked before, and changes nothing.
 *
 * Threads: a plain value.
 */
#ifndef CALLOUT_BREAKER_H
#define CALLOUT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/pace.h" /* pace_random */
#include "callout/verdict.h"

#define BREAKER_OPEN_FIRST  INT64_C(1800)  /* seconds; doubled each time ... */
#define BREAKER_OPEN_MAX    INT64_C(86400) /* ... up to this; a jitter of a quarter is added */
#define BREAKER_LEVEL_MAX   10
#define BREAKER_TRIAL_AGAIN INT64_C(300) /* after a trial that nobody answered */

#define BREAKER_STATES(X) \
    X(CLOSED, "closed") \
    X(OPEN, "open") \
    X(TRIAL, "trial")

enum breaker_state {
#define X(id, name) BREAKER_##id,
    BREAKER_STATES(X)
#undef X
};

struct breaker {
    enum breaker_state state;
    unsigned level;    /* times it opened since it was last closed by an answer, up to
                          BREAKER_LEVEL_MAX */
    uint64_t struck;   /* hash of the domain whose recipient was refused last; 0: none since the
                          last answer */
    int64_t opened_at; /* seconds since the epoch; 0: never */
    int64_t open_until;
    enum smtp_stage stage;
    uint16_t code; /* of the reply that opened it */
    struct enhanced_code enhanced;
    char text[256]; /* printable */
    char mx[256];
};

/* OPEN, and its time is over; also where that is so far away that the clock was set back. */
bool breaker_is_due(const struct breaker *b, int64_t now);

/* Whether a callout may be made now. OPEN with its time over turns to TRIAL, and then it is the
   caller's: nobody else may until one of the next three. */
bool breaker_admit(struct breaker *b, int64_t now);

/* A callout came to unknown/blocked. True when that opened it: an alarm is due. `answers`: the
   destination has answered others about recipients lately. `domain`: hash of the recipient's, not
   0. */
bool breaker_refused(struct breaker *b, const struct verdict *v, bool answers, uint64_t domain,
                     int64_t now, pace_random random);

/* A reply at RCPT that is not about us. True when that closed it; what it was opened by stays. */
bool breaker_answered(struct breaker *b);

/* The trial came to no reply. Does nothing in other states. */
void breaker_unanswered(struct breaker *b, int64_t now);

const char *breaker_state_name(enum breaker_state state);
bool breaker_state_parse(const char *name, enum breaker_state *out); /* false: unknown */

#endif
