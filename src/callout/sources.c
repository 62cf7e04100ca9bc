#include "callout/sources.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/hash.h"

#define NAME_MAX_HASHED 512 /* octets of a domain's or destination's name: more than they have */

struct source {
    struct netaddr ip;
    bool missing;
    int load;
};

/* What is remembered under a hash. Should two have the same, one is treated as the other: no more
   comes of it than another choice. */
struct note {
    uint64_t key;
    struct netaddr source; /* of a domain */
    int64_t until;         /* of a rest */
    UT_hash_handle hh;     /* iterates in the order of insertion: the oldest first */
};

struct sources {
    size_t count;
    struct source list[SOURCES_MAX];
    size_t max;         /* notes of each kind */
    struct note *stuck; /* by family and domain */
    struct note *rests; /* by source and destination */
};

static uint64_t key_of(const struct netaddr *ip, const char *name)
{
    uint8_t bytes[1 + sizeof(ip->bytes) + NAME_MAX_HASHED];
    size_t n = strnlen(name, NAME_MAX_HASHED);

    bytes[0] = (uint8_t)ip->family;
    memcpy(bytes + 1, ip->bytes, sizeof(ip->bytes));
    memcpy(bytes + 1 + sizeof(ip->bytes), name, n);
    return hash_bytes(bytes, 1 + sizeof(ip->bytes) + n);
}

static uint64_t domain_key(int family, const char *domain)
{
    const struct netaddr any = {.family = family};

    return key_of(&any, domain);
}

static struct note *note_find(struct note *notes, uint64_t key)
{
    struct note *n;

    HASH_FIND(hh, notes, &key, sizeof(key), n);
    return n;
}

static void note_drop(struct note **notes, struct note *n)
{
    HASH_DEL(*notes, n);
    assert(*notes != n); /* for clang-tidy, which cannot follow uthash */
    free(n);
}

/* The one of that key, new or as it was, as the youngest. NULL: out of memory. */
static struct note *note_touch(struct note **notes, uint64_t key, size_t max)
{
    struct note *n = note_find(*notes, key);

    if (n != NULL) {
        HASH_DEL(*notes, n);
    } else {
        if (HASH_COUNT(*notes) >= max)
            note_drop(notes, *notes);
        n = calloc(1, sizeof(*n));
        if (n == NULL)
            return NULL;
        n->key = key;
    }
    HASH_ADD(hh, *notes, key, sizeof(n->key), n);
    if (n->hh.tbl != NULL)
        return n;
    free(n); /* the table is as it was */
    return NULL;
}

static void notes_clear(struct note **notes)
{
    struct note *n, *tmp;

    HASH_ITER (hh, *notes, n, tmp)
        note_drop(notes, n);
}

struct sources *sources_new(const struct sources_opts *opts, size_t max)
{
    struct sources *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->max = max;
    sources_set(s, opts);
    return s;
}

void sources_free(struct sources **sp)
{
    struct sources *s = *sp;

    if (s == NULL)
        return;
    notes_clear(&s->stuck);
    notes_clear(&s->rests);
    free(s);
    *sp = NULL;
}

static struct source *find_in(struct source *list, size_t count, const struct netaddr *ip)
{
    for (size_t i = 0; i < count; i++)
        if (netaddr_equal(&list[i].ip, ip))
            return &list[i];
    return NULL;
}

static struct source *find(struct sources *s, const struct netaddr *ip)
{
    return find_in(s->list, s->count, ip);
}

void sources_set(struct sources *s, const struct sources_opts *opts)
{
    struct source next[SOURCES_MAX] = {0};
    size_t count = 0;

    for (size_t i = 0; i < opts->count && i < SOURCES_MAX; i++) {
        const struct source *old = find(s, &opts->list[i]);

        if (find_in(next, count, &opts->list[i]) == NULL)
            next[count++] = old != NULL ? *old : (struct source){.ip = opts->list[i]};
    }
    memcpy(s->list, next, count * sizeof(next[0]));
    s->count = count;
}

