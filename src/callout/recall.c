#include "callout/recall.h"

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

enum recall recall_judge(const struct record *r, int64_t now, uint64_t stale_ok,
                         struct verdict *out)
{
    bool resting = now < r->retry_at, fresh = now < r->verdict.refresh_at;
    bool good_enough = fresh || (stale_ok & (UINT64_C(1) << r->verdict.reason)) != 0;

    if (now >= r->verdict.expires_at || (!good_enough && !resting))
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
    return recall_untested(old) && now < old->verdict.refresh_at && doubtful(v);
}

static void set_times(struct verdict *v, int64_t now, uint32_t ttl, const struct lifetime *life)
{
    v->refresh_at = now + life->refresh;
    v->expires_at = now + life->forget;
    if (v->source == SOURCE_DNS && v->status == STATUS_INVALID) {
        int64_t keep = (int64_t)ttl < life->forget ? (int64_t)ttl : life->forget;

        v->refresh_at = v->expires_at = now + keep;
    }
}

bool recall_store(const struct record *old, struct verdict *v, int64_t now, uint32_t ttl,
                  const struct lifetime lifetimes[VERDICT_STATUS_COUNT], struct record *out)
{
    bool live = old != NULL && now < old->verdict.expires_at && !doubtful(&old->verdict);

    if (passing(v) || recall_about_us(v->reason))
        return false;
    if (live && doubtful(v)) {
        *out = *old;
        out->noted = v->reason;
        out->retry_at = now + lifetimes[STATUS_DEFERRED].refresh;
        return true;
    }
    set_times(v, now, ttl, &lifetimes[v->status]);
    out->verdict = *v;
    out->verdict.ms = 0;
    out->retry_at = 0;
    out->noted = v->reason;
    return v->expires_at > now;
}
