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

/* What is made of what is heard: most of a callout, and there once anything is heard. */
struct hearing {
    char refused_by[DESTINATION_NAME_SIZE];  /* the null sender, before it was the fallback's turn;
                                                "": nobody did */
    const struct provider *provider;         /* who the last outcome is from; NULL: nobody known */
    struct reading reading;                  /* of the last outcome about the recipient */
    struct verdict verdict;                  /* of the answer about it */
    char destination[DESTINATION_NAME_SIZE]; /* that it is from, */
    struct netaddr source;                   /* asked from here */
    struct catch_all domain;                 /* what it does with made-up ones */
};

struct callout {
    struct engine *engine;
    struct callout_ask ask;
    struct mx_plan *plan;
    struct callout_handler handler;
    struct reply_rules *rules;   /* those it began with, and these */
    struct providers *providers; /* counted */
    struct session_opts session;
    const char *sender; /* MAIL FROM: one of the two */
    const char *usual, *fallback;
    bool is_again;         /* it is asked once more, ... */
    struct netaddr source; /* ... from here */
    struct probe_run *probe;
    bool answered; /* about the recipient; what comes now is about a made-up one */
    bool testing;  /* one is being asked about */
    unsigned made_up_most;
    struct lifetime known_for, unknown_for; /* of what made-up ones tell */
    struct hearing *heard;                  /* NULL: nothing was */
    char texts[];                           /* the senders */
};

static bool probe_with(struct callout *c, const char *sender);

static void callout_free(struct callout *c)
{
    probe_cancel(&c->probe);
    reply_rules_unref(&c->rules);
    providers_unref(&c->providers);
    free(c->plan);
    free(c->heard);
    free(c);
}

static void callout_finish(struct callout *c, const struct verdict *result)
{
    struct callout_handler h = c->handler;
    struct verdict v = *result;
    struct callout_trail trail = {.destination = ""};

    (void)str_copy(trail.sender, sizeof(trail.sender), c->sender);
    (void)str_copy(trail.helo, sizeof(trail.helo), c->session.helo_name);
    if (c->heard != NULL) {
        memcpy(trail.destination, c->heard->destination, sizeof(trail.destination));
        trail.source = c->heard->source;
    }
    callout_free(c);
    h.on_verdict(h.arg, &v, &trail);
}

/* To be called before anything is made of what is heard. False when out of memory. */
static bool hears(struct callout *c)
{
    if (c->heard != NULL)
        return true;
    c->heard = calloc(1, sizeof(*c->heard));
    if (c->heard == NULL)
        return false;
    c->heard->domain = (struct catch_all){
        .keep = c->engine->keep,
        .domain = c->ask.recipient->domain,
        .host_set = c->plan->host_set,
        .known_for = c->known_for,
        .unknown_for = c->unknown_for,
        .probes = c->made_up_most,
    };
    return true;
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
    catch_all_recall(&c->heard->domain);
    if (!backup || c->heard->domain.fact.catch_all == CATCH_ALL_EVERYTHING)
        what = c->heard->domain.fact.catch_all;
    return what == CATCH_ALL_UNTESTED && c->ask.want_catch_all ? CATCH_ALL_NOT_KNOWN : what;
}

static void set_fact(struct callout *c, enum catch_all_fact what)
{
    struct evidence ev = c->heard->verdict.evidence;

    if (what == CATCH_ALL_EVERYTHING)
        verdict_init(&c->heard->verdict, REASON_ACCEPTS_EVERYTHING, SOURCE_PROBE);
    else
        verdict_init(&c->heard->verdict, REASON_MAILBOX_EXISTS, SOURCE_PROBE);
    c->heard->verdict.has_evidence = true;
    c->heard->verdict.evidence = ev;
    c->heard->verdict.evidence.catch_all = what;
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
        .domain = c->ask.recipient->domain,
        .verdict = &v,
        .source = at->source,
        .made_up = made_up,
    };

    if (!at->proved || c->ask.routed)
        return;
    verdict_init(&v, r->reason, SOURCE_PROBE);
    fill_evidence(&v, o, at->host, c->heard->provider, r->rule);
    gate_heard(c->engine->gate, &word);
}

static void on_outcome(void *arg, const struct outcome *o, const struct probe_place *at)
{
    struct callout *c = arg;

    if (!hears(c))
        return;
    c->heard->provider = provider_of(c, o, at->host);
    c->heard->reading = read_reply(c, o, c->heard->provider, c->ask.recipient);
    tell_gate(c, o, at, &c->heard->reading, false);
}

