#include "callout/callout.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"
#include "callout/classify.h"
#include "callout/destination.h"
#include "callout/domain_fact.h"
#include "callout/made_up.h"
#include "callout/probe.h"

#define LMTP_PORT        24 /* IANA's "private mail system"; Postfix's default for LMTP */
#define NULL_SENDER_REST INT64_C(604800) /* seconds that a refusal of the null sender is held */

struct callout {
    struct engine *engine;
    struct callout_ask ask;
    struct mx_plan plan;
    struct callout_handler handler;
    struct reply_rules *rules;   /* those it began with, and these */
    struct providers *providers; /* counted */
    char destination[DESTINATION_NAME_SIZE];
    const char *sender; /* MAIL FROM: one of the two */
    char usual[ADDRESS_TEXT_SIZE], fallback[ADDRESS_TEXT_SIZE];
    struct probe_run *probe;
    bool answered;            /* about the recipient; what comes now is about a made-up one */
    bool anew;                /* the made-up one was asked about in a transaction of its own */
    unsigned probes;          /* made-up recipients to ask about, at most */
    struct domain_fact known; /* what the store has; UNTESTED: nothing */
    struct domain_fact fact;  /* that, or what was learned here */
    struct lifetime lives[VERDICT_STATUS_COUNT];
};

static bool probe_with(struct callout *c, const char *sender);

static void callout_free(struct callout *c)
{
    probe_cancel(&c->probe);
    reply_rules_unref(&c->rules);
    providers_unref(&c->providers);
    free(c);
}

static void callout_finish(struct callout *c, const struct verdict *v)
{
    struct callout_handler h = c->handler;

    callout_free(c);
    h.on_verdict(h.arg, v);
}

/* Who answers: by the name of the host, else by how it greets. */
static const struct provider *provider_of(const struct callout *c, const struct outcome *o,
                                          const struct mx_candidate *host)
{
    const struct provider *p = c->ask.routed ? NULL : providers_of_host(c->providers, host->name);

    if (p == NULL && !c->ask.routed)
        p = providers_of_greeting(c->providers, o->greeting);
    return p;
}

static const char *name_of(const struct provider *p)
{
    return p != NULL ? p->name : "";
}

/* A 4yz of a server that has nothing else for unknown users is not to be waited out. */
static struct reading read_reply(const struct callout *c, const struct outcome *o,
                                 const struct provider *p)
{
    struct reading r = classify_outcome(c->rules, o, name_of(p));
    bool soft = r.reason == REASON_SERVER_ERROR || r.reason == REASON_GREYLISTED;

    if (soft && o->failure == SMTP_FAILURE_NONE && o->stage == SMTP_STAGE_RCPT &&
        provider_has(p, PROVIDER_QUIRK_SOFT_UNKNOWN))
        r.reason = REASON_CANNOT_VERIFY;
    return r;
}

/* What a domain does with unknown recipients */

/* What could not be found out puts nothing aside that is still known. */
static void learn(struct callout *c, enum catch_all_fact what, const struct outcome *o,
                  const struct mx_candidate *host)
{
    const struct lifetime *life =
        &c->lives[what == CATCH_ALL_NOT_KNOWN ? STATUS_UNKNOWN : STATUS_CATCH_ALL];
    int64_t now = clock_wall();

    if (what == CATCH_ALL_NOT_KNOWN && c->known.catch_all != CATCH_ALL_UNTESTED) {
        c->fact = c->known;
        c->fact.refresh_at = now + life->refresh;
    } else {
        domain_fact_set(&c->fact, what, o, host->name, now, life);
    }
    domain_fact_put(c->engine->keep, c->ask.recipient.domain, c->plan.host_set, &c->fact);
}

static bool masks(const struct provider *p)
{
    return p != NULL &&
           (p->accepted == PROVIDER_MASKS || provider_has(p, PROVIDER_QUIRK_LATE_REFUSAL));
}

/* The recipient was accepted: whether made-up ones are to be asked about. */
static bool worth_testing(struct callout *c, const struct provider *p)
{
    if (c->ask.routed || c->ask.null_sender || (p != NULL && p->accepted == PROVIDER_HONEST) ||
        masks(p))
        return false;
    if (!domain_fact_get(c->engine->keep, c->ask.recipient.domain, c->plan.host_set, clock_wall(),
                         &c->known))
        c->known.catch_all = CATCH_ALL_UNTESTED;
    c->fact = c->known;
    return c->ask.want_catch_all && c->probes > 0 && (p == NULL || p->made_up) &&
           (c->known.catch_all == CATCH_ALL_UNTESTED || clock_wall() >= c->known.refresh_at);
}

