#include "callout/pace.h"

#include <limits.h>

#define MICRO            INT64_C(1000000) /* of one recipient; also ms in 1000 seconds */
#define DEBT_MAX         (1000 * 1000 * MICRO)
#define TROUBLED_DEFAULT 16 /* connections, halved by trouble, where there is no limit */

static int64_t bucket(const struct pace_limits *limits)
{
    return (limits->burst > 0 ? limits->burst : 1) * MICRO;
}

/* After trouble there are no bursts. */
static int64_t bucket_left(const struct pace *p)
{
    return p->level > 0 ? MICRO : bucket(&p->limits);
}

static int64_t rate_left(const struct pace *p)
{
    int64_t left = p->limits.rate_milli >> p->level;

    return left > 0 || p->limits.rate_milli == 0 ? left : 1;
}

void pace_ease(struct pace *p, int64_t now)
{
    while (p->level > 0 && now >= p->eases_at) {
        p->level--;
        p->eases_at += PACE_EASE_MS;
    }
}

/* A rate in recipients a 1000 seconds is one in millionths a millisecond: nothing is rounded. */
static void fill(struct pace *p, int64_t now)
{
    int64_t elapsed = now - p->filled_at, missing, rate;

    pace_ease(p, now);
    if (elapsed <= 0)
        return;
    missing = bucket_left(p) - p->tokens_micro;
    rate = rate_left(p);
    p->filled_at = now;
    if (rate == 0 || elapsed > missing / rate)
        p->tokens_micro += missing;
    else
        p->tokens_micro += elapsed * rate;
}

void pace_init(struct pace *p, const struct pace_limits *limits, int64_t now)
{
    *p = (struct pace){.limits = *limits, .tokens_micro = bucket(limits), .filled_at = now};
}

void pace_set_limits(struct pace *p, const struct pace_limits *limits, int64_t now)
{
    int64_t more;

    fill(p, now);
    more = bucket(limits) - bucket(&p->limits);
    if (more > 0)
        p->tokens_micro += more;
    else if (p->tokens_micro > bucket(limits))
        p->tokens_micro = bucket(limits);
    p->limits = *limits;
}

unsigned pace_connections(const struct pace *p)
{
    unsigned all = p->limits.connections, left;

    if (p->level == 0)
        return all > 0 ? all : UINT_MAX;
    left = (all > 0 ? all : TROUBLED_DEFAULT) >> p->level;
    return left > 0 ? left : 1;
}

bool pace_paused(const struct pace *p, int64_t now)
{
    return now < p->pause_until;
}

int64_t pace_wait_for(struct pace *p, int64_t now, unsigned recipients)
{
    int64_t rate = rate_left(p), missing;

    fill(p, now);
    missing = recipients * MICRO - p->tokens_micro;
    return rate == 0 || missing <= 0 ? 0 : (missing + rate - 1) / rate;
}

int64_t pace_wait(struct pace *p, int64_t now)
{
    return pace_wait_for(p, now, 1);
}

void pace_take(struct pace *p, int64_t now)
{
    fill(p, now);
    if (p->limits.rate_milli > 0 && p->tokens_micro > -DEBT_MAX)
        p->tokens_micro -= MICRO;
}

/* One level more; how long that is to last. */
static int64_t worsen(struct pace *p, pace_random random)
{
    int64_t pause;

    if (p->level < PACE_LEVEL_MAX)
        p->level++;
    pause = PACE_PAUSE_FIRST << (p->level - 1);
    if (pause > PACE_PAUSE_MAX)
        pause = PACE_PAUSE_MAX;
    return pause - pause / 4 + random((uint32_t)(pause / 2 + 1));
}

bool pace_trouble(struct pace *p, int64_t now, pace_random random)
{
    p->good = 0;
    if (pace_paused(p, now))
        return false;
    p->pause_until = p->same_until = now + worsen(p, random);
    p->eases_at = p->same_until + PACE_EASE_MS;
    return true;
}

bool pace_shrink(struct pace *p, int64_t now, pace_random random)
{
    p->good = 0;
    if (pace_paused(p, now) || now < p->same_until)
        return false;
    p->same_until = now + worsen(p, random);
    p->eases_at = p->same_until + PACE_EASE_MS;
    return true;
}

void pace_good(struct pace *p, int64_t now)
{
    if (p->level == 0 || pace_paused(p, now))
        return;
    p->good++;
    if (p->good < PACE_GOOD_ANSWERS)
        return;
    p->good = 0;
    p->level--;
}

void pace_restore(struct pace *p, unsigned level, int64_t pause_until, int64_t now)
{
    p->level = level < PACE_LEVEL_MAX ? level : PACE_LEVEL_MAX;
    p->pause_until = p->same_until = pause_until;
    p->eases_at = pause_until + PACE_EASE_MS;
    pace_ease(p, now);
}

bool pace_is_full(struct pace *p, int64_t now)
{
    fill(p, now);
    return p->limits.rate_milli == 0 || p->tokens_micro >= bucket_left(p);
}
