#include "callout/catch_all.h"

#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"
#include "callout/made_up.h"

void catch_all_recall(struct catch_all *t)
{
    if (!domain_fact_get(t->keep, t->domain, t->host_set, clock_wall(), &t->fact))
        t->fact = (struct domain_fact){.catch_all = CATCH_ALL_UNTESTED};
}

bool catch_all_due(const struct catch_all *t)
{
    return t->probes > 0 &&
           (t->fact.catch_all == CATCH_ALL_UNTESTED || clock_wall() >= t->fact.refresh_at);
}

static void keep_fact(const struct catch_all *t)
{
    domain_fact_put(t->keep, t->domain, t->host_set, &t->fact);
}

static void learn(struct catch_all *t, enum catch_all_fact what, const struct outcome *o,
                  const char *mx, const struct lifetime *life)
{
    t->fact.asked = (uint8_t)t->asked;
    t->fact.accepted = (uint8_t)t->accepted;
    domain_fact_set(&t->fact, what, o, mx, clock_wall(), life);
    keep_fact(t);
}

/* What is known stays so, and is not asked again at once. */
static void learn_nothing(struct catch_all *t, const struct outcome *o, const char *mx)
{
    if (t->fact.catch_all == CATCH_ALL_UNTESTED || t->fact.catch_all == CATCH_ALL_NOT_KNOWN) {
        learn(t, CATCH_ALL_NOT_KNOWN, o, mx, &t->unknown_for);
        return;
    }
    t->fact.refresh_at = clock_wall() + t->unknown_for.refresh;
    keep_fact(t);
}

void catch_all_next(struct catch_all *t, struct probe_question *next)
{
    struct address *a = &t->made_up;

    made_up_local(t->asked, rng_below, a->local);
    (void)str_copy(a->domain, sizeof(a->domain), t->domain);
    next->recipient = a;
    next->new_transaction = t->per_transaction != 0 && (t->asked + 1) % t->per_transaction == 0;
}

/* RFC 5321 section 4.5.3.1.10: 452, which says nothing of the recipient, but that it was one too
   many of them. */
static bool too_many_recipients(const struct outcome *o)
{
    const struct smtp_reply *r = &o->reply;

    return r->code == 452 &&
           (r->enhanced.cls == 0 || (r->enhanced.subject == 5 && r->enhanced.detail == 3));
}

bool catch_all_heard(struct catch_all *t, const struct outcome *o, enum verdict_reason reason,
                     const char *mx, struct probe_question *next)
{
    if (too_many_recipients(o) && t->per_transaction != 1) {
        t->per_transaction = 1;
        catch_all_next(t, next);
        return true;
    }
    t->asked++;
    t->accepted += reason == REASON_MAILBOX_EXISTS;
    if (reason == REASON_NO_MAILBOX || reason == REASON_MAILBOX_DISABLED) {
        learn(t, CATCH_ALL_SELECTIVE, o, mx, &t->known_for);
    } else if (reason != REASON_MAILBOX_EXISTS) {
        learn_nothing(t, o, mx);
    } else if (t->accepted >= t->probes) {
        learn(t, CATCH_ALL_EVERYTHING, o, mx, &t->known_for);
    } else {
        catch_all_next(t, next);
        return true;
    }
    return false;
}

void catch_all_give_up(struct catch_all *t)
{
    learn_nothing(t, &(struct outcome){.reply = {.code = 0}}, "");
}

void catch_all_contradict(struct catch_all *t, const struct outcome *o, const char *mx)
{
    catch_all_recall(t);
    if (t->fact.catch_all != CATCH_ALL_EVERYTHING)
        return;
    t->asked = t->accepted = 0;
    learn(t, CATCH_ALL_SELECTIVE, o, mx, &(struct lifetime){0, t->known_for.forget});
}
