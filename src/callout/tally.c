#include "callout/tally.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define PARTS   (TALLY_WINDOW_S * 1000 / TALLY_STEP_MS)
#define BUCKETS 80 /* of latencies: four for each doubling, up to half an hour */

/* What was counted in one step, or in all of them. */
struct part {
    int64_t ms; /* how long that was */
    uint64_t answers[TALLY_ANSWERS];
    uint64_t callouts;
    uint32_t latency[BUCKETS];
};

struct tally {
    int64_t began_at;
    int64_t stepped; /* clock_mono_ms */
    _Atomic uint64_t answers[TALLY_ANSWERS];
    uint64_t callouts;
    uint64_t told[TALLY_ANSWERS]; /* of `answers`, what the parts have */
    struct part now;              /* grows until the step */
    struct part parts[PARTS];     /* a ring */
    unsigned next;
};

struct tally *tally_new(int64_t began_at)
{
    struct tally *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->began_at = began_at;
    t->stepped = clock_mono_ms();
    return t;
}

void tally_free(struct tally **t)
{
    free(*t);
    *t = NULL;
}

void tally_asked(struct tally *t, enum tally_answer how)
{
    atomic_fetch_add_explicit(&t->answers[how], 1, memory_order_relaxed);
}

/* Four buckets for each doubling: 0, 1, 2, 3, then 4 5 6 7, 8-9 10-11 12-13 14-15, ... */
static unsigned bucket_of(int64_t ms)
{
    unsigned doublings = 0;

    if (ms < 4)
        return ms < 0 ? 0 : (unsigned)ms;
    for (; ms >= 8; ms /= 2)
        doublings++;
    doublings = doublings * 4 + (unsigned)ms;
    return doublings < BUCKETS ? doublings : BUCKETS - 1;
}

/* The least of the bucket, and half of its width. */
static int64_t middle_of(unsigned bucket)
{
    unsigned doublings = bucket < 8 ? 0 : bucket / 4 - 1;
    int64_t least = (int64_t)(bucket - doublings * 4) << doublings;

    return least + (INT64_C(1) << doublings) / 2;
}

void tally_called_out(struct tally *t, int64_t ms)
{
    t->callouts++;
    t->now.callouts++;
    t->now.latency[bucket_of(ms)]++;
}

/* What was asked since the last step goes into the current part. */
static void gather(struct tally *t)
{
    int64_t now = clock_mono_ms();

    for (int i = 0; i < TALLY_ANSWERS; i++) {
        uint64_t all = atomic_load_explicit(&t->answers[i], memory_order_relaxed);

        t->now.answers[i] += all - t->told[i];
        t->told[i] = all;
    }
    t->now.ms += now - t->stepped;
    t->stepped = now;
}

void tally_step(struct tally *t)
{
    gather(t);
    t->parts[t->next] = t->now;
    t->next = (t->next + 1) % PARTS;
    memset(&t->now, 0, sizeof(t->now));
}

static void add(struct part *sum, const struct part *p)
{
    sum->ms += p->ms;
    sum->callouts += p->callouts;
    for (int i = 0; i < TALLY_ANSWERS; i++)
        sum->answers[i] += p->answers[i];
    for (int i = 0; i < BUCKETS; i++)
        sum->latency[i] += p->latency[i];
}

static int64_t percentile(const struct part *p, unsigned percent)
{
    uint64_t rank = (p->callouts * percent + 99) / 100, seen = 0;

    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += p->latency[i];
        if (seen >= rank && seen > 0)
            return middle_of(i);
    }
    return -1;
}

void tally_tell(struct tally *t, struct tally_report *out)
{
    struct part sum = {.ms = 0};
    uint64_t asked = 0;

    gather(t);
    add(&sum, &t->now);
    for (int i = 0; i < PARTS; i++)
        add(&sum, &t->parts[i]);
    *out = (struct tally_report){.began_at = t->began_at, .callouts = t->callouts};
    for (int i = 0; i < TALLY_ANSWERS; i++) {
        out->answers[i] = t->told[i];
        asked += sum.answers[i];
    }
    out->window_s = (double)sum.ms / 1000;
    if (sum.ms > 0) {
        out->asked_rate = (double)asked / out->window_s;
        out->callout_rate = (double)sum.callouts / out->window_s;
    }
    if (asked > 0)
        out->hit_ratio =
            (double)(sum.answers[TALLY_STORE] + sum.answers[TALLY_STALE]) / (double)asked;
    out->ms_p50 = percentile(&sum, 50);
    out->ms_p95 = percentile(&sum, 95);
    out->ms_p99 = percentile(&sum, 99);
}
