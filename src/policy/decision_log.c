#include "policy/decision_log.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"

#define VALUE_SIZE 768 /* of one value, with a NUL; what is longer is cut */

struct line {
    char text[3072];
    size_t len; /* always less than that */
};

static void put_octets(struct line *l, const char *text, size_t len)
{
    size_t room = sizeof(l->text) - 1 - l->len;

    len = len < room ? len : room;
    memcpy(l->text + l->len, text, len);
    l->len += len;
    l->text[l->len] = '\0';
}

static inline void put(struct line *l, const char *text)
{
    put_octets(l, text, strlen(text));
}

static void put_key(struct line *l, const char *key)
{
    put(l, " ");
    put(l, key);
    put(l, "=");
}

static void put_number(struct line *l, uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    put(l, digits + at);
}

/* One of our own names, which needs no quotes; nothing for an empty one. */
static void add_name(struct line *l, const char *key, const char *name)
{
    if (name[0] == '\0')
        return;
    put_key(l, key);
    put(l, name);
}

static void add_number(struct line *l, const char *key, uint64_t n)
{
    put_key(l, key);
    put_number(l, n);
}

static void put_readable(struct line *l, const char *text)
{
    size_t room = sizeof(l->text) - l->len;
    char *at = l->text + l->len;

    str_readable(at, room < VALUE_SIZE ? room : VALUE_SIZE, text, strlen(text));
    l->len += strlen(at);
    while ((at = strpbrk(at, "\"\\")) != NULL)
        *at = '\'';
}

/* What others said, between `before` and `behind`; quoted where logfmt needs it. */
static void add_between(struct line *l, const char *key, const char *before, const char *text,
                        const char *behind)
{
    const char *quote = strpbrk(text, " =\t\r\n") != NULL ? "\"" : "";

    put_key(l, key);
    put(l, quote);
    put(l, before);
    put_readable(l, text);
    put(l, behind);
    put(l, quote);
}

/* Nothing for an empty text. */
static void add(struct line *l, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0')
        add_between(l, key, "", text, "");
}

static void add_enhanced(struct line *l, const struct enhanced_code *e)
{
    if (e->cls == 0)
        return;
    add_number(l, "dsn", e->cls);
    put(l, ".");
    put_number(l, e->subject);
    put(l, ".");
    put_number(l, e->detail);
}

static void add_evidence(struct line *l, const struct evidence *ev)
{
    char ip[NETADDR_TEXT_MAX];

    if (ev->mx[0] == '\0' && ev->ip.family == AF_UNSPEC) {
        add(l, "detail", ev->text);
        return;
    }
    add_name(l, "stage", smtp_stage_name(ev->stage));
    if (ev->code != 0)
        add_number(l, "code", ev->code);
    else
        add_name(l, "failure", smtp_failure_name(ev->failure));
    add_enhanced(l, &ev->enhanced);
    add(l, "mx", ev->mx);
    add_name(l, "ip", netaddr_format(&ev->ip, ip));
    add(l, "tls", ev->tls);
    add(l, "provider", ev->provider);
    add(l, "rule", ev->rule);
}

void decision_log(const struct asker *who, enum mail_class c, const struct verdict *v,
                  const struct decision *d)
{
    struct line l;

    l.len = 0; /* and no more: the text is written as it grows */
    put(&l, "callout");
    add_name(&l, "class", mail_class_name(c));
    add_name(&l, "action", action_name(d->action));
    if (d->would != d->action)
        add_name(&l, "would", action_name(d->would));
    add_between(&l, c == CLASS_SENDER ? "sender" : "rcpt", "<", who->address, ">");
    add_name(&l, "status", verdict_status_name(v->status));
    add_name(&l, "reason", verdict_reason_name(v->reason));
    add_name(&l, "source", verdict_source_name(v->source));
    if (v->has_evidence)
        add_evidence(&l, &v->evidence);
    add_number(&l, "ms", (uint64_t)v->ms);
    add(&l, "client", who->client);
    add(&l, "sasl", who->sasl);
    add(&l, "queue_id", who->queue_id);
    log_line(LOG_LEVEL_INFO, l.text);
}