/* What cannot be told, for want of a descriptor, is as it was. */
static bool is_missing(const struct source *one)
{
    int fd = socket(one->ip.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage sa;
    socklen_t len;
    bool missing;

    if (fd < 0)
        return errno == EAFNOSUPPORT || one->missing;
    len = netaddr_to_sockaddr(&one->ip, 0, &sa);
    if (bind(fd, (struct sockaddr *)&sa, len) == 0)
        missing = false;
    else
        missing = errno == EADDRNOTAVAIL || one->missing;
    (void)close(fd);
    return missing;
}

size_t sources_check(struct sources *s,
                     void (*on_change)(void *arg, const struct netaddr *ip, bool missing),
                     void *arg)
{
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        struct source *one = &s->list[i];
        bool before = one->missing;

        one->missing = is_missing(one);
        count += one->missing;
        if (one->missing != before)
            on_change(arg, &one->ip, one->missing);
    }
    return count;
}

static bool rests(struct sources *s, const struct netaddr *ip, const char *destination, int64_t now)
{
    struct note *n = note_find(s->rests, key_of(ip, destination));

    if (n != NULL && now >= n->until) {
        note_drop(&s->rests, n);
        n = NULL;
    }
    return n != NULL;
}

static bool usable(struct sources *s, const struct source *one, const char *destination,
                   int64_t now)
{
    return !one->missing && !rests(s, &one->ip, destination, now);
}

static bool has_family(const struct sources *s, int family)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].ip.family == family)
            return true;
    return false;
}

/* Whether `a` is rather to be chosen than `b`, which may be NULL. */
static bool better(const struct source *a, const struct source *b, const char *domain)
{
    if (b == NULL || a->load != b->load)
        return b == NULL || a->load < b->load;
    return key_of(&a->ip, domain) > key_of(&b->ip, domain);
}

/* NULL: none; *here says whether any is on this host at all. */
static const struct source *choose(struct sources *s, int family, const char *destination,
                                   const char *domain, int64_t now, bool *here)
{
    const struct source *best = NULL;

    for (size_t i = 0; i < s->count; i++) {
        const struct source *one = &s->list[i];

        if (one->ip.family != family)
            continue;
        *here = *here || !one->missing;
        if (usable(s, one, destination, now) && better(one, best, domain))
            best = one;
    }
    return best;
}

/* The one that the domain had the last time. NULL: none, or not now. */
static const struct source *sticky(struct sources *s, uint64_t key, const char *destination,
                                   int64_t now)
{
    const struct note *n = note_find(s->stuck, key);
    const struct source *one = n != NULL ? find(s, &n->source) : NULL;

    return one != NULL && usable(s, one, destination, now) ? one : NULL;
}

enum sources_pick sources_pick(struct sources *s, int family, const char *destination,
                               const char *domain, int64_t now, struct netaddr *out)
{
    uint64_t key = domain_key(family, domain);
    const struct source *one = sticky(s, key, destination, now);
    struct note *n;
    bool here = false;

    memset(out, 0, sizeof(*out));
    if (!has_family(s, family))
        return SOURCES_ANY;
    if (one == NULL)
        one = choose(s, family, destination, domain, now, &here);
    if (one == NULL)
        return here ? SOURCES_REST : SOURCES_NONE;
    *out = one->ip;
    n = note_touch(&s->stuck, key, s->max);
    if (n != NULL)
        n->source = one->ip;
    return SOURCES_ONE;
}

bool sources_has(struct sources *s, const struct netaddr *ip)
{
    return find(s, ip) != NULL;
}

bool sources_usable(struct sources *s, const struct netaddr *ip, const char *destination,
                    int64_t now)
{
    const struct source *one = find(s, ip);

    if (one == NULL)
        return ip->family == AF_UNSPEC || !has_family(s, ip->family);
    return usable(s, one, destination, now);
}

bool sources_rest(struct sources *s, const struct netaddr *ip, const char *destination,
                  int64_t until, int64_t now)
{
    struct note *n;

    if (find(s, ip) == NULL)
        return false;
    n = note_touch(&s->rests, key_of(ip, destination), s->max);
    if (n != NULL && until > n->until)
        n->until = until;
    for (size_t i = 0; i < s->count; i++) {
        const struct source *one = &s->list[i];

        if (one->ip.family == ip->family && !netaddr_equal(&one->ip, ip) &&
            usable(s, one, destination, now))
            return true;
    }
    return false;
}

void sources_load(struct sources *s, const struct netaddr *ip, int change)
{
    struct source *one = find(s, ip);

    if (one == NULL)
        return;
    one->load += change;
    if (one->load < 0)
        one->load = 0; /* they began before it was of the pool */
}

size_t sources_missing(const struct sources *s, struct netaddr *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < s->count && count < max; i++)
        if (s->list[i].missing)
            out[count++] = s->list[i].ip;
    return count;
}
