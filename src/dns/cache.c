#include "dns/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

struct entry {
    struct dns_answer *answer;
    int64_t expires_ms;
    struct entry *prev, *next; /* in the order of their use, the oldest first */
    UT_hash_handle hh;
    size_t key_len;
    char key[];
};

struct dns_cache {
    struct entry *table;
    struct entry *oldest;
    size_t bytes, bytes_max, entries_max;
};

void dns_key_make(struct dns_key *key, const char *name, enum dns_type type)
{
    size_t len = strnlen(name, DNS_NAME_SIZE - 1);

    key->bytes[0] = (char)('0' + (int)type);
    memcpy(key->bytes + 1, name, len);
    key->len = len + 1;
}

struct dns_cache *dns_cache_new(size_t entries_max, size_t bytes_max)
{
    struct dns_cache *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->entries_max = entries_max;
    c->bytes_max = bytes_max;
    return c;
}

static size_t entry_size(const struct entry *e)
{
    return sizeof(*e) + e->key_len + dns_answer_size(e->answer);
}

static void entry_drop(struct dns_cache *c, struct entry *e)
{
    assert(c->table != NULL && e->prev != NULL); /* it is in both */
    HASH_DEL(c->table, e);
    DL_DELETE(c->oldest, e);
    c->bytes -= entry_size(e);
    dns_answer_unref(&e->answer);
    free(e);
}

static void entry_add(struct dns_cache *c, struct entry *e)
{
    HASH_ADD_KEYPTR(hh, c->table, e->key, e->key_len, e);
    if (e->hh.tbl == NULL) { /* out of memory: the table is as it was */
        dns_answer_unref(&e->answer);
        free(e);
        return;
    }
    DL_APPEND(c->oldest, e);
    c->bytes += entry_size(e);
}

static struct entry *entry_find(struct dns_cache *c, const struct dns_key *key)
{
    struct entry *e;

    HASH_FIND(hh, c->table, key->bytes, key->len, e);
    return e;
}

struct dns_answer *dns_cache_get(struct dns_cache *c, const struct dns_key *key, int64_t now_ms,
                                 uint32_t *ttl)
{
    struct entry *e = entry_find(c, key);

    if (e == NULL)
        return NULL;
    if (e->expires_ms <= now_ms) {
        entry_drop(c, e);
        return NULL;
    }
    *ttl = e->answer->ttl == 0 ? 0 : (uint32_t)((e->expires_ms - now_ms) / 1000);
    DL_DELETE(c->oldest, e);
    DL_APPEND(c->oldest, e);
    return e->answer;
}

static uint32_t kept_for(const struct dns_answer *a)
{
    return a->status == DNS_SERVFAIL || a->status == DNS_TIMEOUT ? DNS_FAILURE_TTL : a->ttl;
}

static struct entry *entry_new(const struct dns_key *key, struct dns_answer *answer)
{
    struct entry *e = calloc(1, sizeof(*e) + key->len);

    if (e == NULL)
        return NULL;
    memcpy(e->key, key->bytes, key->len);
    e->key_len = key->len;
    e->answer = dns_answer_ref(answer);
    return e;
}

void dns_cache_put(struct dns_cache *c, const struct dns_key *key, struct dns_answer *answer,
                   int64_t now_ms)
{
    struct entry *e = entry_find(c, key);

    if (e != NULL)
        entry_drop(c, e);
    if (kept_for(answer) == 0)
        return;
    e = entry_new(key, answer);
    if (e == NULL)
        return;
    e->expires_ms = now_ms + (int64_t)kept_for(answer) * 1000;
    while (c->oldest != NULL &&
           (HASH_COUNT(c->table) >= c->entries_max || c->bytes + entry_size(e) > c->bytes_max))
        entry_drop(c, c->oldest);
    entry_add(c, e);
}

size_t dns_cache_count(const struct dns_cache *c)
{
    return HASH_COUNT(c->table);
}

void dns_cache_clear(struct dns_cache *c)
{
    while (c->oldest != NULL)
        entry_drop(c, c->oldest);
}

void dns_cache_free(struct dns_cache **cp)
{
    struct dns_cache *c = *cp;

    if (c == NULL)
        return;
    dns_cache_clear(c);
    free(c);
    *cp = NULL;
}
