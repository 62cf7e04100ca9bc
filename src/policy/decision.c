#include "policy/decision.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/*
 * For every reason: the default actions (outbound, inbound), how a tempfail and how a reject says
 * it (both, because any action can be configured for any reason), and the text. A sender's default
 * action is to reject what is invalid and to accept all else: mail is not held up by doubts about
 * where it comes from.
 */
#define RULES(X) \
    X(MAILBOX_EXISTS, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", \
      "recipient not accepted by local policy") \
    X(MAILBOX_FULL, ACCEPT, TEMPFAIL, 452, "4.2.2", 552, "5.2.2", "mailbox is full") \
    X(FORWARDED, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", \
      "recipient not accepted by local policy") \
    X(DELIVERED, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", \
      "recipient not accepted by local policy") \
    X(NO_MAILBOX, REJECT, REJECT, 450, "4.1.1", 550, "5.1.1", "mailbox does not exist") \
    X(MAILBOX_DISABLED, REJECT, REJECT, 450, "4.2.1", 550, "5.2.1", "mailbox is disabled") \
    X(MOVED, REJECT, REJECT, 450, "4.1.6", 550, "5.1.6", "mailbox has moved to another address") \
    X(BAD_SYNTAX, REJECT, REJECT, 450, "4.1.3", 553, "5.1.3", "address is not valid") \
    X(NO_DOMAIN, REJECT, REJECT, 450, "4.1.2", 550, "5.1.2", "domain does not exist for mail") \
    X(NULL_MX, REJECT, REJECT, 450, "4.1.10", 556, "5.1.10", "domain does not accept mail") \
    X(BOUNCED, REJECT, REJECT, 450, "4.1.1", 550, "5.1.1", "earlier mail to this mailbox bounced") \
    X(ACCEPTS_EVERYTHING, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", \
      "domain accepts any address: mailbox cannot be verified") \
    X(CANNOT_VERIFY, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", "mailbox cannot be verified") \
    X(PROVIDER_MASKS, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", "mailbox cannot be verified") \
    X(BLOCKED, ACCEPT, TEMPFAIL, 450, "4.7.0", 550, "5.7.0", \
      "mailbox cannot be verified: its mail server refuses to be asked") \
    X(SENDER_REFUSED, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", \
      "mailbox cannot be verified: its mail server refuses the sender") \
    X(SMTPUTF8_UNSUPPORTED, ACCEPT, ACCEPT, 450, "4.6.7", 550, "5.6.7", \
      "mail server of the domain does not support SMTPUTF8") \
    X(PRIVATE_DESTINATION, ACCEPT, ACCEPT, 450, "4.4.4", 550, "5.4.4", \
      "mail server of the domain has no public address") \
    X(SKIPPED, ACCEPT, ACCEPT, 450, "4.7.1", 550, "5.7.1", "mailbox was not verified") \
    X(PROTOCOL_ERROR, ACCEPT, ACCEPT, 450, "4.5.0", 550, "5.5.0", \
      "mailbox cannot be verified: its mail server does not speak SMTP as it should") \
    X(OVERLOAD, ACCEPT, TEMPFAIL, 450, "4.3.2", 550, "5.3.2", \
      "too many recipients are being verified, try again later") \
    X(GREYLISTED, ACCEPT, TEMPFAIL, 450, "4.7.1", 550, "5.7.1", \
      "mailbox cannot be verified yet: greylisted, try again later") \
    X(RATE_LIMITED, ACCEPT, TEMPFAIL, 450, "4.2.0", 550, "5.2.0", \
      "mailbox cannot be verified yet: rate limited, try again later") \
    X(PENDING, ACCEPT, TEMPFAIL, 450, "4.4.1", 550, "5.4.1", \
      "mailbox is being verified, try again later") \
    X(SERVER_ERROR, ACCEPT, TEMPFAIL, 450, "4.2.0", 550, "5.2.0", \
      "mailbox cannot be verified now: temporary error of its mail server") \
    X(UNREACHABLE, ACCEPT, TEMPFAIL, 450, "4.4.1", 550, "5.4.1", \
      "no mail server of the domain answers") \
    X(TIMEOUT, ACCEPT, TEMPFAIL, 450, "4.4.2", 550, "5.4.2", \
      "mail server of the domain does not answer in time") \
    X(DNS_ERROR, ACCEPT, TEMPFAIL, 450, "4.4.3", 550, "5.4.3", \
      "domain cannot be looked up in the DNS now") \
    X(TLS_FAILED, ACCEPT, TEMPFAIL, 450, "4.2.0", 550, "5.2.0", \
      "no secure connection to the mail server of the domain") \
    X(LOCAL_FAULT, ACCEPT, TEMPFAIL, 450, "4.2.0", 550, "5.2.0", \
      "mailbox cannot be verified now: local error")

struct answer {
    uint16_t code;
    const char *enhanced;
};

static const struct rule {
    enum action actions[MAIL_CLASS_COUNT];
    struct answer tempfail, reject;
    const char *text;
} rules[VERDICT_REASON_COUNT] = {
#define X(id, out, in, temp_code, temp_enhanced, code, enhanced, text) \
    [REASON_##id] = {{[CLASS_OUTBOUND] = ACTION_##out, [CLASS_INBOUND] = ACTION_##in}, \
                     {temp_code, temp_enhanced}, \
                     {code, enhanced}, \
                     text},
    RULES(X)
#undef X
};

static const char *const class_names[] = {
#define X(id, name) [CLASS_##id] = name,
    MAIL_CLASSES(X)
#undef X
};

static const char *const action_names[] = {
#define X(id, name) [ACTION_##id] = name,
    ACTIONS(X)
#undef X
};

const char *mail_class_name(enum mail_class c)
{
    return (size_t)c < COUNT_OF(class_names) ? class_names[c] : "?";
}

const char *action_name(enum action a)
{
    return (size_t)a < COUNT_OF(action_names) ? action_names[a] : "?";
}

bool action_parse(const char *name, enum action *out)
{
    for (size_t i = 0; i < COUNT_OF(action_names); i++) {
        if (strcmp(name, action_names[i]) == 0) {
            *out = (enum action)i;
            return true;
        }
    }
    return false;
}

static enum action sender_default(enum verdict_reason r)
{
    return verdict_reason_status(r) == STATUS_INVALID ? ACTION_REJECT : ACTION_ACCEPT;
}

void decision_defaults(struct decision_opts *opts)
{
    memset(opts, 0, sizeof(*opts));
    for (int r = 0; r < VERDICT_REASON_COUNT; r++) {
        opts->actions[CLASS_OUTBOUND][r] = rules[r].actions[CLASS_OUTBOUND];
        opts->actions[CLASS_INBOUND][r] = rules[r].actions[CLASS_INBOUND];
        opts->actions[CLASS_SENDER][r] = sender_default((enum verdict_reason)r);
    }
}

void decision_set_status(struct decision_opts *opts, enum mail_class c, enum verdict_status s,
                         enum action a)
{
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        if (verdict_reason_status((enum verdict_reason)r) == s)
            opts->actions[c][r] = a;
}

/* What no line of the configuration changes. */
static enum action reason_action(const struct decision_opts *opts, enum mail_class c,
                                 enum verdict_reason r)
{
    return r == REASON_SKIPPED ? ACTION_ACCEPT : opts->actions[c][r];
}

/*
 * Whether a route's servers did not come to an answer about the recipient: away, in trouble, or not
 * willing to be asked by us. A 4yz at RCPT is an answer. (Where only the store remembers an
 * attempt, there is no evidence: SMTP_STAGE_CONNECT.)
 */
static bool is_outage(enum verdict_reason reason, enum smtp_stage stage)
{
    switch (reason) {
    case REASON_PENDING:
    case REASON_UNREACHABLE:
    case REASON_TIMEOUT:
    case REASON_DNS_ERROR:
    case REASON_TLS_FAILED:
    case REASON_LOCAL_FAULT:
    case REASON_PROTOCOL_ERROR:
        return true;
    case REASON_SERVER_ERROR:
    case REASON_RATE_LIMITED:
    case REASON_BLOCKED:
    case REASON_SENDER_REFUSED:
        return stage < SMTP_STAGE_RCPT;
    default:
        return false;
    }
}

/* The reasons of an outage, where a route's is answered with a tempfail. */
static uint64_t tempfailed_outages(const struct route *route)
{
    uint64_t set = 0;

    if (route == NULL || route->outage != ROUTE_OUTAGE_TEMPFAIL)
        return 0;
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        if (is_outage((enum verdict_reason)r, SMTP_STAGE_CONNECT))
            set |= UINT64_C(1) << r;
    return set;
}

uint64_t decision_accepting(const struct decision_opts *opts, enum mail_class c,
                            const struct route *route)
{
    uint64_t set = 0;

    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        set |= (uint64_t)(opts->actions[c][r] == ACTION_ACCEPT) << r;
    set |= UINT64_C(1) << REASON_SKIPPED; /* as in reason_action() */
    return set & ~tempfailed_outages(route);
}

static enum action choose(const struct decision_opts *opts, const struct decision_about *about,
                          const struct verdict *v)
{
    enum action a = reason_action(opts, about->mail_class, v->reason);

    if (v->reason == REASON_SKIPPED)
        return a;
    if (about->route != NULL && is_outage(v->reason, v->evidence.stage)) {
        if (about->route->outage == ROUTE_OUTAGE_ACCEPT)
            a = ACTION_ACCEPT;
        else if (about->route->outage == ROUTE_OUTAGE_TEMPFAIL)
            a = ACTION_TEMPFAIL;
    }
    for (int f = 0; f < ADDRESS_FLAG_COUNT && about->address != NULL; f++) {
        enum action flagged = opts->flag_actions[about->mail_class][f];

        if (flagged > a && (address_flags(about->address) & (1U << f)) != 0)
            a = flagged;
    }
    return a;
}

/* RFC 3463: X.1.7 and X.1.8, the sender's mailbox and system; RFC 7505 section 4.2: 5.7.27. */
static const char *sender_enhanced(enum verdict_reason reason, bool reject)
{
    if (reason == REASON_NULL_MX)
        return reject ? "5.7.27" : "4.7.27";
    if (reason == REASON_NO_DOMAIN)
        return reject ? "5.1.8" : "4.1.8";
    return reject ? "5.1.7" : "4.1.7";
}

/* What the server said; of a route's servers nothing, for they may name themselves. */
static void expand(const struct decision_about *about, const struct verdict *v, const char *text,
                   char *out, size_t size)
{
    const struct address *a = about->address;
    const char *values[TEMPLATE_VARIABLE_COUNT] = {
        [TEMPLATE_STATUS] = verdict_status_name(v->status),
        [TEMPLATE_REASON] = verdict_reason_name(v->reason),
        [TEMPLATE_RECIPIENT] = about->text,
    };
    char recipient[ADDRESS_TEXT_SIZE];

    if (a != NULL) {
        address_format(a, recipient);
        values[TEMPLATE_RECIPIENT] = recipient;
        values[TEMPLATE_DOMAIN] = a->domain;
    }
    if (v->has_evidence && about->route == NULL) {
        values[TEMPLATE_REMOTE_REPLY] = v->evidence.code != 0 ? v->evidence.text : NULL;
        values[TEMPLATE_MX] = v->evidence.mx;
    }
    template_expand(text, values, out, size);
}

static void write_reply(const struct decision_opts *opts, const struct decision_about *about,
                        const struct verdict *v, struct decision *out)
{
    const struct rule *rule = &rules[v->reason];
    bool reject = out->action == ACTION_REJECT;
    const struct answer *answer = reject ? &rule->reject : &rule->tempfail;
    const char *configured = opts->reply[v->reason];
    char text[TEMPLATE_MAX + 1];

    out->code = answer->code;
    (void)str_copy(out->enhanced, sizeof(out->enhanced), answer->enhanced);
    expand(about, v, configured[0] != '\0' ? configured : rule->text, text, sizeof(text));
    if (text[strspn(text, " ")] == '\0') /* of variables that are not known */
        (void)str_copy(text, sizeof(text), rule->text);
    if (about->mail_class == CLASS_SENDER) {
        out->code = reject ? 550 : 450;
        (void)str_copy(out->enhanced, sizeof(out->enhanced), sender_enhanced(v->reason, reject));
    }
    (void)str_format(out->text, sizeof(out->text), "%s%s",
                     about->mail_class == CLASS_SENDER ? "sender address: " : "", text);
}

void decision_make(const struct decision_opts *opts, const struct decision_about *about,
                   const struct verdict *v, struct decision *out)
{
    out->code = 0;
    out->enhanced[0] = out->text[0] = '\0';
    out->would = choose(opts, about, v);
    out->action =
        about->unrefusable || opts->monitor[about->mail_class] ? ACTION_ACCEPT : out->would;
    if (out->action != ACTION_ACCEPT)
        write_reply(opts, about, v, out);
}
