#include "callout/greylist.h"

#define LEARNED_MIN INT64_C(1000) /* what is shorter or longer was not learned from greylisting */
#define LEARNED_MAX INT64_C(86400000)

/* RFC 3463: what is said of the mailbox, of policy, or of nothing at all. */
static bool code_may_be(uint16_t code, const struct enhanced_code *e)
{
    if (code != 450 && code != 451)
        return false;
    if (e->cls == 0 || e->subject == 0 || e->subject == 2 || e->subject == 7)
        return true;
    return code == 450 && e->subject == 3 && e->detail == 2; /* postscreen's tests of a newcomer */
}

bool greylist_may_be(const struct verdict *v)
{
    const struct evidence *e = &v->evidence;

    if (v->reason == REASON_GREYLISTED)
        return true;
    return v->reason == REASON_SERVER_ERROR && v->has_evidence && e->stage == SMTP_STAGE_RCPT &&
           e->failure == SMTP_FAILURE_NONE && code_may_be(e->code, &e->enhanced);
}

void greylist_make_plan(const struct greylist_opts *opts, int64_t learned_ms,
                        struct greylist_plan *out)
{
    bool learned = learned_ms >= LEARNED_MIN && learned_ms <= LEARNED_MAX;
    int64_t since_first = 0;

    out->count = 0;
    if (opts->count > 0 && learned)
        out->delay_ms[out->count++] = learned_ms;
    for (size_t i = 0; i < opts->count && i < GREYLIST_STEPS_MAX; i++) {
        since_first += opts->retry_ms[i];
        if (!learned || since_first > learned_ms)
            out->delay_ms[out->count++] = opts->retry_ms[i];
    }
}
