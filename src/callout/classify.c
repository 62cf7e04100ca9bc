#include "callout/classify.h"

#include <stddef.h>

static enum verdict_reason read_failure(const struct outcome *o)
{
    switch (o->failure) {
    case SMTP_FAILURE_REFUSED:
    case SMTP_FAILURE_UNREACHABLE:
    case SMTP_FAILURE_CLOSED: /* however late: nobody has answered */
        return REASON_UNREACHABLE;
    case SMTP_FAILURE_TIMEOUT:
        return o->stage == SMTP_STAGE_CONNECT ? REASON_UNREACHABLE : REASON_TIMEOUT;
    case SMTP_FAILURE_TLS:
        return REASON_TLS_FAILED;
    case SMTP_FAILURE_SMTPUTF8:
        return REASON_SMTPUTF8_UNSUPPORTED;
    case SMTP_FAILURE_LOCAL:
        return REASON_LOCAL_FAULT;
    case SMTP_FAILURE_NONE:
    case SMTP_FAILURE_PROTOCOL:
        break;
    }
    return REASON_PROTOCOL_ERROR;
}

/* What no rule reads says nothing of the recipient. */
static enum verdict_reason read_code(enum smtp_stage stage, uint16_t code)
{
    if (code < 400)
        return REASON_PROTOCOL_ERROR;
    if (code < 500)
        return REASON_SERVER_ERROR;
    return stage == SMTP_STAGE_RCPT ? REASON_CANNOT_VERIFY : REASON_BLOCKED;
}

struct reading classify_outcome(const struct reply_rules *rules, const struct outcome *o,
                                const char *provider, const struct address *recipient)
{
    const struct reply_rule *rule = NULL;

    if (o->failure != SMTP_FAILURE_NONE)
        return (struct reading){read_failure(o), ""};
    if (rules != NULL)
        rule = reply_rules_find(rules, o->stage, &o->reply, provider, recipient);
    /* The set has refused such rules. Recipients are rejected by this, so it is asked again. */
    if (rule == NULL || !reply_may_tell(o->stage, o->reply.code, rule->reason))
        return (struct reading){read_code(o->stage, o->reply.code), ""};
    return (struct reading){rule->reason, rule->name};
}
