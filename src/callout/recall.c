#include "callout/recall.h"

#define AHEAD_MAX 3600 /* seconds by which the clock may be set without harm */

bool recall_about_us(enum verdict_reason reason)
{
    return reason == REASON_BLOCKED || reason == REASON_SENDER_REFUSED;
}

/* Says nothing of the address, only of this moment and of us. */
static bool passing(const struct verdict *v)
{
    enum verdict_reason reason = v->reason;

    return v->passing || reason == REASON_PENDING || reason == REASON_OVERLOAD ||
           reason == REASON_SKIPPED || reason == REASON_LOCAL_FAULT;
}

static bool doubtful(const struct verdict *v)
{
    return v->status == STATUS_UNKNOWN || v->status == STATUS_DEFERRED;
}

static bool lives(const struct record *r, int64_t now)
{
    return now < r->verdict.expires_at;
}

/* What was learned later than now is old: the clock was ahead then, and it would be known for
   longer than configured; or it is behind now, and most of what is known is worth keeping. */
static bool is_fresh(const struct record *r, int64_t now)
{
    return now < r->verdict.refresh_at && r->verdict.probed_at <= now + AHEAD_MAX;
}

/* A `valid` that was said not to exist, once. */
static bool is_unconfirmed(const struct record *r)
{
    return r->retry_at != 0 && r->noted == REASON_NO_MAILBOX;
}

enum recall recall_judge(const struct record *r, int64_t now, uint64_t stale_ok,
                         struct verdict *out)
{
    bool resting = now < r->retry_at, fresh = is_fresh(r, now);
    bool good_enough = fresh || (resting && is_unconfirmed(r)) ||
                       (stale_ok & (UINT64_C(1) << r->verdict.reason)) != 0;

    if (!lives(r, now) || (!good_enough && !resting))
        return RECALL_ASK;
    if (good_enough) {
        *out = r->verdict;
        out->source = SOURCE_STORE;
        return fresh || resting ? RECALL_ANSWER : RECALL_ANSWER_REFRESH;
    }
    verdict_init(out, r->noted, SOURCE_STORE);
    out->probed_at = r->verdict.probed_at;
    return RECALL_ANSWER;
}

bool recall_untested(const struct record *r)
{
    return r->verdict.reason == REASON_MAILBOX_EXISTS && r->verdict.has_evidence &&
           r->verdict.evidence.catch_all == CATCH_ALL_UNTESTED;
}

bool recall_stands(const struct record *old, const struct verdict *v, int64_t now)
{
    return recall_untested(old) && is_fresh(old, now) && doubtful(v);
}

/* Up to a tenth less; of two, by the same dice, the longer stays the longer. */
static int64_t shortened(int64_t seconds, const struct recall_rules *rules)
{
    return seconds - (seconds / 10 * rules->dice >> 32);
}

static void set_times(struct verdict *v, int64_t now, const struct recall_rules *rules)
{
    const struct lifetime *life = &rules->lifetimes[v->status];
    bool exact = rules->exact && v->status == STATUS_DEFERRED;

    v->refresh_at = now + (exact ? life->refresh : shortened(life->refresh, rules));
    v->expires_at = now + (exact ? life->forget : shortened(life->forget, rules));
    if (v->source == SOURCE_DNS && v->status == STATUS_INVALID) {
        int64_t keep = (int64_t)rules->ttl < life->forget ? (int64_t)rules->ttl : life->forget;

        v->refresh_at = v->expires_at = now + keep;
    }
}

static void note(const struct record *old, const struct verdict *v, int64_t retry_at,
                 struct record *out)
{
    *out = *old;
    out->noted = v->reason;
    out->retry_at = retry_at;
}

/* The first time, or too soon after it. */
static bool is_to_be_confirmed(const struct record *old, const struct verdict *v, int64_t now,
                               const struct recall_rules *rules)
{
    return rules->confirm > 0 && old->verdict.status == STATUS_VALID &&
           v->reason == REASON_NO_MAILBOX &&
           (!is_unconfirmed(old) || (now < old->retry_at && !rules->again));
}

enum recall_effect recall_store(const struct record *old, struct verdict *v, int64_t now,
                                const struct recall_rules *rules, struct record *out)
{
    bool live = old != NULL && lives(old, now) && !doubtful(&old->verdict);

    if (passing(v) || recall_about_us(v->reason))
        return RECALL_NOTHING;
    if (live && doubtful(v)) {
        note(old, v, now + rules->lifetimes[STATUS_DEFERRED].refresh, out);
        if (is_unconfirmed(old))
            out->noted = old->noted;
        return RECALL_NOTE;
    }
    if (live && is_to_be_confirmed(old, v, now, rules)) {
        bool again = is_unconfirmed(old);

        note(old, v, again ? old->retry_at : now + rules->confirm, out);
        if (out->verdict.refresh_at > out->retry_at)
            out->verdict.refresh_at = out->retry_at;
        return RECALL_CONFIRM;
    }
    set_times(v, now, rules);
    out->verdict = *v;
    out->verdict.ms = 0;
    out->retry_at = 0;
    out->noted = v->reason;
    return v->expires_at > now ? RECALL_STORE : RECALL_NOTHING;
}
