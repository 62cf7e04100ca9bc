#include "policy/decision_log.h"

#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

#define VALUE_SIZE 768 /* of one value, with a NUL; what is longer is cut */

struct line {
    char text[3072];
    size_t len; /* always less than that; the NUL comes last */
};

static void put_octets(struct line *l, const char *text, size_t len)
{
    size_t room = sizeof(l->text) - 1 - l->len;

    len = len < room ? len : room;
    memcpy(l->text + l->len, text, len);
    l->len += len;
}

static void put(struct line *l, const char *text)
{
    put_octets(l, text, strlen(text));
}

static void put_number(struct line *l, uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    put_octets(l, digits + at, sizeof(digits) - at);
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

/* What needs no quotes and no other character in its place: all that is printed but = " and \ */
static const bool bare[UCHAR_MAX + 1] = {
    ['!'] = true,
    ['#' ... '<'] = true,
    ['>' ... '['] = true,
    [']' ... '~'] = true,
};

/* A value that logfmt has as it is, as nearly all are. False for another, and nothing was put. */
static bool put_bare(struct line *l, const char *text)
{
    size_t room = sizeof(l->text) - l->len, n = 0;
    char *at = l->text + l->len;

    if (room > VALUE_SIZE)
        room = VALUE_SIZE;
    for (; n < room && bare[(unsigned char)text[n]]; n++)
        at[n] = text[n];
    if (n == room || text[n] != '\0')
        return false;
    l->len += n;
    return true;
}

/* A key as it stands in a line, and its length. */
#define KEY(name) " " name "=", sizeof(" " name "=") - 1

/* One of our own names, which needs no quotes; nothing for an empty one. */
static void add_name(struct line *l, const char *key, size_t key_len, const char *name)
{
    if (name[0] == '\0')
        return;
    put_octets(l, key, key_len);
    put(l, name);
}

static void add_number(struct line *l, const char *key, size_t key_len, uint64_t n)
{
    put_octets(l, key, key_len);
    put_number(l, n);
}

static void put_quoted(struct line *l, const char *before, const char *text, const char *behind)
{
    const char *quote = strpbrk(text, " =\t\r\n") != NULL ? "\"" : "";

    put(l, quote);
    put(l, before);
    put_readable(l, text);
    put(l, behind);
    put(l, quote);
}

/* What others said; quoted where logfmt needs it. Nothing for an empty text. */
static void add(struct line *l, const char *key, size_t key_len, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    put_octets(l, key, key_len);
    if (!put_bare(l, text))
        put_quoted(l, "", text, "");
}

static void add_address(struct line *l, const char *key, size_t key_len, const char *text)
{
    size_t began;

    put_octets(l, key, key_len);
    began = l->len;
    put_octets(l, "<", 1);
    if (put_bare(l, text)) {
        put_octets(l, ">", 1);
        return;
    }
    l->len = began;
    put_quoted(l, "<", text, ">");
}

static void add_enhanced(struct line *l, const struct enhanced_code *e)
{
    if (e->cls == 0)
        return;
    add_number(l, KEY("dsn"), e->cls);
    put_octets(l, ".", 1);
    put_number(l, e->subject);
    put_octets(l, ".", 1);
    put_number(l, e->detail);
}

static void add_evidence(struct line *l, const struct evidence *ev)
{
    char ip[NETADDR_TEXT_MAX];

    if (ev->mx[0] == '\0' && ev->ip.family == AF_UNSPEC) {
        add(l, KEY("detail"), ev->text);
        return;
    }
    add_name(l, KEY("stage"), smtp_stage_name(ev->stage));
    if (ev->code != 0)
        add_number(l, KEY("code"), ev->code);
    else
        add_name(l, KEY("failure"), smtp_failure_name(ev->failure));
    add_enhanced(l, &ev->enhanced);
    add(l, KEY("mx"), ev->mx);
    add_name(l, KEY("ip"), netaddr_format(&ev->ip, ip));
    add(l, KEY("tls"), ev->tls);
    add(l, KEY("provider"), ev->provider);
    add(l, KEY("rule"), ev->rule);
}

static void add_asked(struct line *l, enum mail_class c, const char *address)
{
    if (c == CLASS_SENDER)
        add_address(l, KEY("sender"), address);
    else
        add_address(l, KEY("rcpt"), address);
}

void decision_log(const struct asker *who, enum mail_class c, const struct verdict *v,
                  const struct decision *d)
{
    struct line l;

    l.len = 0; /* and no more: the text is written as it grows */
    put(&l, "callout");
    add_name(&l, KEY("class"), mail_class_name(c));
    add_name(&l, KEY("action"), action_name(d->action));
    if (d->would != d->action)
        add_name(&l, KEY("would"), action_name(d->would));
    add_asked(&l, c, who->address);
    add_name(&l, KEY("status"), verdict_status_name(v->status));
    add_name(&l, KEY("reason"), verdict_reason_name(v->reason));
    add_name(&l, KEY("source"), verdict_source_name(v->source));
    if (v->has_evidence)
        add_evidence(&l, &v->evidence);
    add_number(&l, KEY("ms"), (uint64_t)v->ms);
    add(&l, KEY("client"), who->client);
    add(&l, KEY("sasl"), who->sasl);
    add(&l, KEY("queue_id"), who->queue_id);
    l.text[l.len] = '\0';
    log_line(LOG_LEVEL_INFO, l.text);
}
