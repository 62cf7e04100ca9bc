#include "callout/callout.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/catch_all.h"
#include "callout/classify.h"
#include "callout/destination.h"
#include "callout/gate.h"
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
    const char *sender;          /* MAIL FROM: one of the two */
    char usual[ADDRESS_TEXT_SIZE], fallback[ADDRESS_TEXT_SIZE];
    char refused_by[DESTINATION_NAME_SIZE]; /* the null sender, before it was the fallback's turn;
                                               "": nobody did */
    struct probe_run *probe;
    bool answered;          /* about the recipient; what comes now is about a made-up one */
    bool testing;           /* one is being asked about */
    struct reading reading; /* of the last outcome about the recipient */
    struct verdict verdict; /* of that answer */
    struct callout_trail trail;
    bool is_again; /* it is asked once more, as `again` says */
    struct callout_trail again;
    struct catch_all domain; /* what it does with those */
};

static bool probe_with(struct callout *c, const char *sender);

static void callout_free(struct callout *c)
{
    probe_cancel(&c->probe);
    reply_rules_unref(&c->rules);
    providers_unref(&c->providers);
    free(c);
}

static void callout_finish(struct callout *c)
{
    struct callout_handler h = c->handler;
    struct verdict v = c->verdict;
    struct callout_trail trail = c->trail;

    callout_free(c);
    h.on_verdict(h.arg, &v, &trail);
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
                                 const struct provider *p, const struct address *recipient)
{
    struct reading r = classify_outcome(c->rules, o, name_of(p), recipient);
    bool soft = r.reason == REASON_SERVER_ERROR || r.reason == REASON_GREYLISTED;

    if (soft && o->failure == SMTP_FAILURE_NONE && o->stage == SMTP_STAGE_RCPT &&
        provider_has(p, PROVIDER_QUIRK_SOFT_UNKNOWN))
        r.reason = REASON_CANNOT_VERIFY;
    return r;
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

static bool masks(const struct provider *p)
{
    return p != NULL &&
           (p->accepted == PROVIDER_MASKS || provider_has(p, PROVIDER_QUIRK_LATE_REFUSAL));
}

/*
 * What is known of the domain goes with an acceptance. A backup's is worth what it is: it takes
 * mail for the domain, and does not know its users. Who wants to know hears at least that it is not
 * known, and so does not ask again.
 */
static enum catch_all_fact fact_of(struct callout *c, const struct provider *p, bool backup)
{
    enum catch_all_fact what = CATCH_ALL_UNTESTED;

    if (c->ask.routed || c->ask.null_sender || masks(p))
        return what;
    if (!backup && p != NULL && p->accepted == PROVIDER_HONEST)
        return CATCH_ALL_SELECTIVE;
    catch_all_recall(&c->domain);
    if (!backup || c->domain.fact.catch_all == CATCH_ALL_EVERYTHING)
        what = c->domain.fact.catch_all;
    return what == CATCH_ALL_UNTESTED && c->ask.want_catch_all ? CATCH_ALL_NOT_KNOWN : what;
}

static void set_fact(struct callout *c, enum catch_all_fact what)
{
    struct evidence ev = c->verdict.evidence;

    if (what == CATCH_ALL_EVERYTHING)
        verdict_init(&c->verdict, REASON_ACCEPTS_EVERYTHING, SOURCE_PROBE);
    else
        verdict_init(&c->verdict, REASON_MAILBOX_EXISTS, SOURCE_PROBE);
    c->verdict.has_evidence = true;
    c->verdict.evidence = ev;
    c->verdict.evidence.catch_all = what;
}

/*
 * A failure that may be our own network's says nothing of them; nor does the end of a session that
 * others had been asked about before. Who asks next, asks.
 */
static bool is_passing(const struct outcome *o, const struct probe_place *at)
{
    return !at->proved || (o->reused && o->reply.code == 421);
}

/* The gate hears all that a destination says; not what may be our own network's fault. */
static void tell_gate(struct callout *c, const struct outcome *o, const struct probe_place *at,
                      const struct reading *r, bool made_up)
{
    struct verdict v;
    const struct gate_word word = {
        .destination = at->destination,
        .domain = c->ask.recipient.domain,
        .verdict = &v,
        .source = at->source,
        .made_up = made_up,
    };

    if (!at->proved || c->ask.routed)
        return;
    verdict_init(&v, r->reason, SOURCE_PROBE);
    fill_evidence(&v, o, at->host, provider_of(c, o, at->host), r->rule);
    gate_heard(c->engine->gate, &word);
}

static void on_outcome(void *arg, const struct outcome *o, const struct probe_place *at)
{
    struct callout *c = arg;

    c->reading = read_reply(c, o, provider_of(c, o, at->host), &c->ask.recipient);
    tell_gate(c, o, at, &c->reading, false);
}

static void blame_network(struct callout *c)
{
    struct evidence *ev = &c->verdict.evidence;

    verdict_init(&c->verdict, REASON_LOCAL_FAULT, SOURCE_PROBE);
    c->verdict.has_evidence =
        outage_tell(&c->engine->network, clock_mono_ms(), ev->text, sizeof(ev->text));
}

/* What the answer about the recipient comes to, `r` being how it reads. */
static void read_answer(struct callout *c, const struct outcome *o, const struct probe_place *at,
                        struct reading r)
{
    const struct mx_candidate *host = at->host;
    bool backup = at->backup;
    const struct provider *p = provider_of(c, o, host);

    /* A backup that does not know the domain proves nothing while the better hosts are away; and a
       server of our own that does not is not set up for what it was said to be. */
    if ((backup || c->ask.routed) && r.reason == REASON_NO_DOMAIN)
        r.reason = REASON_CANNOT_VERIFY;
    if (r.reason == REASON_MAILBOX_EXISTS && masks(p))
        r.reason = REASON_PROVIDER_MASKS;
    if (r.reason == REASON_NO_MAILBOX && !backup && !c->ask.routed)
        catch_all_contradict(&c->domain, o, host->name);
    verdict_init(&c->verdict, r.reason, SOURCE_PROBE);
    fill_evidence(&c->verdict, o, host, p, r.rule);
    if (r.reason == REASON_MAILBOX_EXISTS)
        set_fact(c, fact_of(c, p, backup));
    if (!at->proved && outage_is_out(&c->engine->network, clock_mono_ms()))
        blame_network(c);
    c->verdict.passing = is_passing(o, at);
    c->trail.source = at->source;
    (void)str_copy(c->trail.destination, sizeof(c->trail.destination), at->destination);
}

bool callout_answered(const struct callout *c, struct verdict *v)
{
    const char *destination;

    if (c->answered) {
        *v = c->verdict;
        return true;
    }
    verdict_init(v, REASON_PENDING, SOURCE_PROBE);
    v->has_evidence = c->probe != NULL && probe_waits(c->probe, &destination);
    if (v->has_evidence)
        (void)str_format(v->evidence.text, sizeof(v->evidence.text), "waits for its turn at %s",
                         destination);
    return false;
}

/* Made-up recipients */

static bool worth_testing(const struct callout *c, const struct provider *p, bool backup)
{
    bool accepted = c->verdict.reason == REASON_MAILBOX_EXISTS ||
                    c->verdict.reason == REASON_ACCEPTS_EVERYTHING;

    return accepted && c->ask.want_catch_all && !c->ask.routed && !c->ask.null_sender && !backup &&
           (p == NULL || (p->accepted == PROVIDER_VARIES && p->made_up)) &&
           catch_all_due(&c->domain);
}

static unsigned per_transaction(const struct provider *p)
{
    if (provider_has(p, PROVIDER_QUIRK_ONE_RECIPIENT))
        return 1;
    return p != NULL ? p->limits.per_transaction : 0;
}

static bool on_reply(void *arg, const struct outcome *o, const struct probe_place *at,
                     struct probe_question *next)
{
    struct callout *c = arg;
    const struct provider *p = provider_of(c, o, at->host);
    struct reading r;

    if (!c->answered) {
        read_answer(c, o, at, c->reading); /* on_outcome was called with the same */
        c->answered = true;
        if (!worth_testing(c, p, at->backup))
            return false;
        c->domain.per_transaction = per_transaction(p);
        catch_all_next(&c->domain, next);
        c->testing = true;
        return true;
    }
    r = read_reply(c, o, p, &c->domain.made_up);
    tell_gate(c, o, at, &r, true);
    c->testing = catch_all_heard(&c->domain, o, r.reason, at->host->name, next);
    if (!c->testing)
        set_fact(c, c->domain.fact.catch_all);
    return c->testing;
}

/* The sender */

static void on_trace(void *arg, char dir, const char *line)
{
    struct callout *c = arg;

    c->handler.on_trace(c->handler.arg, dir, line);
}

/* Where it is remembered that the null sender is refused: at MAIL by who answers at the host; at
   RCPT it may be one domain's own wish. */
static void refusal_name(const struct callout *c, const struct mx_candidate *host,
                         enum smtp_stage stage, char name[DESTINATION_NAME_SIZE])
{
    const struct provider *p = providers_of_host(c->providers, host->name);

    if (stage == SMTP_STAGE_RCPT)
        (void)str_format(name, DESTINATION_NAME_SIZE, "domain/%s", c->ask.recipient.domain);
    else
        destination_name(host, c->ask.routed ? NULL : p, name);
}

/* True when the recipient is being asked about once more, with the fallback. */
static bool falls_back(struct callout *c, const struct mx_candidate *host)
{
    if (c->verdict.reason != REASON_SENDER_REFUSED || c->sender[0] != '\0' ||
        c->fallback[0] == '\0' || c->ask.null_sender || clock_mono_ms() >= c->ask.deadline)
        return false;
    refusal_name(c, host, c->verdict.evidence.stage, c->refused_by);
    c->answered = false;
    if (c->handler.on_trace != NULL)
        on_trace(c, '*', "the null sender is refused: once more with probe_sender_fallback");
    return probe_with(c, c->fallback);
}

/*
 * The fallback did better than the null sender: it was that. At MAIL it is enough that it came
 * farther, at the same host or one like it; at RCPT it has to come to an answer.
 */
static bool fallback_did_better(const struct callout *c, const struct mx_candidate *host)
{
    const struct verdict *v = &c->verdict;
    char name[DESTINATION_NAME_SIZE];

    if (c->refused_by[0] == '\0' || v->evidence.stage != SMTP_STAGE_RCPT || v->evidence.code == 0 ||
        v->reason == REASON_SENDER_REFUSED)
        return false;
    refusal_name(c, host, SMTP_STAGE_MAIL, name);
    return strcmp(name, c->refused_by) == 0 ||
           (strncmp(c->refused_by, "domain/", 7) == 0 && v->status != STATUS_UNKNOWN &&
            v->status != STATUS_DEFERRED);
}

static void remember_refusal(struct callout *c)
{
    int64_t now = clock_wall();
    struct destination_fact fact;

    (void)destination_get(c->engine->keep, c->refused_by, now, &fact); /* what else is known */
    fact.null_sender_refused_at = now;
    if (fact.expires_at < now + NULL_SENDER_REST)
        fact.expires_at = now + NULL_SENDER_REST;
    destination_put(c->engine->keep, c->refused_by, &fact);
}

static bool refuses_null_sender(const struct callout *c, enum smtp_stage stage)
{
    char name[DESTINATION_NAME_SIZE];
    int64_t now = clock_wall();
    struct destination_fact fact;

    refusal_name(c, &c->plan.list[0], stage, name);
    return destination_get(c->engine->keep, name, now, &fact) &&
           now < fact.null_sender_refused_at + NULL_SENDER_REST;
}

/* The null sender first, unless it is known to be refused. */
static const char *first_sender(const struct callout *c)
{
    if (c->ask.null_sender)
        return "";
    if (!c->is_again && c->usual[0] == '\0' && c->fallback[0] != '\0' &&
        (refuses_null_sender(c, SMTP_STAGE_MAIL) || refuses_null_sender(c, SMTP_STAGE_RCPT)))
        return c->fallback;
    return c->usual;
}

static void on_answer(void *arg, const struct outcome *o, const struct probe_place *at)
{
    struct callout *c = arg;

    c->probe = NULL;
    if (!c->answered)
        read_answer(c, o, at, read_reply(c, o, provider_of(c, o, at->host), &c->ask.recipient));
    if (c->testing)
        catch_all_give_up(&c->domain);
    if (falls_back(c, at->host))
        return;
    if (fallback_did_better(c, at->host))
        remember_refusal(c);
    callout_finish(c);
}

/* Where the fallback was not let in any more, what the null sender heard is the answer, of this
   moment only. */
static void on_refused(void *arg, const struct verdict *v)
{
    struct callout *c = arg;

    c->probe = NULL;
    if (c->refused_by[0] == '\0')
        c->verdict = *v;
    c->verdict.passing = true;
    callout_finish(c);
}

/* False when out of memory. */
static bool probe_with(struct callout *c, const char *sender)
{
    const struct verifier_opts *o = &c->engine->opts;
    struct probe_handler h = {
        .on_outcome = on_outcome,
        .on_reply = on_reply,
        .on_answer = on_answer,
        .on_refused = on_refused,
        .arg = c,
    };
    struct probe_opts how = {
        .session = o->session,
        .port = c->ask.lmtp ? LMTP_PORT : o->smtp_port,
        .routed = c->ask.routed,
        .fresh = c->ask.fresh,
        .more = c->ask.want_catch_all ? c->domain.probes : 0,
        .any_source = !c->is_again,
        .source = c->again.source,
        .priority = c->ask.priority,
        .providers = c->providers,
    };

    if (c->refused_by[0] != '\0') /* the null sender: the fallback goes on at the same place */
        memcpy(how.went_to, c->trail.destination, sizeof(how.went_to));
    how.session.lmtp = c->ask.lmtp;
    if (c->is_again)
        (void)str_copy(how.session.helo_name, sizeof(how.session.helo_name), c->again.helo);

    c->sender = sender;
    (void)str_copy(c->trail.helo, sizeof(c->trail.helo), how.session.helo_name);
    (void)str_copy(c->trail.sender, sizeof(c->trail.sender), sender);
    (void)str_copy(how.sender, sizeof(how.sender), sender);
    if (c->handler.on_trace != NULL)
        h.on_trace = on_trace;
    c->probe = probe_start(c->engine, &how, &c->plan, &c->ask.recipient, c->ask.deadline, &h);
    return c->probe != NULL;
}

static void set_domain(struct callout *c, const struct verifier_opts *o)
{
    struct catch_all *t = &c->domain;

    t->keep = c->engine->keep;
    (void)str_copy(t->domain, sizeof(t->domain), c->ask.recipient.domain);
    t->host_set = c->plan.host_set;
    t->known_for = o->lifetimes[STATUS_CATCH_ALL];
    t->unknown_for = o->lifetimes[STATUS_UNKNOWN];
    t->probes = o->catch_all_probes;
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
    memcpy(c->usual, o->probe_sender, sizeof(c->usual));
    memcpy(c->fallback, o->probe_sender_fallback, sizeof(c->fallback));
    if (ask->again != NULL) {
        c->is_again = true;
        c->again = *ask->again;
        memcpy(c->usual, ask->again->sender, sizeof(c->usual));
    }
    set_domain(c, o);
    if (probe_with(c, first_sender(c)))
        return c;
    callout_free(c);
    return NULL;
}

void callout_hurry(struct callout *c, enum callout_priority priority)
{
    if (priority < c->ask.priority)
        c->ask.priority = priority;
    if (c->probe != NULL)
        probe_hurry(c->probe, priority);
}

void callout_cancel(struct callout **cp)
{
    if (*cp != NULL)
        callout_free(*cp);
    *cp = NULL;
}
