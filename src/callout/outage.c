#include "callout/outage.h"

#include <string.h>

#include "base/str.h"

void outage_init(struct outage *o, enum outage_kind kind)
{
    *o = (struct outage){.kind = kind, .worked_at = INT64_MIN, .ended_at = INT64_MIN};
}

bool outage_worked(struct outage *o, int64_t now)
{
    bool ended = o->out;

    o->worked_at = now;
    if (ended)
        o->ended_at = now;
    o->failed_count = 0;
    o->out = false;
    return ended;
}

static void forget(struct outage *o, unsigned i)
{
    o->failed[i] = o->failed[--o->failed_count];
}

/* Each counts once, however often it is asked for, and not for ever. */
static void failed_add(struct outage *o, uint64_t who, int64_t now)
{
    for (unsigned i = o->failed_count; i > 0; i--)
        if (o->failed[i - 1].who == who || now - o->failed[i - 1].at >= OUTAGE_WINDOW_MS)
            forget(o, i - 1);
    if (o->failed_count == OUTAGE_DISTINCT)
        forget(o, 0);
    o->failed[o->failed_count].who = who;
    o->failed[o->failed_count++].at = now;
}

bool outage_failed(struct outage *o, uint64_t who, int64_t began, enum smtp_failure how,
                   const char *detail, int64_t now)
{
    bool was_out = outage_is_out(o, now);

    if (began < o->ended_at || outage_blames_them(o, began, now))
        return false;
    o->how = how;
    o->failed_at = now;
    str_printable(o->detail, sizeof(o->detail), detail, strlen(detail));
    if (was_out)
        return false;
    o->out = false;
    failed_add(o, who, now);
    if (o->failed_count < OUTAGE_DISTINCT || o->worked_at > now - OUTAGE_QUIET_MS)
        return false;
    o->out = true;
    o->since = now;
    return true;
}

bool outage_is_out(const struct outage *o, int64_t now)
{
    return o->out && now - o->failed_at < OUTAGE_WINDOW_MS;
}

bool outage_blames_them(const struct outage *o, int64_t began, int64_t now)
{
    return began >= o->ended_at && o->worked_at > began + (now - began) / 2;
}

bool outage_caught(const struct outage *o, int64_t began, int64_t now)
{
    bool may_be = o->failed_count == OUTAGE_DISTINCT && now - o->failed_at < OUTAGE_WINDOW_MS;

    return outage_is_out(o, now) || may_be || began < o->ended_at;
}

bool outage_admit(struct outage *o, int64_t now, bool *trial)
{
    bool out = outage_is_out(o, now);

    *trial = out && o->trials < OUTAGE_TRIALS;
    if (*trial)
        o->trials++;
    return *trial || !out;
}

void outage_trial_over(struct outage *o)
{
    if (o->trials > 0)
        o->trials--;
}

bool outage_tell(const struct outage *o, int64_t now, char *out, size_t size)
{
    const char *colon = o->detail[0] != '\0' ? ": " : "";

    if (!outage_is_out(o, now)) {
        str_copy(out, size, "");
        return false;
    }
    if (o->kind == OUTAGE_NETWORK)
        str_format(out, size, "no connection to anybody: %s%s%s", smtp_failure_name(o->how), colon,
                   o->detail);
    else
        str_format(out, size, "no DNS answer about anybody%s%s", colon, o->detail);
    return true;
}
