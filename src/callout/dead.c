#include "callout/dead.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define KEY_SIZE (1 + 16 + 2) /* family, address, port */

struct spot {
    uint8_t key[KEY_SIZE];
    enum smtp_failure how;
    int64_t span;       /* how long the last failure counts; 0: it never failed */
    int64_t dead_until; /* when that is over */
    int64_t late_until;
    UT_hash_handle hh; /* iterates in the order of insertion: the oldest first */
};

struct dead {
    struct spot *spots;
    size_t max;
};

struct dead *dead_new(size_t max)
{
    struct dead *d = calloc(1, sizeof(*d));

    if (d != NULL)
        d->max = max;
    return d;
}

static void forget(struct dead *d, struct spot *s)
{
    HASH_DEL(d->spots, s);
    assert(d->spots != s); /* for clang-tidy, which cannot follow uthash */
    free(s);
}

void dead_clear(struct dead *d)
{
    struct spot *s, *tmp;

    HASH_ITER (hh, d->spots, s, tmp)
        forget(d, s);
}

void dead_free(struct dead **dp)
{
    if (*dp == NULL)
        return;
    dead_clear(*dp);
    free(*dp);
    *dp = NULL;
}

static void make_key(const struct netaddr *ip, uint16_t port, uint8_t key[KEY_SIZE])
{
    key[0] = (uint8_t)ip->family;
    memcpy(key + 1, ip->bytes, sizeof(ip->bytes));
    key[KEY_SIZE - 2] = (uint8_t)(port >> 8);
    key[KEY_SIZE - 1] = (uint8_t)port;
}

static struct spot *find(const struct dead *d, const struct netaddr *ip, uint16_t port)
{
    uint8_t key[KEY_SIZE];
    struct spot *s;

    make_key(ip, port, key);
    HASH_FIND(hh, d->spots, key, KEY_SIZE, s);
    return s;
}

/* The one of that address, new or as it was, as the youngest. NULL: out of memory. */
static struct spot *touch(struct dead *d, const struct netaddr *ip, uint16_t port)
{
    struct spot *s = find(d, ip, port);

    if (s != NULL) {
        HASH_DEL(d->spots, s);
    } else {
        if (HASH_COUNT(d->spots) >= d->max)
            forget(d, d->spots);
        s = calloc(1, sizeof(*s));
        if (s == NULL)
            return NULL;
        make_key(ip, port, s->key);
        s->dead_until = s->late_until = INT64_MIN;
    }
    HASH_ADD(hh, d->spots, key, KEY_SIZE, s);
    if (s->hh.tbl != NULL)
        return s;
    free(s); /* the table is as it was */
    return NULL;
}

/* Twice the last, if that is not too long ago. */
static int64_t next_span(const struct spot *s, int64_t now)
{
    if (s->span == 0 || now - s->dead_until >= s->span)
        return DEAD_FIRST_MS;
    return s->span * 2 < DEAD_MAX_MS ? s->span * 2 : DEAD_MAX_MS;
}

void dead_failed(struct dead *d, const struct netaddr *ip, uint16_t port, enum smtp_failure how,
                 int64_t now)
{
    struct spot *s = touch(d, ip, port);

    if (s == NULL)
        return;
    s->how = how;
    if (now < s->dead_until)
        return;
    s->span = next_span(s, now);
    s->dead_until = now + s->span;
}

void dead_late(struct dead *d, const struct netaddr *ip, uint16_t port, int64_t now)
{
    struct spot *s = touch(d, ip, port);

    if (s != NULL)
        s->late_until = now + DEAD_LATE_MS;
}

void dead_alive(struct dead *d, const struct netaddr *ip, uint16_t port)
{
    struct spot *s = find(d, ip, port);

    if (s != NULL)
        forget(d, s);
}

enum dead_state dead_look(const struct dead *d, const struct netaddr *ip, uint16_t port,
                          int64_t now, enum smtp_failure *how)
{
    const struct spot *s = find(d, ip, port);

    if (s == NULL || now >= s->dead_until)
        return s != NULL && now < s->late_until ? DEAD_LATE : DEAD_NOT;
    if (how != NULL)
        *how = s->how;
    return DEAD_YES;
}
