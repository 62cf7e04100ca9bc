#include "policy/brake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/netaddr.h"
#include "base/str.h"
#include "policy/class.h"

#define KEY_SIZE 256 /* "sasl NAME" or "ip TEXT" */

struct count {
    char key[KEY_SIZE];
    int64_t until; /* end of the window, or of the brake */
    unsigned all, invalid;
    bool braked;
    UT_hash_handle hh;
};

struct brake {
    pthread_mutex_t lock;
    unsigned max;
    struct count *counts; /* the one longest without a recipient first */
};

struct brake *brake_new(unsigned max)
{
    struct brake *b = calloc(1, sizeof(*b));

    if (b == NULL)
        return NULL;
    b->max = max;
    pthread_mutex_init(&b->lock, NULL);
    return b;
}

static void forget(struct brake *b, struct count *c)
{
    HASH_DEL(b->counts, c);
    free(c);
}

void brake_free(struct brake **bp)
{
    struct brake *b = *bp;
    struct count *c, *tmp;

    if (b == NULL)
        return;
    HASH_ITER (hh, b->counts, c, tmp)
        forget(b, c);
    pthread_mutex_destroy(&b->lock);
    free(b);
    *bp = NULL;
}

static const char by_login[] = "sasl ", by_address[] = "ip ";

/* False where there is nobody to count. */
static bool client_key(const struct mail_client *client, char key[KEY_SIZE])
{
    struct netaddr ip;

    memset(key, 0, KEY_SIZE);
    if (client->sasl_username != NULL && client->sasl_username[0] != '\0') {
        memcpy(key, by_login, sizeof(by_login));
        (void)str_copy(key + sizeof(by_login) - 1, KEY_SIZE - sizeof(by_login) + 1,
                       client->sasl_username);
        return true;
    }
    if (client->address == NULL || !netaddr_parse(client->address, &ip))
        return false;
    if (ip.family == AF_INET6)
        memset(ip.bytes + 8, 0, 8); /* a /64 is one customer's */
    memcpy(key, by_address, sizeof(by_address));
    (void)netaddr_format(&ip, key + sizeof(by_address) - 1);
    return true;
}

static struct count *find(struct brake *b, const char *key, int64_t now)
{
    struct count *c;

    HASH_FIND_STR(b->counts, key, c);
    if (c == NULL || now < c->until)
        return c;
    forget(b, c);
    return NULL;
}

/* Back at the end of the line, as the one heard of last. NULL when out of memory. */
static struct count *touch(struct brake *b, const char *key, const struct brake_opts *opts,
                           int64_t now)
{
    struct count *c = find(b, key, now);

    if (c != NULL) {
        HASH_DEL(b->counts, c);
    } else {
        if (HASH_COUNT(b->counts) >= b->max)
            forget(b, b->counts);
        c = calloc(1, sizeof(*c));
        if (c == NULL)
            return NULL;
        memcpy(c->key, key, sizeof(c->key));
        c->until = now + opts->window_ms;
    }
    HASH_ADD_STR(b->counts, key, c);
    return c;
}

bool brake_holds(struct brake *b, const struct brake_opts *opts, const struct mail_client *client,
                 int64_t now)
{
    char key[KEY_SIZE];
    const struct count *c;
    bool holds;

    if (opts->invalid == 0 || !client_key(client, key))
        return false;
    pthread_mutex_lock(&b->lock);
    c = find(b, key, now);
    holds = c != NULL && c->braked;
    pthread_mutex_unlock(&b->lock);
    return holds;
}

/* True when the limits are reached just now. */
static bool reached(struct count *c, const struct brake_opts *opts, int64_t now)
{
    if (c->braked || c->invalid < opts->invalid ||
        (uint64_t)c->invalid * 100 < (uint64_t)c->all * opts->share)
        return false;
    c->braked = true;
    c->until = now + opts->window_ms;
    return true;
}

bool brake_count(struct brake *b, const struct brake_opts *opts, const struct mail_client *client,
                 bool invalid, int64_t now)
{
    char key[KEY_SIZE];
    struct count *c;
    bool put_on = false;

    if (opts->invalid == 0 || !client_key(client, key))
        return false;
    pthread_mutex_lock(&b->lock);
    c = touch(b, key, opts, now);
    if (c != NULL) {
        c->all++;
        c->invalid += invalid;
        put_on = reached(c, opts, now);
    }
    pthread_mutex_unlock(&b->lock);
    return put_on;
}
