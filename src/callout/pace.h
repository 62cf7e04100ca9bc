/*
 * How fast a destination is asked: how many connections at a time, how many recipients a second,
 * and how much of that is left after trouble. Trouble (421, a throttle, no connection) makes a
 * pause, longer each time, halves connections and rate and takes the bursts away; answers, and time
 * without trouble, restore them step by step. Pure: time and random numbers are handed in.
 *
 * Threads: a plain value, of one thread at a time.
 */
#ifndef CALLOUT_PACE_H
#define CALLOUT_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_LEVEL_MAX    10
#define PACE_PAUSE_FIRST  INT64_C(5000)    /* ms; twice that at each further level ... */
#define PACE_PAUSE_MAX    INT64_C(1800000) /* ... up to this, before the jitter */
#define PACE_GOOD_ANSWERS 10               /* in a row, that take one level back */
#define PACE_EASE_MS      INT64_C(600000)  /* without trouble, that do so, too */

/* 0: without a limit. */
struct pace_limits {
    unsigned connections;    /* at a time */
    unsigned per_connection; /* recipients */
    unsigned rate_milli;     /* recipients in 1000 seconds */
    unsigned burst;          /* recipients at once, after a rest; at least 1 */
};

struct pace {
    struct pace_limits limits;
    int64_t tokens_micro; /* millionths of a recipient; below zero for what was asked in advance */
    int64_t filled_at;    /* ms, like all times here, of any clock that never goes back */
    unsigned level;       /* of the trouble: 0 is none */
    unsigned good; /* answers since the last trouble, or since the last level was taken back */
    int64_t pause_until;
    int64_t eases_at;   /* a level less */
    int64_t same_until; /* what shrinks the budget until then is the same trouble */
};

/* Uniform in [0, bound). */
typedef uint32_t (*pace_random)(uint32_t bound);

/* With a full bucket and no trouble. */
void pace_init(struct pace *p, const struct pace_limits *limits, int64_t now);

/* Other limits from now on; what was used stays used, but a smaller bucket makes no debt. */
void pace_set_limits(struct pace *p, const struct pace_limits *limits, int64_t now);

/* Connections at a time that are allowed now: halved by each level, never below 1; UINT_MAX where
   there is no limit and no trouble. With trouble and no limit: halved from 16. */
unsigned pace_connections(const struct pace *p);

/* In a pause: nobody is asked at all. */
bool pace_paused(const struct pace *p, int64_t now);

/* Milliseconds until the bucket has a recipient in it: 0 for now. Pauses do not count here. */
int64_t pace_wait(struct pace *p, int64_t now);

/* The same until it has had so many in it, one after the other. */
int64_t pace_wait_for(struct pace *p, int64_t now, unsigned recipients);

/* One recipient was asked about; also in advance of what the bucket has. */
void pace_take(struct pace *p, int64_t now);

/* Trouble. While a pause of an earlier one lasts it is the same trouble: nothing changes. Else one
   level more and a pause from `now` on, PACE_PAUSE_FIRST doubled by level, with a jitter of a
   quarter of it either way. True when it is new. */
bool pace_trouble(struct pace *p, int64_t now, pace_random random);

/* The same without the pause: the budget shrinks, and others go on within it. For as long as the
   pause would have been, more of it is the same trouble; a pause may begin all the same. */
bool pace_shrink(struct pace *p, int64_t now, pace_random random);

/* A recipient was answered about without trouble. In a pause that proves nothing: it was asked
   before. */
void pace_good(struct pace *p, int64_t now);

/* The level as it is by now. */
void pace_ease(struct pace *p, int64_t now);

/* As it was left: `pause_until` may be long ago, and then the level eases. */
void pace_restore(struct pace *p, unsigned level, int64_t pause_until, int64_t now);

/* Nothing was taken from the bucket lately. */
bool pace_is_full(struct pace *p, int64_t now);

#endif
