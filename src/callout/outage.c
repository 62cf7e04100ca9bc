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

/* Each counts once, however often it is asked for. */
static void failed_add(struct outage *o, uint64_t who)
{
    for (unsigned i = 0; i < o->failed_count; i++)
        if (o->failed[i] == who)
            return;
    if (o->failed_count < OUTAGE_DISTINCT)
        o->failed[o->failed_count++] = who;
}

bool outage_failed(struct outage *o, uint64_t who, int64_t began, enum smtp_failure how,
                   const char *detail, int64_t now)
{
    if (began < o->ended_at || outage_blames_them(o, began, now))
        return false;
    o->how = how;
    str_printable(o->detail, sizeof(o->detail), detail, strlen(detail));
    if (o->out)
        return false;
    failed_add(o, who);
    if (o->failed_count < OUTAGE_DISTINCT || o->worked_at > now - OUTAGE_QUIET_MS)
        return false;
    o->out = true;
    o->since = now;
    return true;
}

bool outage_blames_them(const struct outage *o, int64_t began, int64_t now)
{
    return began >= o->ended_at && o->worked_at > began + (now - began) / 2;
}

bool outage_caught(const struct outage *o, int64_t began)
{
    return o->out || o->failed_count == OUTAGE_DISTINCT || began < o->ended_at;
}

bool outage_admit(struct outage *o, bool *trial)
{
    *trial = o->out && o->trials < OUTAGE_TRIALS;
    if (*trial)
        o->trials++;
    return *trial || !o->out;
}

void outage_trial_over(struct outage *o)
{
    if (o->trials > 0)
        o->trials--;
}

bool outage_tell(const struct outage *o, char *out, size_t size)
{
    const char *colon = o->detail[0] != '\0' ? ": " : "";

    if (!o->out) {
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