/* False where the domain is so long that none fits. */
static bool next_made_up(struct callout *c, const struct provider *p, struct probe_question *next)
{
    char local[MADE_UP_SIZE], text[MADE_UP_SIZE + ADDRESS_DOMAIN_MAX + 2];
    const char *why;

    made_up_local(c->fact.asked, rng_below, local);
    next->new_transaction = c->anew || provider_has(p, PROVIDER_QUIRK_ONE_RECIPIENT) ||
                            (p != NULL && p->limits.per_transaction != 0 &&
                             c->fact.asked + 1U >= p->limits.per_transaction);
    return str_format(text, sizeof(text), "%s@%s", local, c->ask.recipient.domain) &&
           address_parse(text, strlen(text), &next->recipient, &why);
}

/* RFC 5321 section 4.5.3.1.10: 452, which says nothing of the recipient, but that it was one too
   many of them. */
static bool too_many_recipients(const struct outcome *o)
{
    const struct smtp_reply *r = &o->reply;

    return r->code == 452 &&
           (r->enhanced.cls == 0 || (r->enhanced.subject == 5 && r->enhanced.detail == 3));
}

static enum catch_all_fact judge_made_up(const struct callout *c, enum verdict_reason reason)
{
    if (verdict_reason_status(reason) == STATUS_INVALID)
        return CATCH_ALL_SELECTIVE;
    if (reason == REASON_MAILBOX_EXISTS)
        return c->fact.accepted >= c->probes ? CATCH_ALL_EVERYTHING : CATCH_ALL_UNTESTED;
    return CATCH_ALL_NOT_KNOWN;
}

/* What came of a made-up recipient; true for another one. */
static bool heard_made_up(struct callout *c, const struct outcome *o,
                          const struct mx_candidate *host, const struct provider *p,
                          struct probe_question *next)
{
    enum verdict_reason reason = read_reply(c, o, p).reason;
    enum catch_all_fact what;

    if (too_many_recipients(o) && !c->anew) {
        c->anew = true;
        return next_made_up(c, p, next);
    }
    c->fact.asked++;
    c->fact.accepted = (uint8_t)(c->fact.accepted + (reason == REASON_MAILBOX_EXISTS));
    what = judge_made_up(c, reason);
    if (what == CATCH_ALL_UNTESTED)
        return next_made_up(c, p, next);
    learn(c, what, o, host);
    return false;
}

static bool on_reply(void *arg, const struct outcome *o, const struct mx_candidate *host,
                     struct probe_question *next)
{
    struct callout *c = arg;
    const struct provider *p = provider_of(c, o, host);

    if (c->answered)
        return heard_made_up(c, o, host, p, next);
    c->answered = true;
    if (read_reply(c, o, p).reason != REASON_MAILBOX_EXISTS || !worth_testing(c, p))
        return false;
    c->fact = (struct domain_fact){.catch_all = CATCH_ALL_UNTESTED};
    return next_made_up(c, p, next);
}

/* The verdict */

static void fill_evidence(struct verdict *v, const struct outcome *o,
                          const struct mx_candidate *host, const struct provider *p,
                          const char *rule)
{
    struct evidence *ev = &v->evidence;

    v->has_evidence = true;
    ev->stage = o->stage;
    ev->failure = o->failure;
    ev->code = o->reply.code;
    ev->enhanced = o->reply.enhanced;
    (void)str_copy(ev->text, sizeof(ev->text), o->reply.code != 0 ? o->reply.text : o->detail);
    (void)str_copy(ev->mx, sizeof(ev->mx), host->name);
    ev->ip = host->ip;
    (void)str_copy(ev->tls, sizeof(ev->tls), o->tls);
    (void)str_copy(ev->provider, sizeof(ev->provider), name_of(p));
    (void)str_copy(ev->rule, sizeof(ev->rule), rule);
}

/* What an accepted recipient comes to. Who wants to know what a 2yz is worth hears it, or that it
   is not known, and so does not ask again. */
static enum verdict_reason accepted(const struct callout *c, const struct provider *p,
                                    enum catch_all_fact *what)
{
    *what = c->fact.catch_all;
    if (masks(p))
        return REASON_PROVIDER_MASKS;
    if (p != NULL && p->accepted == PROVIDER_HONEST)
        *what = CATCH_ALL_SELECTIVE;
    else if (*what == CATCH_ALL_UNTESTED && c->ask.want_catch_all)
        *what = CATCH_ALL_NOT_KNOWN;
    return *what == CATCH_ALL_EVERYTHING ? REASON_ACCEPTS_EVERYTHING : REASON_MAILBOX_EXISTS;
}

