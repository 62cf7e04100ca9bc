#include "smtp/tls_tickets.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define KEPT_MAX    3600 /* seconds, whatever the server says: what is verified gets old */
#define TICKETS_MAX 4    /* of a peer: so many connections at once may resume */

struct ticket {
    SSL_SESSION *session;
    int64_t until; /* ms */
};

struct peer {
    struct ticket_key key;
    int64_t refused_until; /* ms */
    size_t count;
    struct ticket tickets[TICKETS_MAX]; /* the oldest first */
    UT_hash_handle hh;                  /* iterates in the order of use, the oldest first */
};

struct tls_tickets {
    struct peer *peers;
    size_t max;
};

void ticket_key_make(struct ticket_key *key, const struct tls_peer *peer)
{
    size_t name_len = strnlen(peer->name, 256);
    uint8_t *b = key->bytes;

    *b++ = peer->verify;
    *b++ = (uint8_t)peer->ip->family;
    memcpy(b, peer->ip->bytes, 16);
    b += 16;
    memcpy(b, &peer->port, 2);
    b += 2;
    memcpy(b, peer->name, name_len);
    key->len = (size_t)(b - key->bytes) + name_len;
}

struct tls_tickets *tls_tickets_new(size_t max)
{
    struct tls_tickets *t = calloc(1, sizeof(*t));

    if (t != NULL)
        t->max = max;
    return t;
}

static void drop_tickets(struct peer *p)
{
    while (p->count > 0)
        SSL_SESSION_free(p->tickets[--p->count].session);
}

static void peer_free(struct tls_tickets *t, struct peer *p)
{
    HASH_DEL(t->peers, p);
    drop_tickets(p);
    free(p);
}

void tls_tickets_free(struct tls_tickets **tp)
{
    if (*tp == NULL)
        return;
    while ((*tp)->peers != NULL)
        peer_free(*tp, (*tp)->peers);
    free(*tp);
    *tp = NULL;
}

static struct peer *peer_find(const struct tls_tickets *t, const struct ticket_key *key)
{
    struct peer *p;

    HASH_FIND(hh, t->peers, key->bytes, key->len, p);
    return p;
}

/* False: out of memory, and it is gone. */
static bool peer_add(struct tls_tickets *t, struct peer *p)
{
    HASH_ADD(hh, t->peers, key.bytes, p->key.len, p);
    if (p->hh.tbl != NULL)
        return true;
    drop_tickets(p);
    free(p);
    return false;
}

/* As the one used last. NULL: out of memory. */
static struct peer *peer_use(struct tls_tickets *t, const struct ticket_key *key)
{
    struct peer *p = peer_find(t, key);

    if (p != NULL) {
        HASH_DEL(t->peers, p);
    } else {
        p = calloc(1, sizeof(*p));
        if (p == NULL)
            return NULL;
        p->key = *key;
        if (HASH_COUNT(t->peers) >= t->max)
            peer_free(t, t->peers);
    }
    return peer_add(t, p) ? p : NULL;
}

static void forget_oldest(struct peer *p)
{
    SSL_SESSION_free(p->tickets[0].session);
    p->count--;
    memmove(p->tickets, p->tickets + 1, p->count * sizeof(p->tickets[0]));
}

bool tls_tickets_put(struct tls_tickets *t, const struct ticket_key *key, SSL_SESSION *session,
                     int64_t seconds, int64_t now_ms)
{
    struct peer *p = seconds > 0 ? peer_use(t, key) : NULL;

    if (p == NULL || now_ms < p->refused_until)
        return false;
    if (p->count == TICKETS_MAX)
        forget_oldest(p);
    p->tickets[p->count++] = (struct ticket){
        .session = session,
        .until = now_ms + (seconds < KEPT_MAX ? seconds : KEPT_MAX) * 1000,
    };
    return true;
}

SSL_SESSION *tls_tickets_take(struct tls_tickets *t, const struct ticket_key *key, int64_t now_ms,
                              int64_t *until_ms)
{
    struct peer *p = peer_find(t, key);

    while (p != NULL && p->count > 0) {
        struct ticket *newest = &p->tickets[p->count - 1];

        *until_ms = newest->until;
        if (newest->until <= now_ms) {
            SSL_SESSION_free(newest->session);
            p->count--;
        } else if (SSL_SESSION_get_protocol_version(newest->session) == TLS1_3_VERSION) {
            p->count--;
            return newest->session;
        } else {
            return SSL_SESSION_up_ref(newest->session) == 1 ? newest->session : NULL;
        }
    }
    return NULL;
}

void tls_tickets_refused(struct tls_tickets *t, const struct ticket_key *key, int64_t now_ms)
{
    struct peer *p = peer_use(t, key);

    if (p == NULL)
        return;
    drop_tickets(p);
    p->refused_until = now_ms + (int64_t)KEPT_MAX * 1000;
}
