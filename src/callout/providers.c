#include "callout/providers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/str.h"
#include "smtp/address.h"

#define HOST_SIZE (ADDRESS_DOMAIN_MAX + 3) /* "*." before it */

struct entry {
    struct provider provider; /* the first member: providers_add() hands it out */
    UT_hash_handle hh;
};

struct host {
    const struct provider *provider;
    UT_hash_handle hh;
    char name[]; /* lower case; "*.example.com" */
};

struct greeting {
    const struct provider *provider;
    struct pattern *pattern;
};

struct providers {
    atomic_uint references;
    struct entry *entries; /* by provider.name, in the order given */
    struct host *hosts;    /* by name */
    struct greeting *greetings;
    size_t greeting_count, greeting_room;
};

struct providers *providers_new(void)
{
    struct providers *p = calloc(1, sizeof(*p));

    if (p != NULL)
        atomic_init(&p->references, 1);
    return p;
}

struct providers *providers_ref(struct providers *p)
{
    if (p != NULL)
        atomic_fetch_add(&p->references, 1);
    return p;
}

static void free_entries(struct providers *p)
{
    struct entry *e = p->entries, *next;

    HASH_CLEAR(hh, p->entries);
    for (; e != NULL; e = next) {
        next = e->hh.next;
        free(e);
    }
}

static void free_hosts(struct providers *p)
{
    struct host *h = p->hosts, *next;

    HASH_CLEAR(hh, p->hosts);
    for (; h != NULL; h = next) {
        next = h->hh.next;
        free(h);
    }
}

void providers_unref(struct providers **pp)
{
    struct providers *p = *pp;

    *pp = NULL;
    if (p == NULL || atomic_fetch_sub(&p->references, 1) > 1)
        return;
    free_hosts(p);
    free_entries(p);
    for (size_t i = 0; i < p->greeting_count; i++)
        pattern_free(&p->greetings[i].pattern);
    free(p->greetings);
    free(p);
}

static struct entry *find_entry(const struct providers *p, const char *name)
{
    struct entry *e;

    HASH_FIND_STR(p->entries, name, e);
    return e;
}

static bool check_new(const struct providers *p, const char *name, struct error *err)
{
    size_t len = strnlen(name, VERDICT_PROVIDER_SIZE);

    if (len == 0 || len == VERDICT_PROVIDER_SIZE ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        error_set(err, "its name is none: a-z, 0-9 and -, %d at most", VERDICT_PROVIDER_SIZE - 1);
    else if (find_entry(p, name) != NULL)
        error_set(err, "there is one of that name before it");
    else if (HASH_COUNT(p->entries) == PROVIDERS_MAX)
        error_set(err, "is one too many (%d at most)", PROVIDERS_MAX);
    else
        return true;
    return false;
}

struct provider *providers_add(struct providers *p, const struct provider *one, struct error *err)
{
    struct entry *e;

    if (!check_new(p, one->name, err))
        return NULL;
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        error_set(err, "out of memory");
        return NULL;
    }
    e->provider = *one;
    HASH_ADD_STR(p->entries, provider.name, e);
    return &e->provider;
}

/* As the table has it: lower case, A-labels. */
static bool read_host(const char *text, char out[HOST_SIZE])
{
    size_t skip = strncmp(text, "*.", 2) == 0 ? 2 : 0;
    char name[ADDRESS_DOMAIN_MAX + 1];

    return address_host_parse(text + skip, strlen(text + skip), name) &&
           str_format(out, HOST_SIZE, "%.*s%s", (int)skip, text, name);
}

static const struct provider *find_host(const struct providers *p, const char *name)
{
    const struct host *h;

    HASH_FIND_STR(p->hosts, name, h);
    return h != NULL ? h->provider : NULL;
}

bool providers_add_host(struct providers *p, struct provider *one, const char *host,
                        struct error *err)
{
    char name[HOST_SIZE];
    const struct provider *other;
    struct host *h;
    size_t size;

    if (!read_host(host, name)) {
        error_set(err, "is no host name: mx.example.com, or *.example.com for all below it");
        return false;
    }
    other = find_host(p, name);
    if (other != NULL) {
        error_set(err, "is given twice, first for provider %s", other->name);
        return false;
    }
    size = strlen(name) + 1;
    h = calloc(1, sizeof(*h) + size);
    if (h == NULL) {
        error_set(err, "out of memory");
        return false;
    }
    memcpy(h->name, name, size);
    h->provider = one;
    HASH_ADD_STR(p->hosts, name, h);
    return true;
}

bool providers_add_greeting(struct providers *p, struct provider *one, struct pattern *pattern,
                            struct error *err)
{
    size_t room = p->greeting_room > 0 ? 2 * p->greeting_room : 16;
    struct greeting *grown = p->greetings;

    if (p->greeting_count == p->greeting_room) {
        grown = realloc(p->greetings, room * sizeof(*grown));
        if (grown == NULL) {
            error_set(err, "out of memory");
            pattern_free(&pattern);
            return false;
        }
        p->greetings = grown;
        p->greeting_room = room;
    }
    grown[p->greeting_count++] = (struct greeting){one, pattern};
    return true;
}

const struct provider *providers_find(const struct providers *p, const char *name)
{
    const struct entry *e = p != NULL ? find_entry(p, name) : NULL;

    return e != NULL ? &e->provider : NULL;
}

const struct provider *providers_of_host(const struct providers *p, const char *host)
{
    char text[HOST_SIZE + 1]; /* its ends become "*.parent" */
    char *name = text + 1;
    const struct provider *found;

    if (p == NULL || !str_copy(name, HOST_SIZE, host))
        return NULL;
    str_lower(name);
    found = name[0] != '*' ? find_host(p, name) : NULL;
    for (char *dot = strchr(name, '.'); found == NULL && dot != NULL; dot = strchr(dot + 1, '.')) {
        dot[-1] = '*';
        found = find_host(p, dot - 1);
    }
    return found;
}

const struct provider *providers_of_greeting(const struct providers *p, const char *greeting)
{
    size_t len = strlen(greeting);
    struct pattern_room *room;
    size_t i = 0;

    if (p == NULL || p->greeting_count == 0)
        return NULL;
    room = pattern_room_new();
    while (i < p->greeting_count &&
           !pattern_matches_in(room, p->greetings[i].pattern, greeting, len))
        i++;
    pattern_room_free(&room);
    return i < p->greeting_count ? p->greetings[i].provider : NULL;
}

bool provider_has(const struct provider *p, enum provider_quirk quirk)
{
    return p != NULL && (p->quirks & 1U << quirk) != 0;
}
