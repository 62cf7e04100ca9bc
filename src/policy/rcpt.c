#include "policy/rcpt.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "policy/decision_log.h"
#include "policy/inquiry.h"

static void log_decision(const struct rcpt *r, enum mail_class c, const struct verdict *v,
                         const struct decision *d)
{
    char sender[ADDRESS_TEXT_SIZE];
    struct asker who = {.address = r->text,
                        .client = r->client.address,
                        .sasl = r->client.sasl_username,
                        .queue_id = r->queue_id};

    if (c == CLASS_SENDER) {
        address_format(&r->sender_address, sender);
        who.address = sender;
    }
    decision_log(&who, c, v, d);
}

/* Decides by what was found out. True when that is the end: a recipient, or a sender's refusal. */
static bool decided(struct rcpt *r, enum mail_class c, const struct verdict *v)
{
    struct decision_about about = {
        .mail_class = c,
        .address = c == CLASS_SENDER ? &r->sender_address : r->address,
        .text = r->text,
        .unrefusable = r->unrefusable,
    };

    if (c != CLASS_SENDER)
        about.route = r->route;
    decision_make(&r->opts->decision, &about, v, &r->decision);
    log_decision(r, c, v, &r->decision);
    return c != CLASS_SENDER || r->decision.action != ACTION_ACCEPT;
}

/* The brake counts what costs others a callout: senders, too, and not our own servers' users. */
static void count(struct rcpt *r, enum mail_class c, const struct verdict *v)
{
    const struct brake_opts *o = &r->opts->brake;
    const char *sasl = r->client.sasl_username, *ip = r->client.address;

    if (v->reason == REASON_SKIPPED || (c != CLASS_SENDER && r->route != NULL) ||
        !brake_count(r->env->brake, o, &r->client, v->status == STATUS_INVALID, r->now))
        return;
    log_warning("brake: %u invalid addresses: no more callouts for %lld s: client=%s sasl=%s",
                o->invalid, (long long)(o->window_ms / 1000), ip != NULL ? ip : "",
                sasl != NULL ? sasl : "");
}

static void finish(struct rcpt *r)
{
    policy_opts_unref(r->opts);
    r->opts = NULL;
}

static bool ask(struct rcpt *r, enum mail_class c, const struct address *a, verifier_cb cb,
                struct verdict *v)
{
    int64_t left = r->deadline - r->now;
    struct verifier_request rq = {.address = a, .wait_ms = left > 0 ? left : 1};

    rq.no_probe = r->braked && (c == CLASS_SENDER || r->route == NULL);
    return inquiry_start(r->opts, c, r->env->verifier, &rq, r->on, cb, r, v);
}

static void on_recipient(void *arg, const struct verdict *v, const char *trace)
{
    struct rcpt *r = arg;

    (void)trace;
    r->now = clock_mono_ms();
    count(r, r->mail_class, v);
    (void)decided(r, r->mail_class, v);
    finish(r);
    r->cb(r->arg, &r->decision);
}

/* True when the decision is there. */
static bool ask_recipient(struct rcpt *r)
{
    bool asked = !r->own || r->route != NULL;
    struct verdict v;

    if (asked && r->address != NULL) {
        if (!ask(r, r->mail_class, r->address, on_recipient, &v))
            return false;
    } else if (asked && inquiry_wanted(r->opts, r->mail_class, r->key)) {
        verdict_init(&v, REASON_BAD_SYNTAX, SOURCE_SYNTAX);
    } else {
        verdict_init(&v, REASON_SKIPPED, SOURCE_OVERLAY);
    }
    count(r, r->mail_class, &v);
    (void)decided(r, r->mail_class, &v);
    finish(r);
    return true;
}

/* The sender is known now: that is the end, or else its recipient is next. True when the decision
   is there. */
static bool go_on(struct rcpt *r, const struct verdict *sender)
{
    count(r, CLASS_SENDER, sender);
    if (!decided(r, CLASS_SENDER, sender))
        return ask_recipient(r);
    finish(r);
    return true;
}

static void on_sender(void *arg, const struct verdict *v, const char *trace)
{
    struct rcpt *r = arg;

    (void)trace;
    r->now = clock_mono_ms();
    if (go_on(r, v))
        r->cb(r->arg, &r->decision);
}

static bool is_own_sender(const struct policy_opts *o, const struct address *sender)
{
    return strcmp(o->own_senders[0], sender->canonical) == 0 ||
           strcmp(o->own_senders[1], sender->canonical) == 0;
}

/* Mail for postmaster and abuse comes in whoever sends it: they are told of mistakes there. */
static bool sender_wanted(const struct rcpt *r)
{
    return r->opts->sender_callout && r->mail_class == CLASS_INBOUND &&
           r->sender_kind == PATH_ADDRESS && !is_own_sender(r->opts, &r->sender_address) &&
           (r->address == NULL || !address_is_contact(r->address));
}

static void read_sender(struct rcpt *r)
{
    const struct policy_opts *o = r->opts;
    bool needed =
        o->exempt_senders != NULL || (o->sender_callout && r->mail_class == CLASS_INBOUND);

    r->sender_kind = PATH_BAD;
    if (needed && r->sender != NULL)
        r->sender_kind = r->read_sender(r->sender, &r->sender_address);
}

static bool has_exempt_sender(const struct rcpt *r)
{
    const struct exempt *e = r->opts->exempt_senders;

    return (r->sender_kind == PATH_NULL && exempt_has_address(e, NULL)) ||
           (r->sender_kind == PATH_ADDRESS && exempt_has_address(e, &r->sender_address));
}

static bool is_exempt(const struct rcpt *r)
{
    const struct policy_opts *o = r->opts;

    return exempt_has_client(o->exempt_clients, r->client.address) || has_exempt_sender(r) ||
           (r->address != NULL && exempt_has_address(o->exempt_recipients, r->address));
}

/* Also of a recipient without a valid syntax: it is the domain's whose users it cannot be. */
static void find_route(struct rcpt *r)
{
    const char *domain = r->key, *why;
    char text[ADDRESS_TEXT_SIZE];
    struct address any;

    if (r->address != NULL)
        domain = r->address->domain;
    else if (str_format(text, sizeof(text), "a@%s", r->domain) &&
             address_parse(text, strlen(text), &any, &why))
        (void)str_copy(r->key, sizeof(r->key), any.domain);
    else
        r->key[0] = '\0';
    r->route = route_find(r->opts->routes, domain);
}

/* True when the decision is there. */
static bool begin(struct rcpt *r)
{
    struct verdict v;

    if (is_exempt(r)) {
        verdict_init(&v, REASON_SKIPPED, SOURCE_OVERLAY);
        (void)decided(r, r->mail_class, &v);
        finish(r);
        return true;
    }
    r->braked = brake_holds(r->env->brake, &r->opts->brake, &r->client, r->now);
    if (!sender_wanted(r))
        return ask_recipient(r);
    return ask(r, CLASS_SENDER, &r->sender_address, on_sender, &v) && go_on(r, &v);
}

const struct decision *rcpt_decide(struct rcpt *r, const struct rcpt_env *env, struct loop *on,
                                   rcpt_cb cb, void *arg)
{
    r->env = env;
    r->opts = policy_get(env->policy);
    r->mail_class = mail_class_of(r->opts, &r->client);
    read_sender(r);
    find_route(r);
    r->now = clock_mono_ms();
    r->deadline = r->now + r->opts->wait_ms;
    r->on = on;
    r->cb = cb;
    r->arg = arg;
    return begin(r) ? &r->decision : NULL;
}