static void blame_network(struct callout *c)
{
    struct evidence *ev = &c->heard->verdict.evidence;

    verdict_init(&c->heard->verdict, REASON_LOCAL_FAULT, SOURCE_PROBE);
    c->heard->verdict.has_evidence =
        outage_tell(&c->engine->network, clock_mono_ms(), ev->text, sizeof(ev->text));
}

/* What the answer about the recipient comes to, `r` being how it reads. */
static void read_answer(struct callout *c, const struct outcome *o, const struct probe_place *at,
                        struct reading r)
{
    const struct mx_candidate *host = at->host;
    const struct provider *p = c->heard->provider;
    bool backup = at->backup;

    /* A backup that does not know the domain proves nothing while the better hosts are away; and a
       server of our own that does not is not set up for what it was said to be. */
    if ((backup || c->ask.routed) && r.reason == REASON_NO_DOMAIN)
        r.reason = REASON_CANNOT_VERIFY;
    if (r.reason == REASON_MAILBOX_EXISTS && masks(p))
        r.reason = REASON_PROVIDER_MASKS;
    if (r.reason == REASON_NO_MAILBOX && !backup && !c->ask.routed)
        catch_all_contradict(&c->heard->domain, o, host->name);
    verdict_init(&c->heard->verdict, r.reason, SOURCE_PROBE);
    fill_evidence(&c->heard->verdict, o, host, p, r.rule);
    if (r.reason == REASON_MAILBOX_EXISTS)
        set_fact(c, fact_of(c, p, backup));
    if (!at->proved && outage_is_out(&c->engine->network, clock_mono_ms()))
        blame_network(c);
    c->heard->verdict.passing = is_passing(o, at);
    c->heard->source = at->source;
    (void)str_copy(c->heard->destination, sizeof(c->heard->destination), at->destination);
}

