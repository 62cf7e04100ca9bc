#include "callout/breaker.h"

#include <string.h>

#include "base/str.h"

static const char *const state_names[] = {
#define X(id, name) [BREAKER_##id] = (name),
    BREAKER_STATES(X)
#undef X
};

const char *breaker_state_name(enum breaker_state state)
{
    return state_names[state];
}

bool breaker_state_parse(const char *name, enum breaker_state *out)
{
    size_t count = sizeof(state_names) / sizeof(state_names[0]);
    size_t i = str_find(state_names, count, name);

    if (i < count)
        *out = (enum breaker_state)i;
    return i < count;
}

bool breaker_is_due(const struct breaker *b, int64_t now)
{
    return b->state == BREAKER_OPEN &&
           (now >= b->open_until || now < b->open_until - BREAKER_OPEN_MAX - BREAKER_OPEN_MAX / 4);
}

bool breaker_admit(struct breaker *b, int64_t now)
{
    if (breaker_is_due(b, now)) {
        b->state = BREAKER_TRIAL;
        return true;
    }
    return b->state == BREAKER_CLOSED;
}

static void keep_evidence(struct breaker *b, const struct evidence *e)
{
    b->stage = e->stage;
    b->code = e->code;
    b->enhanced = e->enhanced;
    str_printable(b->text, sizeof(b->text), e->text, strnlen(e->text, sizeof(e->text)));
    (void)str_copy(b->mx, sizeof(b->mx), e->mx);
}

static void open_it(struct breaker *b, int64_t now, pace_random random)
{
    int64_t span;

    if (b->level < BREAKER_LEVEL_MAX)
        b->level++;
    span = BREAKER_OPEN_FIRST << (b->level - 1);
    if (span > BREAKER_OPEN_MAX)
        span = BREAKER_OPEN_MAX;
    b->state = BREAKER_OPEN;
    b->opened_at = now;
    b->open_until = now + span + random((uint32_t)(span / 4 + 1));
}

bool breaker_refused(struct breaker *b, const struct verdict *v, bool answers, uint64_t domain,
                     int64_t now, pace_random random)
{
    bool may_be_one = v->evidence.stage == SMTP_STAGE_RCPT || answers;
    bool first = may_be_one && b->struck == 0;

    b->struck = domain;
    if (b->state == BREAKER_OPEN || (b->state == BREAKER_CLOSED && first))
        return false;
    keep_evidence(b, &v->evidence);
    open_it(b, now, random);
    return true;
}

bool breaker_answered(struct breaker *b)
{
    bool closes = b->state == BREAKER_TRIAL;

    b->struck = 0;
    if (!closes)
        return false;
    b->state = BREAKER_CLOSED;
    b->level = 0;
    return true;
}

void breaker_unanswered(struct breaker *b, int64_t now)
{
    if (b->state != BREAKER_TRIAL)
        return;
    b->state = BREAKER_OPEN;
    b->open_until = now + BREAKER_TRIAL_AGAIN;
}
