#include "callout/route.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/str.h"

struct entry {
    struct route route;
    UT_hash_handle hh;
};

struct route_table {
    atomic_uint references;
    struct entry *entries; /* by route.domain */
};

struct route_table *route_table_new(void)
{
    struct route_table *t = calloc(1, sizeof(*t));

    if (t != NULL)
        atomic_init(&t->references, 1);
    return t;
}

struct route_table *route_table_ref(struct route_table *t)
{
    if (t != NULL)
        atomic_fetch_add(&t->references, 1);
    return t;
}

void route_table_unref(struct route_table **tp)
{
    struct route_table *t = *tp;
    struct entry *e, *next;

    *tp = NULL;
    if (t == NULL || atomic_fetch_sub(&t->references, 1) > 1)
        return;
    e = t->entries;
    HASH_CLEAR(hh, t->entries);
    for (; e != NULL; e = next) {
        next = e->hh.next;
        free(e->route.targets);
        free(e);
    }
    free(t);
}

static const struct route *find(const struct route_table *t, const char *domain)
{
    struct entry *e;

    HASH_FIND_STR(t->entries, domain, e);
    return e != NULL ? &e->route : NULL;
}

struct route *route_table_add(struct route_table *t, const char *domain)
{
    struct entry *e = find(t, domain) == NULL ? calloc(1, sizeof(*e)) : NULL;

    if (e == NULL)
        return NULL;
    (void)str_copy(e->route.domain, sizeof(e->route.domain), domain);
    HASH_ADD_STR(t->entries, route.domain, e);
    return &e->route;
}

bool route_add_target(struct route *r, const struct route_target *target, struct error *err)
{
    struct route_target *grown = NULL;

    if (r->target_count == ROUTE_TARGETS_MAX) {
        error_set(err, "is one too many (%d at most)", ROUTE_TARGETS_MAX);
        return false;
    }
    grown = realloc(r->targets, (r->target_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        error_set(err, "out of memory");
        return false;
    }
    r->targets = grown;
    r->targets[r->target_count++] = *target;
    return true;
}

const struct route *route_find(const struct route_table *t, const char *domain)
{
    char text[sizeof(((struct route *)0)->domain)]; /* its ends become "*.parent" */
    const struct route *r;

    if (t == NULL || t->entries == NULL || !str_copy(text + 1, sizeof(text) - 1, domain))
        return NULL;
    r = find(t, domain);
    for (char *dot = strchr(text + 1, '.'); r == NULL && dot != NULL; dot = strchr(dot + 1, '.')) {
        dot[-1] = '*';
        r = find(t, dot - 1);
    }
    return r;
}

/* ":PORT", or nothing. */
static bool parse_port(const char *text, uint16_t *port)
{
    *port = 0;
    return *text == '\0' || (*text == ':' && netaddr_parse_port(text + 1, strlen(text + 1), port));
}

static bool parse_bracketed(const char *text, struct route_target *out)
{
    const char *end = strchr(text, ']');
    char ip[NETADDR_TEXT_MAX];
    size_t len;

    if (end == NULL || !parse_port(end + 1, &out->port))
        return false;
    len = (size_t)(end - text - 1);
    if (str_copyn(ip, sizeof(ip), text + 1, len) && netaddr_parse(ip, &out->ip)) {
        out->kind = ROUTE_TARGET_IP;
        return str_copyn(out->name, sizeof(out->name), text, len + 2);
    }
    out->kind = ROUTE_TARGET_HOST;
    return address_host_parse(text + 1, len, out->name);
}

static bool parse_plain(const char *text, struct route_target *out)
{
    size_t len = strcspn(text, ":");

    out->kind = ROUTE_TARGET_MX;
    return address_host_parse(text, len, out->name) && parse_port(text + len, &out->port);
}

bool route_target_parse(const char *text, struct route_target *out, struct error *err)
{
    static const char unix_prefix[] = "unix:";
    size_t skip = sizeof(unix_prefix) - 1;
    bool ok;

    memset(out, 0, sizeof(*out));
    if (strncmp(text, unix_prefix, skip) == 0) {
        out->kind = ROUTE_TARGET_UNIX;
        ok = text[skip] == '/' && str_copy(out->path, sizeof(out->path), text + skip) &&
             str_copy(out->name, sizeof(out->name), text);
    } else if (text[0] == '[') {
        ok = parse_bracketed(text, out);
    } else {
        ok = parse_plain(text, out);
    }
    if (!ok)
        error_set(err, "is no server: [ADDRESS]:PORT, [HOST]:PORT, NAME:PORT (its MX) or "
                       "unix:/PATH");
    return ok;
}
