#include "policy/decision_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

struct line {
    char text[3072];
    size_t len;
};

/* Appends key=value, quoted where logfmt needs it; nothing for an empty value. */
static void add(struct line *l, const char *key, const char *value)
{
    char safe[768];
    bool quote;

    if (value == NULL || value[0] == '\0')
        return;
    str_readable(safe, sizeof(safe), value, strlen(value));
    for (char *p = safe; *p != '\0'; p++)
        if (*p == '"' || *p == '\\')
            *p = '\'';
    quote = strpbrk(safe, " =") != NULL;
    (void)str_format(l->text + l->len, sizeof(l->text) - l->len, " %s=%s%s%s", key,
                     quote ? "\"" : "", safe, quote ? "\"" : "");
    l->len += strlen(l->text + l->len);
}

static void add_format(struct line *l, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void add_format(struct line *l, const char *key, const char *fmt, ...)
{
    char value[768];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    add(l, key, value);
}

static void add_evidence(struct line *l, const struct evidence *ev)
{
    char ip[NETADDR_TEXT_MAX];

    if (ev->mx[0] == '\0' && ev->ip.family == AF_UNSPEC) {
        add(l, "detail", ev->text);
        return;
    }
    add(l, "stage", smtp_stage_name(ev->stage));
    if (ev->code != 0)
        add_format(l, "code", "%u", ev->code);
    else
        add(l, "failure", smtp_failure_name(ev->failure));
    if (ev->enhanced.cls != 0)
        add_format(l, "dsn", "%u.%u.%u", ev->enhanced.cls, ev->enhanced.subject,
                   ev->enhanced.detail);
    add(l, "mx", ev->mx);
    add(l, "ip", netaddr_format(&ev->ip, ip));
    add(l, "tls", ev->tls);
    add(l, "provider", ev->provider);
    add(l, "rule", ev->rule);
}

void decision_log(const struct asker *who, enum mail_class c, const struct verdict *v,
                  const struct decision *d)
{
    struct line l = {.len = 0};

    add(&l, "class", mail_class_name(c));
    add(&l, "action", action_name(d->action));
    if (d->would != d->action)
        add(&l, "would", action_name(d->would));
    add_format(&l, c == CLASS_SENDER ? "sender" : "rcpt", "<%s>", who->address);
    add(&l, "status", verdict_status_name(v->status));
    add(&l, "reason", verdict_reason_name(v->reason));
    add(&l, "source", verdict_source_name(v->source));
    if (v->has_evidence)
        add_evidence(&l, &v->evidence);
    add_format(&l, "ms", "%lld", (long long)v->ms);
    add(&l, "client", who->client);
    add(&l, "sasl", who->sasl);
    add(&l, "queue_id", who->queue_id);
    log_info("callout%s", l.text);
}
