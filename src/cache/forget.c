#include "cache/forget.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/key.h"

/* What is under way for one cache_forgotten. */
struct forgetting {
    struct store *store;
    cache_forgotten done;
    void *arg;
    atomic_uint left; /* changes that are not committed, and one while they are being queued */
    atomic_bool failed;
    unsigned queued;
    uint64_t single;                    /* entries that were there by their key */
    uint64_t ranges[STORE_TABLE_COUNT]; /* and by their domain */
};

static void finish_one(struct forgetting *f)
{
    uint64_t total;

    if (atomic_fetch_sub(&f->left, 1) > 1)
        return;
    total = f->single; /* only now: it is counted while changes are being committed */
    for (unsigned i = 0; i < STORE_TABLE_COUNT; i++)
        total += f->ranges[i];
    f->done(f->arg, !atomic_load(&f->failed), total);
    free(f);
}

static void on_committed(void *arg, bool committed)
{
    struct forgetting *f = arg;

    if (!committed)
        atomic_store(&f->failed, true);
    finish_one(f);
}

/* Before the store is told: its writer may be faster than the return. */
static void expect_one(struct forgetting *f)
{
    atomic_fetch_add(&f->left, 1);
    f->queued++;
}

static void not_queued(struct forgetting *f)
{
    atomic_store(&f->failed, true);
    atomic_fetch_sub(&f->left, 1);
    f->queued--;
}

static void forget_key(struct forgetting *f, enum store_table table, const void *key,
                       size_t key_len)
{
    uint8_t value[STORE_VALUE_MAX];
    size_t len = 0;

    if (atomic_load(&f->failed))
        return;
    /* also what is expired, which is gone then, too */
    switch (store_get(f->store, table, key, key_len, INT64_MIN, value, sizeof(value), &len)) {
    case STORE_OK:
    case STORE_BAD:
        f->single++;
        break;
    case STORE_MISS:
    case STORE_ERROR: /* perhaps it can be deleted */
        break;
    }
    expect_one(f);
    if (!store_delete(f->store, table, key, key_len, on_committed, f))
        not_queued(f);
}

static void forget_range(struct forgetting *f, enum store_table table, const char *domain)
{
    if (atomic_load(&f->failed))
        return;
    expect_one(f);
    if (!store_forget(f->store, table, domain, strlen(domain) + 1, &f->ranges[table], on_committed,
                      f))
        not_queued(f);
}

static struct forgetting *begin(struct store *s, cache_forgotten done, void *arg)
{
    struct forgetting *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->store = s;
    f->done = done;
    f->arg = arg;
    atomic_init(&f->left, 1);
    atomic_init(&f->failed, false);
    return f;
}

/* False: nothing was begun, and `done` is not called. */
static bool all_queued(struct forgetting *f)
{
    if (f->queued == 0) {
        free(f);
        return false;
    }
    finish_one(f);
    return true;
}

bool cache_forget_address(struct store *s, const struct address *a, cache_forgotten done, void *arg)
{
    struct forgetting *f = begin(s, done, arg);
    struct cache_key keys[CACHE_KEYS_MAX];
    unsigned count = cache_keys(a, keys);

    if (f == NULL)
        return false;
    for (unsigned i = 0; i < count; i++) {
        forget_key(f, STORE_TABLE_ADDRESS, keys[i].bytes, keys[i].len);
        forget_key(f, STORE_TABLE_DUE, keys[i].bytes, keys[i].len);
    }
    return all_queued(f);
}

bool cache_forget_domain(struct store *s, const char *domain, cache_forgotten done, void *arg)
{
    struct forgetting *f = begin(s, done, arg);
    char name[ADDRESS_DOMAIN_MAX + sizeof("domain/")];

    if (f == NULL)
        return false;
    (void)str_format(name, sizeof(name), "domain/%s", domain);
    forget_range(f, STORE_TABLE_ADDRESS, domain);
    forget_range(f, STORE_TABLE_DOMAIN, domain);
    forget_range(f, STORE_TABLE_DUE, domain);
    forget_key(f, STORE_TABLE_DESTINATION, name, strlen(name));
    return all_queued(f);
}

bool cache_forget_destination(struct store *s, const char *name, cache_forgotten done, void *arg)
{
    struct forgetting *f = begin(s, done, arg);

    if (f == NULL)
        return false;
    forget_key(f, STORE_TABLE_DESTINATION, name, strlen(name));
    return all_queued(f);
}

bool cache_forget(struct store *s, const struct cache_filter *what, cache_forgotten done, void *arg)
{
    if (what->is_address)
        return cache_forget_address(s, &what->address, done, arg);
    if (what->destination[0] != '\0')
        return cache_forget_destination(s, what->destination, done, arg);
    return cache_forget_domain(s, what->domain, done, arg);
}
