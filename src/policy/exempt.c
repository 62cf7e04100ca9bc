#include "policy/exempt.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/netaddr.h"
#include "base/str.h"

#define NULL_SENDER "<>"

/* A pattern in the form it is looked up in: "canonical@domain", "@domain", ".domain" or "<>". */
struct pattern {
    UT_hash_handle hh;
    char text[];
};

struct exempt {
    struct pattern *patterns;
    struct cidr *networks;
    size_t network_count;
};

static const struct pattern *find(const struct exempt *e, const char *text)
{
    struct pattern *p;

    HASH_FIND_STR(e->patterns, text, p);
    return p;
}

static bool add_pattern(struct exempt *e, const char *text)
{
    size_t len = strlen(text);
    struct pattern *p;

    if (find(e, text) != NULL)
        return true;
    p = calloc(1, sizeof(*p) + len + 1);
    if (p == NULL)
        return false;
    memcpy(p->text, text, len);
    HASH_ADD_KEYPTR(hh, e->patterns, p->text, len, p);
    return true;
}

/* In powers of two. */
static bool add_network(struct exempt *e, const struct cidr *net)
{
    size_t n = e->network_count;

    if ((n & (n - 1)) == 0) {
        struct cidr *grown = realloc(e->networks, (n == 0 ? 1 : 2 * n) * sizeof(*grown));

        if (grown == NULL)
            return false;
        e->networks = grown;
    }
    e->networks[e->network_count++] = *net;
    return true;
}

static bool read_client(struct exempt *e, const char *text, struct error *err)
{
    struct cidr net;
    bool known = cidr_parse(text, &net);

    if (!known)
        error_set(err, "\"%s\" is no address and no network (the bits behind the prefix must be 0)",
                  text);
    else if (add_network(e, &net))
        return true;
    else
        error_set(err, "out of memory");
    return false;
}

/* The domain of "@domain" and ".domain", as addresses have it. */
static bool read_domain(struct exempt *e, const char *text, struct error *err)
{
    char mail[ADDRESS_TEXT_SIZE], pattern[ADDRESS_DOMAIN_MAX + 2];
    struct address a;
    const char *why = "too long";

    if (!str_format(mail, sizeof(mail), "a@%s", text + 1) ||
        !address_parse(mail, strlen(mail), &a, &why)) {
        error_set(err, "\"%s\" is no domain: %s", text, why);
        return false;
    }
    (void)str_format(pattern, sizeof(pattern), "%c%s", text[0], a.domain);
    if (add_pattern(e, pattern))
        return true;
    error_set(err, "out of memory");
    return false;
}

static bool read_address(struct exempt *e, const char *text, struct error *err)
{
    struct address a;
    const char *why;

    if (text[0] == '@' || text[0] == '.')
        return read_domain(e, text, err);
    if (strcmp(text, NULL_SENDER) != 0 && !address_parse(text, strlen(text), &a, &why)) {
        error_set(err, "\"%s\" is no address, \"@domain\" or \".domain\": %s", text, why);
        return false;
    }
    if (add_pattern(e, text[0] == '<' ? text : a.canonical))
        return true;
    error_set(err, "out of memory");
    return false;
}

/* Up to its comment. In a quoted local part "#" is a character like others. */
static size_t content_length(const char *line, size_t len)
{
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (quoted && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            quoted = !quoted;
        else if (line[i] == '#' && !quoted)
            return i;
    }
    return len;
}

static bool is_space(char c)
{
    return c != '\0' && strchr(" \t\r\f\v", c) != NULL;
}

/* One line without its end. */
static bool read_line(struct exempt *e, enum exempt_kind kind, const char *line, size_t len,
                      struct error *err)
{
    char text[ADDRESS_TEXT_SIZE + 2];

    len = content_length(line, len);
    while (len > 0 && is_space(line[len - 1]))
        len--;
    while (len > 0 && is_space(line[0])) {
        line++;
        len--;
    }
    if (len == 0)
        return true;
    if (memchr(line, '\0', len) != NULL || !str_copyn(text, sizeof(text), line, len)) {
        error_set(err, "is no pattern: too long, or with a NUL octet");
        return false;
    }
    return kind == EXEMPT_CLIENTS ? read_client(e, text, err) : read_address(e, text, err);
}

struct exempt *exempt_parse(enum exempt_kind kind, const char *text, size_t len, unsigned *line,
                            struct error *err)
{
    struct exempt *e = calloc(1, sizeof(*e));
    bool ok = e != NULL;

    *line = 0;
    if (e == NULL)
        error_set(err, "out of memory");
    while (ok && len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t used = end != NULL ? (size_t)(end - text) : len;

        ++*line;
        ok = read_line(e, kind, text, used, err);
        used += end != NULL;
        text += used;
        len -= used;
    }
    if (!ok)
        exempt_free(&e);
    return e;
}

void exempt_free(struct exempt **ep)
{
    struct exempt *e = *ep;
    struct pattern *p, *next;

    if (e == NULL)
        return;
    p = e->patterns;
    HASH_CLEAR(hh, e->patterns);
    for (; p != NULL; p = next) {
        next = p->hh.next;
        free(p);
    }
    free(e->networks);
    free(e);
    *ep = NULL;
}

bool exempt_has_address(const struct exempt *e, const struct address *a)
{
    char pattern[ADDRESS_DOMAIN_MAX + 2];

    if (e == NULL)
        return false;
    if (a == NULL)
        return find(e, NULL_SENDER) != NULL;
    (void)str_format(pattern, sizeof(pattern), "@%s", a->domain);
    if (find(e, a->canonical) != NULL || find(e, pattern) != NULL)
        return true;
    for (const char *dot = strchr(a->domain, '.'); dot != NULL; dot = strchr(dot + 1, '.'))
        if (find(e, dot) != NULL)
            return true;
    return false;
}

bool exempt_has_client(const struct exempt *e, const char *text)
{
    struct netaddr ip;

    if (e == NULL || text == NULL || !netaddr_parse(text, &ip))
        return false;
    for (size_t i = 0; i < e->network_count; i++)
        if (cidr_contains(&e->networks[i], &ip))
            return true;
    return false;
}
