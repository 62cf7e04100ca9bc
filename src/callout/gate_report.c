#include "callout/gate_report.h"

#include "base/clock.h"
#include "base/str.h"
#include "callout/line.h"

static bool bulk_pauses(const struct desk *d)
{
    return clock_mono_ms() < d->standing.bulk_until;
}

static bool has_news(struct desk *d)
{
    struct standing *s = &d->standing;

    pace_ease(&s->pace, clock_mono_ms());
    return s->breaker.state != BREAKER_CLOSED || s->pace.level > 0 || bulk_pauses(d) ||
           d->waiting > 0;
}

static void report(const struct desk *d, struct gate_report *r)
{
    const struct standing *s = &d->standing;
    int64_t left = s->pace.pause_until - clock_mono_ms();

    *r = (struct gate_report){
        .breaker = s->breaker.state,
        .level = s->pace.level,
        .waiting = d->waiting,
        .connections = d->line_count,
        .bulk_pauses = bulk_pauses(d),
        .why = s->why.reason,
    };
    (void)str_copy(r->name, sizeof(r->name), s->name);
    (void)str_copy(r->refusal, sizeof(r->refusal), s->breaker.text);
    if (r->breaker != BREAKER_CLOSED)
        r->until = s->breaker.open_until;
    else if (left > 0)
        r->until = clock_wall() + left / 1000;
}

size_t gate_tell(struct gate *g, struct gate_report *out, size_t max)
{
    struct desk *d, *tmp;
    size_t count = 0, told = 0;

    for (int open = 1; open >= 0; open--)
        HASH_ITER (hh, g->desks, d, tmp) {
            if ((d->standing.breaker.state != BREAKER_CLOSED) != open || !has_news(d))
                continue;
            count++;
            if (told < max)
                report(d, &out[told++]);
        }
    return count;
}
