/*
 * What a stored record is good for, and what a new verdict leaves behind of it. Pure: the rules of
 * freshness, apart from the store and from time.
 *
 * Threads: any.
 */
#ifndef CALLOUT_RECALL_H
#define CALLOUT_RECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/record.h"
#include "callout/verdict.h"

/* Seconds: refresh after, forget after (forget >= refresh). */
struct lifetime {
    int64_t refresh;
    int64_t forget;
};

enum recall {
    RECALL_ANSWER,         /* *out is the answer */
    RECALL_ANSWER_REFRESH, /* *out is the answer, and a new callout is due behind it */
    RECALL_ASK, /* no answer, and *out as it was: expired, or stale and not to be trusted */
};

/*
 * `stale_ok` is the set of reasons (1 << reason) that lead to accepting: only those are answered
 * from a stale record. A stale record whose refresh failed a short while ago answers with what that
 * attempt came to, until its retry_at; but for a `no_mailbox` that is yet to be confirmed. Stale is
 * also what was learned later than `now`: the clock was ahead, or is behind.
 */
enum recall recall_judge(const struct record *r, int64_t now, uint64_t stale_ok,
                         struct verdict *out);

/* True for a mailbox whose server said that it exists, when nobody wanted to know yet what that is
   worth there. */
bool recall_untested(const struct record *r);

/* Who asks again only to learn what an answer is worth, and learns nothing, keeps the answer: true
   where `old`, such an answer and still fresh, stands against the doubtful `v`. */
bool recall_stands(const struct record *old, const struct verdict *v, int64_t now);

/* How long what is learned is kept, of one flight. */
struct recall_rules {
    struct lifetime lifetimes[VERDICT_STATUS_COUNT]; /* by enum verdict_status */
    bool exact;      /* those of `deferred` are the schedule's: no jitter */
    uint32_t ttl;    /* seconds, bounds the life of an `invalid` that the DNS made */
    int64_t confirm; /* seconds until a `valid` that turned `no_mailbox` is asked again before it is
                        believed; 0: it is believed at once */
    bool again;      /* this is that time: the pause is over */
    uint32_t dice;   /* random: lifetimes are up to a tenth shorter, so that what was learned
                        together does not grow old together */
};

enum recall_effect {
    RECALL_NOTHING, /* the verdict is not about the address, or not worth keeping */
    RECALL_STORE,   /* `v` got its refresh_at and expires_at */
    RECALL_NOTE,    /* the old verdict stands, and has a note of this one */
    RECALL_CONFIRM, /* the same, and it is to be asked again at out->retry_at */
};

/*
 * What to store after a callout came to `v` at `now`. `old` is what the store has, or NULL.
 * Refusals about us (`blocked`, `sender_refused`) are never stored against an address
 * (callout/facts keeps them). A doubtful verdict never overwrites a live `valid`, `invalid` or
 * `catch_all`: it is noted there. Nor does the first `no_mailbox` a live `valid`, where that is to
 * be confirmed: that is noted, too, and stays so when doubtful ones follow.
 */
enum recall_effect recall_store(const struct record *old, struct verdict *v, int64_t now,
                                const struct recall_rules *rules, struct record *out);

/* True for a refusal that is about us and not about the recipient. */
bool recall_about_us(enum verdict_reason reason);

#endif
