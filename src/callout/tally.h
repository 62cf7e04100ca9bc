/*
 * How much is asked and how it is answered: totals since the start, and rates and latencies of the
 * last five minutes.
 *
 * Threads: tally_asked() from any; the rest from the engine loop's.
 */
#ifndef CALLOUT_TALLY_H
#define CALLOUT_TALLY_H

#include <stdint.h>

struct tally;

/* How a question was answered. Those of `fresh` are TALLY_ASKED. */
enum tally_answer {
    TALLY_STORE, /* by the store: fresh, */
    TALLY_STALE, /* or old and refreshed behind */
    TALLY_ASKED, /* neither: a callout, or a fact that is no address's */
    TALLY_ANSWERS
};

/* `began_at`: seconds since the epoch. NULL: out of memory. */
struct tally *tally_new(int64_t began_at);
void tally_free(struct tally **t); /* sets *t to NULL; NULL is allowed */

void tally_asked(struct tally *t, enum tally_answer how);

/* A callout came to a verdict after `ms`. */
void tally_called_out(struct tally *t, int64_t ms);

/* Once every TALLY_STEP_MS: what was counted since is the newest part of the window. */
#define TALLY_STEP_MS  10000
#define TALLY_WINDOW_S 300
void tally_step(struct tally *t);

struct tally_report {
    int64_t began_at;                          /* seconds since the epoch */
    uint64_t answers[TALLY_ANSWERS], callouts; /* since then */
    double window_s;                           /* what the rest is about; 0: nothing yet */
    double asked_rate, callout_rate;           /* a second */
    double hit_ratio;                          /* TALLY_STORE and TALLY_STALE of all; 0 … 1 */
    int64_t ms_p50, ms_p95, ms_p99; /* of callouts, to about a fifth; -1: there was none */
};

void tally_tell(struct tally *t, struct tally_report *out);

#endif
