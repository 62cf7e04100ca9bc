/*
 * Telling a fault of ours from theirs, by looking across destinations: when nothing can be
 * connected to, or the DNS answers nobody, it is not everybody else who is down. Pure: times are
 * handed in (ms of any clock that never goes back).
 *
 * Three questions are answered. Whether a failure counts: only if the same thing worked for
 * somebody else in the second half of that attempt, for in the first half the fault may not have
 * begun, and if no outage ended since the attempt began; what is in doubt is told to the waiter and
 * not remembered. Whether there is a fault: OUTAGE_DISTINCT different destinations (domains, for
 * the DNS) in a row came to nothing, and nothing worked for OUTAGE_QUIET_MS: those that refuse at
 * once are soon in a row. And who may try, while there is one: OUTAGE_TRIALS at a time; the first
 * success ends it.
 *
 * Threads: one at a time; a plain value.
 */
#ifndef CALLOUT_OUTAGE_H
#define CALLOUT_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/outcome.h"

#define OUTAGE_DISTINCT 5
#define OUTAGE_QUIET_MS INT64_C(3000)
#define OUTAGE_TRIALS   4

/* What may be out: one struct outage each. */
enum outage_kind {
    OUTAGE_NETWORK, /* no connection to anybody */
    OUTAGE_DNS,     /* no answer about anybody */
};

struct outage {
    enum outage_kind kind;
    bool out;
    int64_t since;                    /* when it was found */
    int64_t worked_at;                /* last success; INT64_MIN: never */
    int64_t ended_at;                 /* when the last outage did; INT64_MIN: there was none */
    uint64_t failed[OUTAGE_DISTINCT]; /* hashes of those that failed since, each once */
    unsigned failed_count;
    unsigned trials;       /* under way */
    enum smtp_failure how; /* of the last failure; of the network */
    char detail[128];      /* the same in words */
};

void outage_init(struct outage *o, enum outage_kind kind);

/* Something answered: true when that ended an outage. */
bool outage_worked(struct outage *o, int64_t now);

/* `who`: hash of the destination or domain. True when that began an outage. A failure of an attempt
   that says something of the other side, or was caught by an outage that is over, is no news. */
bool outage_failed(struct outage *o, uint64_t who, int64_t began, enum smtp_failure how,
                   const char *detail, int64_t now);

/* Whether a failure `now` of an attempt begun at `began` says something of the other side. */
bool outage_blames_them(const struct outage *o, int64_t began, int64_t now);

/* Whether there is an outage, or may be one (so many in a row, but something worked just before),
   or was one when that began: what comes of it is not to be held against anybody. */
bool outage_caught(const struct outage *o, int64_t began);

/* False: there is an outage and trials enough; answer at once. True: go; *trial says whether
   outage_trial_over() is to be called at the end. */
bool outage_admit(struct outage *o, bool *trial);
void outage_trial_over(struct outage *o);

/* For health and log: one line, printable; false when all is well. */
bool outage_tell(const struct outage *o, char *out, size_t size);

#endif