/* A domain held to accept everything does not. */
static void contradict(struct callout *c, const struct outcome *o, const struct mx_candidate *host)
{
    if (!domain_fact_get(c->engine->keep, c->ask.recipient.domain, c->plan.host_set, clock_wall(),
                         &c->fact) ||
        c->fact.catch_all != CATCH_ALL_EVERYTHING)
        return;
    c->fact.asked = c->fact.accepted = 0;
    learn(c, CATCH_ALL_SELECTIVE, o, host);
}

static void on_trace(void *arg, char dir, const char *line)
{
    struct callout *c = arg;

    c->handler.on_trace(c->handler.arg, dir, line);
}

/* True when the recipient is being asked about once more, with the fallback. */
static bool falls_back(struct callout *c, enum verdict_reason reason)
{
    struct destination_fact fact = {.null_sender_refused_at = clock_wall()};

    if (reason != REASON_SENDER_REFUSED || c->sender[0] != '\0' || c->fallback[0] == '\0' ||
        c->ask.null_sender)
        return false;
    fact.expires_at = fact.null_sender_refused_at + NULL_SENDER_REST;
    destination_put(c->engine->keep, c->destination, &fact);
    if (c->handler.on_trace != NULL)
        on_trace(c, '*', "the null sender is refused: once more with probe_sender_fallback");
    c->answered = false;
    return probe_with(c, c->fallback);
}

static void on_answer(void *arg, const struct outcome *o, const struct mx_candidate *host,
                      bool backup)
{
    struct callout *c = arg;
    const struct provider *p = provider_of(c, o, host);
    struct reading r = read_reply(c, o, p);
    enum catch_all_fact what = CATCH_ALL_UNTESTED;
    struct verdict v;

    c->probe = NULL;
    if (falls_back(c, r.reason))
        return;
    /* A backup that does not know the domain proves nothing while the better hosts are away; and a
       server of our own that does not is not set up for what it was said to be. */
    if ((backup || c->ask.routed) && r.reason == REASON_NO_DOMAIN)
        r.reason = REASON_CANNOT_VERIFY;
    if (r.reason == REASON_MAILBOX_EXISTS)
        r.reason = accepted(c, p, &what);
    else if (r.reason == REASON_NO_MAILBOX)
        contradict(c, o, host);
    verdict_init(&v, r.reason, SOURCE_PROBE);
    fill_evidence(&v, o, host, p, r.rule);
    v.evidence.catch_all = what;
    callout_finish(c, &v);
}

/* False when out of memory. */
static bool probe_with(struct callout *c, const char *sender)
{
    const struct verifier_opts *o = &c->engine->opts;
    struct probe_handler h = {.on_reply = on_reply, .on_answer = on_answer, .arg = c};
    struct probe_opts how = {
        .session = o->session,
        .port = c->ask.lmtp ? LMTP_PORT : o->smtp_port,
        .lmtp = c->ask.lmtp,
        .routed = c->ask.routed,
    };

    c->sender = sender;
    (void)str_copy(how.sender, sizeof(how.sender), sender);
    if (c->handler.on_trace != NULL)
        h.on_trace = on_trace;
    c->probe = probe_start(c->engine, &how, &c->plan, &c->ask.recipient, c->ask.deadline, &h);
    return c->probe != NULL;
}

/* The null sender first, unless the destination is known to refuse it. */
static const char *first_sender(const struct callout *c)
{
    struct destination_fact fact;

    if (c->ask.null_sender)
        return "";
    if (c->usual[0] == '\0' && c->fallback[0] != '\0' &&
        destination_get(c->engine->keep, c->destination, clock_wall(), &fact) &&
        fact.null_sender_refused_at != 0)
        return c->fallback;
    return c->usual;
}

struct callout *callout_start(struct engine *e, const struct callout_ask *ask,
                              const struct mx_plan *plan, const struct callout_handler *handler)
{
    struct callout *c = calloc(1, sizeof(*c));
    const struct verifier_opts *o = &e->opts;

    if (c == NULL)
        return NULL;
    c->engine = e;
    c->ask = *ask;
    c->plan = *plan;
    c->handler = *handler;
    c->rules = reply_rules_ref(o->replies);
    c->providers = providers_ref(o->providers);
    c->probes = o->catch_all_probes;
    memcpy(c->lives, o->lifetimes, sizeof(c->lives));
    memcpy(c->usual, o->probe_sender, sizeof(c->usual));
    memcpy(c->fallback, o->probe_sender_fallback, sizeof(c->fallback));
    destination_name(plan, ask->routed ? NULL : providers_of_host(c->providers, plan->list[0].name),
                     c->destination);
    if (probe_with(c, first_sender(c)))
        return c;
    callout_free(c);
    return NULL;
}

void callout_cancel(struct callout **cp)
{
    if (*cp != NULL)
        callout_free(*cp);
    *cp = NULL;
}
