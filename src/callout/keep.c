#include "callout/keep.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct kept {
    uint8_t key[1 + KEEP_KEY_MAX]; /* the table first */
    uint8_t value[KEEP_VALUE_MAX];
    size_t value_len;
    int64_t expires;
    UT_hash_handle hh; /* iterates in the order of insertion: the oldest first */
};

struct keep {
    struct store *store;
    struct kept *kept;
    unsigned max;
};

struct keep *keep_new(struct store *store, unsigned max)
{
    struct keep *k = calloc(1, sizeof(*k));

    if (k == NULL)
        return NULL;
    k->store = store;
    k->max = max;
    return k;
}

static void forget(struct keep *k, struct kept *one)
{
    HASH_DEL(k->kept, one);
    free(one);
}

void keep_free(struct keep **kp)
{
    struct keep *k = *kp;
    struct kept *one, *tmp;

    if (k == NULL)
        return;
    HASH_ITER (hh, k->kept, one, tmp)
        forget(k, one);
    free(k);
    *kp = NULL;
}

/* `whole` becomes the key with its table; returns its length. */
static size_t whole_key(enum store_table table, const void *key, size_t len,
                        uint8_t whole[1 + KEEP_KEY_MAX])
{
    whole[0] = (uint8_t)table;
    memcpy(whole + 1, key, len);
    return len + 1;
}

static void keep_lately(struct keep *k, const uint8_t *key, size_t key_len, const void *value,
                        size_t value_len, int64_t expires)
{
    struct kept *one;

    HASH_FIND(hh, k->kept, key, key_len, one);
    if (one != NULL)
        forget(k, one);
    if (HASH_COUNT(k->kept) >= k->max)
        forget(k, k->kept);
    one = calloc(1, sizeof(*one));
    if (one == NULL)
        return; /* the store has it, soon */
    memcpy(one->key, key, key_len);
    memcpy(one->value, value, value_len);
    one->value_len = value_len;
    one->expires = expires;
    HASH_ADD(hh, k->kept, key, key_len, one);
}

void keep_put(struct keep *k, enum store_table table, const void *key, size_t key_len,
              const void *value, size_t value_len, int64_t expires)
{
    uint8_t whole[1 + KEEP_KEY_MAX];

    if (key_len > KEEP_KEY_MAX || value_len > KEEP_VALUE_MAX)
        return;
    keep_lately(k, whole, whole_key(table, key, key_len, whole), value, value_len, expires);
    if (k->store != NULL)
        (void)store_put(k->store, table, key, key_len, value, value_len, expires, NULL, NULL);
}

void keep_reread(struct keep *k, enum store_table table, const void *prefix, size_t prefix_len)
{
    uint8_t whole[1 + KEEP_KEY_MAX];
    struct kept *one, *tmp;
    size_t len;

    if (prefix_len > KEEP_KEY_MAX)
        return;
    len = whole_key(table, prefix, prefix_len, whole);
    HASH_ITER (hh, k->kept, one, tmp)
        if (one->hh.keylen >= len && memcmp(one->key, whole, len) == 0)
            forget(k, one);
}

bool keep_get(struct keep *k, enum store_table table, const void *key, size_t key_len, int64_t now,
              void *buf, size_t *len)
{
    uint8_t whole[1 + KEEP_KEY_MAX];
    struct kept *one = NULL;

    if (key_len > KEEP_KEY_MAX)
        return false;
    HASH_FIND(hh, k->kept, whole, whole_key(table, key, key_len, whole), one);
    if (one == NULL)
        return k->store != NULL &&
               store_get(k->store, table, key, key_len, now, buf, KEEP_VALUE_MAX, len) == STORE_OK;
    if (now >= one->expires) {
        forget(k, one);
        return false;
    }
    memcpy(buf, one->value, one->value_len);
    *len = one->value_len;
    return true;
}
