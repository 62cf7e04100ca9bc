/*
 * How we stand with a destination: what it may be asked, what trouble there was, and whether it
 * refuses us. What outlives a restart is kept (callout/destination).
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_STANDING_H
#define CALLOUT_STANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/breaker.h"
#include "callout/destination.h"
#include "callout/keep.h"
#include "callout/pace.h"
#include "callout/verdict.h"

#define STANDING_RECENT      50              /* answers that a bulk run is judged by */
#define STANDING_UNKNOWN_MAX 10              /* of those may be no_mailbox */
#define STANDING_BULK_REST   INT64_C(600000) /* ms that bulk rests then */

struct standing {
    struct keep *keep; /* borrowed */
    char name[DESTINATION_NAME_SIZE];
    struct pace pace; /* in clock_mono_ms */
    struct breaker breaker;
    struct verdict why;      /* what the last trouble was, or the last refusal of us */
    unsigned unreached;      /* callouts in a row that came to no connection */
    unsigned per_connection; /* recipients after which it ended a session by itself; 0: not seen */
    int64_t per_connection_until; /* clock_mono_ms: that this is believed */
    int64_t tried_at;             /* clock_mono_ms of the last standing_try_now(); 0: never */
    uint64_t recent;              /* the last answers, a bit each: no_mailbox */
    unsigned recent_count;
    int64_t bulk_until; /* clock_mono_ms */
};

enum standing_news {
    STANDING_SAME,
    STANDING_TROUBLE, /* a pause begins: those who wait are to be answered */
    STANDING_CHANGED, /* more or less at a time from now on */
    STANDING_REFUSED, /* the breaker opened: the same, and no session is to be kept */
};

/* With what is kept of it. */
void standing_init(struct standing *s, struct keep *keep, const char *name,
                   const struct pace_limits *limits);

/* All of it is forgotten, but what is kept of it by now. */
void standing_reread(struct standing *s, const struct pace_limits *limits);

/*
 * True: nobody is to be asked there now, and *out is the answer, of this moment only. False: go;
 * *trial says that this callout is the breaker's trial.
 */
bool standing_refuses(struct standing *s, bool bulk, struct verdict *out, bool *trial);

/* Somebody wants to know now whether it still refuses us: the next callout is the trial, but once a
   minute at most. */
void standing_try_now(struct standing *s);

/* What bulk is told while it rests. */
bool standing_bulk_rests(struct standing *s, struct verdict *out);

/* What it said to a callout. */
struct standing_word {
    const struct verdict *verdict;
    const char *domain;    /* of the recipient */
    struct netaddr source; /* to which it was said; AF_UNSPEC: not known */
    bool others;           /* there are other sources, which can go on */
    bool made_up;          /* the recipient was */
};

enum standing_news standing_heard(struct standing *s, const struct standing_word *w);

/* It ended a session by itself after so many recipients. */
void standing_ended(struct standing *s, unsigned recipients);

/* Recipients on a session, at most; UINT_MAX: no limit. */
unsigned standing_per_connection(const struct standing *s, unsigned limit);

/* A reply of the destination that slows us down: 421 anywhere, or a throttle. */
bool standing_is_throttle(const struct verdict *v);

/* The trial came to no answer. */
void standing_unanswered(struct standing *s);

/* All of it that would be missed is kept elsewhere. */
bool standing_may_go(struct standing *s);

#endif