bool callout_answered(const struct callout *c, struct verdict *v)
{
    const char *destination;

    if (c->answered) {
        *v = c->heard->verdict;
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
    bool accepted = c->heard->verdict.reason == REASON_MAILBOX_EXISTS ||
                    c->heard->verdict.reason == REASON_ACCEPTS_EVERYTHING;

    return accepted && c->ask.want_catch_all && !c->ask.routed && !c->ask.null_sender && !backup &&
           (p == NULL || (p->accepted == PROVIDER_VARIES && p->made_up)) &&
           catch_all_due(&c->heard->domain);
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
    const struct provider *p;
    struct reading r;

    if (c->heard == NULL)
        return false;
    p = c->heard->provider; /* on_outcome was called for the same session */
    if (!c->answered) {
        read_answer(c, o, at, c->heard->reading);
        c->answered = true;
        if (!worth_testing(c, p, at->backup))
            return false;
        c->heard->domain.per_transaction = per_transaction(p);
        catch_all_next(&c->heard->domain, next);
        c->testing = true;
        return true;
    }
    r = read_reply(c, o, p, &c->heard->domain.made_up);
    tell_gate(c, o, at, &r, true);
    c->testing = catch_all_heard(&c->heard->domain, o, r.reason, at->host->name, next);
    if (!c->testing)
        set_fact(c, c->heard->domain.fact.catch_all);
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
    const struct provider *p = NULL;

    if (stage == SMTP_STAGE_RCPT) {
        (void)str_format(name, DESTINATION_NAME_SIZE, "domain/%s", c->ask.recipient->domain);
        return;
    }
    if (!c->ask.routed)
        p = providers_of_host(c->providers, host->name);
    destination_name(host, p, name);
}

/* True when the recipient is being asked about once more, with the fallback. */
static bool falls_back(struct callout *c, const struct mx_candidate *host)
{
    if (c->heard->verdict.reason != REASON_SENDER_REFUSED || c->sender[0] != '\0' ||
        c->fallback[0] == '\0' || c->ask.null_sender || clock_mono_ms() >= c->ask.deadline)
        return false;
    refusal_name(c, host, c->heard->verdict.evidence.stage, c->heard->refused_by);
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
    const struct verdict *v = &c->heard->verdict;
    char name[DESTINATION_NAME_SIZE];

    if (c->heard->refused_by[0] == '\0' || v->evidence.stage != SMTP_STAGE_RCPT ||
        v->evidence.code == 0 || v->reason == REASON_SENDER_REFUSED)
        return false;
    refusal_name(c, host, SMTP_STAGE_MAIL, name);
    return strcmp(name, c->heard->refused_by) == 0 ||
           (strncmp(c->heard->refused_by, "domain/", 7) == 0 && v->status != STATUS_UNKNOWN &&
            v->status != STATUS_DEFERRED);
}

static void remember_refusal(struct callout *c)
{
    int64_t now = clock_wall();
    struct destination_fact fact;

    (void)destination_get(c->engine->keep, c->heard->refused_by, now,
                          &fact); /* what else is known */
    fact.null_sender_refused_at = now;
    if (fact.expires_at < now + NULL_SENDER_REST)
        fact.expires_at = now + NULL_SENDER_REST;
    destination_put(c->engine->keep, c->heard->refused_by, &fact);
}

static bool refuses_null_sender(const struct callout *c, enum smtp_stage stage)
{
    char name[DESTINATION_NAME_SIZE];
    int64_t now = clock_wall();
    struct destination_fact fact;

    refusal_name(c, &c->plan->list[0], stage, name);
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

static void finish_local(struct callout *c)
{
    struct verdict v;

    verdict_init(&v, REASON_LOCAL_FAULT, SOURCE_PROBE);
    callout_finish(c, &v);
}

static void on_answer(void *arg, const struct outcome *o, const struct probe_place *at)
{
    struct callout *c = arg;

    c->probe = NULL;
    if (!hears(c)) {
        finish_local(c);
        return;
    }
    if (!c->answered) {
        c->heard->provider = provider_of(c, o, at->host);
        read_answer(c, o, at, read_reply(c, o, c->heard->provider, c->ask.recipient));
    }
    if (c->testing)
        catch_all_give_up(&c->heard->domain);
    if (falls_back(c, at->host))
        return;
    if (fallback_did_better(c, at->host))
        remember_refusal(c);
    callout_finish(c, &c->heard->verdict);
}

/* Where the fallback was not let in any more, what the null sender heard is the answer, of this
   moment only. */
static void on_refused(void *arg, const struct verdict *v)
{
    struct callout *c = arg;
    bool was_heard = c->heard != NULL && c->heard->refused_by[0] != '\0';
    struct verdict result = was_heard ? c->heard->verdict : *v;

    c->probe = NULL;
    result.passing = true;
    callout_finish(c, &result);
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
    const struct probe_opts how = {
        .session = &c->session,
        .sender = sender,
        .port = c->ask.lmtp ? LMTP_PORT : o->smtp_port,
        .routed = c->ask.routed,
        .fresh = c->ask.fresh,
        /* The null sender was refused: the fallback goes on at the same place. */
        .went_to = c->heard != NULL && c->heard->refused_by[0] != '\0' ? c->heard->destination : "",
        .more = c->ask.want_catch_all ? c->made_up_most : 0,
        .any_source = !c->is_again,
        .source = c->source,
        .priority = c->ask.priority,
        .providers = c->providers,
    };

    c->sender = sender;
    if (c->handler.on_trace != NULL)
        h.on_trace = on_trace;
    c->probe = probe_start(c->engine, &how, c->plan, c->ask.recipient, c->ask.deadline, &h);
    return c->probe != NULL;
}

/* As it was asked before. */
static void ask_again(struct callout *c, const struct callout_trail *again)
{
    c->is_again = true;
    c->source = again->source;
    (void)str_copy(c->session.helo_name, sizeof(c->session.helo_name), again->helo);
}

/* The options in force, as far as they count. */
static void take_options(struct callout *c, const struct verifier_opts *o)
{
    c->rules = reply_rules_ref(o->replies);
    c->providers = providers_ref(o->providers);
    c->session = o->session;
    c->session.lmtp = c->ask.lmtp;
    c->made_up_most = o->catch_all_probes;
    c->known_for = o->lifetimes[STATUS_CATCH_ALL];
    c->unknown_for = o->lifetimes[STATUS_UNKNOWN];
}

struct callout *callout_start(struct engine *e, const struct callout_ask *ask,
                              const struct mx_plan *plan, const struct callout_handler *handler)
{
    const struct verifier_opts *o = &e->opts;
    const char *usual = ask->again != NULL ? ask->again->sender : o->probe_sender;
    struct callout *c =
        calloc(1, sizeof(*c) + str_size(usual) + str_size(o->probe_sender_fallback));
    char *texts;

    if (c == NULL)
        return NULL;
    texts = c->texts;
    c->usual = str_put(&texts, usual);
    c->fallback = str_put(&texts, o->probe_sender_fallback);
    c->engine = e;
    c->ask = *ask;
    c->handler = *handler;
    take_options(c, o);
    if (ask->again != NULL)
        ask_again(c, ask->again);
    c->plan = mx_plan_copy(plan);
    if (c->plan != NULL && probe_with(c, first_sender(c)))
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
