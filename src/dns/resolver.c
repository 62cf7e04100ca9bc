#include "dns/resolver.h"

#include <stdlib.h>
#include <sys/stat.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "dns/cache.h"
#include "dns/channel.h"
#include "dns/ownaddr.h"

#define CACHE_ENTRIES_MAX 20000
#define CACHE_BYTES_MAX   (16U << 20)

/* c-ares looks for a free 16-bit id by trial: keep most of them free. */
#define QUESTIONS_MAX 8192

/*
 * No more than this many questions leave in one millisecond: a burst that overruns a server's
 * socket buffer costs a whole try.
 */
#define BURST_MAX 64
#define BURST_MS  1

/* Somebody who waits, in the list of a question or, answered, in that of the resolver. */
struct resolver_query {
    struct resolver_query **list;
    struct dns_answer *answer;
    uint32_t ttl;
    resolver_cb cb;
    void *arg;
    struct resolver_query *prev, *next;
};

/* What is asked of the servers, once for all who wait for it. */
struct question {
    struct resolver *resolver;
    struct dns_key key;
    char name[DNS_NAME_SIZE];
    enum dns_type type;
    const struct dns_channel *channel; /* that it was sent to, */
    uint64_t asked;                    /* and when; see `events` */
    int64_t made_at;                   /* clock_mono_ms */
    bool shared; /* in the resolver's table: nobody joins it, and it isn't kept, otherwise */
    struct resolver_query *waiters;
    struct question *prev, *next; /* while it is held back */
    UT_hash_handle hh;
};

/* What tells one version of resolv.conf from the next. */
struct file_stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
};

struct old_channel {
    struct dns_channel *channel;
    struct old_channel *next;
};

struct resolver {
    struct loop *loop;
    struct resolver_opts opts;
    struct dns_channel *channel;
    struct old_channel *draining; /* closed once nothing is pending in them */
    struct file_stamp conf;
    struct dns_cache *cache;
    struct question *questions; /* those that may be joined */
    size_t question_count;      /* all of them */
    struct question *held;      /* those not sent yet */
    unsigned burst;             /* questions sent since `pace` was armed */
    struct loop_timer *pace;
    struct resolver_query *ready;
    struct loop_timer *deliver; /* armed while `ready` is not empty or a channel may be drained */
    struct dns_answer *no_such_name, *not_asked;
    int64_t worked_at; /* INT64_MIN: the present servers never did */
    uint64_t events;   /* questions sent and answers heard, numbered in one row from 1 */
    uint64_t vouched;  /* 0: by nothing */
    uint64_t forgot;   /* what was asked up to then is not kept */
    struct own_addresses own;
    bool closing;
};

static bool file_stamp_read(const struct resolver_opts *opts, struct file_stamp *stamp)
{
    struct stat st;

    if (stat(dns_channel_conf_path(opts), &st) != 0)
        return false;
    *stamp = (struct file_stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    return true;
}

static bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* It goes on by itself. */
static void question_part(struct question *q)
{
    HASH_DEL(q->resolver->questions, q);
    q->shared = false;
}

/* The new servers may know better. */
static void questions_part(struct resolver *r)
{
    struct question *q, *tmp;

    HASH_ITER (hh, r->questions, q, tmp)
        question_part(q);
}

/* What the servers of before have shown says nothing of the present ones. */
static void proofs_clear(struct resolver *r)
{
    r->worked_at = INT64_MIN;
    r->vouched = 0;
}

/* Puts a new channel in the place of the present one, which is drained. */
static bool channel_replace(struct resolver *r, const struct resolver_opts *opts, struct error *err)
{
    struct old_channel *old = calloc(1, sizeof(*old));
    struct dns_channel *fresh = NULL;

    error_set(err, "out of memory");
    if (old == NULL || !dns_channel_open(&fresh, r->loop, opts, err)) {
        free(old);
        return false;
    }
    old->channel = r->channel;
    LL_PREPEND(r->draining, old);
    r->channel = fresh;
    questions_part(r);
    proofs_clear(r);
    dns_cache_clear(r->cache);
    loop_timer_arm(r->deliver, 0);
    return true;
}

static void drained_close(struct resolver *r, bool all)
{
    struct old_channel *old, *tmp;

    LL_FOREACH_SAFE (r->draining, old, tmp) {
        if (!all && dns_channel_pending(old->channel) > 0)
            continue;
        LL_DELETE(r->draining, old);
        dns_channel_close(&old->channel);
        free(old);
    }
}

/*
 * One stat(2) a question, as the C library does it. A file that is gone or empty is one being
 * written: the servers stay as they are.
 */
static void resolv_conf_watch(struct resolver *r)
{
    struct file_stamp now;
    struct error err;

    if (r->opts.server_count > 0 || !file_stamp_read(&r->opts, &now) || now.size == 0 ||
        file_stamp_equal(&now, &r->conf))
        return;
    r->conf = now;
    if (channel_replace(r, &r->opts, &err))
        log_info("%s has changed, its DNS servers are used", dns_channel_conf_path(&r->opts));
    else
        log_error("%s has changed, the old DNS servers stay: %s", dns_channel_conf_path(&r->opts),
                  err.text);
}

static void query_free(struct resolver_query *q)
{
    dns_answer_unref(&q->answer);
    free(q);
}

static void query_move(struct resolver_query *q, struct resolver_query **list)
{
    if (q->list != NULL)
        DL_DELETE(*q->list, q);
    q->list = list;
    DL_APPEND(*list, q);
}

static void query_answer(struct resolver *r, struct resolver_query *q, struct dns_answer *answer,
                         uint32_t ttl)
{
    q->answer = dns_answer_ref(answer);
    q->ttl = ttl;
    query_move(q, &r->ready);
    loop_timer_arm(r->deliver, 0);
}

static void on_deliver(void *arg)
{
    struct resolver *r = arg;

    while (r->ready != NULL) {
        struct resolver_query *q = r->ready;

        DL_DELETE(r->ready, q);
        q->cb(q->arg, q->answer, q->ttl);
        query_free(q);
    }
    drained_close(r, false);
}

static void queries_free(struct resolver_query **list)
{
    struct resolver_query *q, *tmp;

    DL_FOREACH_SAFE (*list, q, tmp)
        query_free(q);
    *list = NULL;
}

static void question_free(struct question *q)
{
    struct resolver *r = q->resolver;

    if (q->shared)
        HASH_DEL(r->questions, q);
    r->question_count--;
    queries_free(&q->waiters);
    free(q);
}

static void held_free(struct resolver *r)
{
    struct question *q, *tmp;

    DL_FOREACH_SAFE (r->held, q, tmp)
        question_free(q);
    r->held = NULL;
}

static struct dns_answer *answer_read(const struct question *q, enum dns_status status,
                                      const uint8_t *msg, size_t len)
{
    struct dns_answer *a =
        msg != NULL ? dns_answer_parse(msg, len, q->name, q->type) : dns_answer_empty(status);

    if (a == NULL)
        return dns_answer_ref(q->resolver->not_asked);
    a->made_at = clock_mono_ms();
    if (msg != NULL)
        a->heard = ++q->resolver->events;
    return a;
}

static void proof_note(struct resolver *r, const struct question *q, const struct dns_answer *a)
{
    if (a->heard == 0 || q->channel != r->channel || a->status != DNS_OK)
        return;
    r->worked_at = clock_mono_ms();
    if (q->asked > r->vouched)
        r->vouched = q->asked;
}

static void answer_keep(struct resolver *r, const struct question *q, struct dns_answer *a)
{
    bool root = q->name[0] == '\0';

    if (q->shared && !root && q->asked > r->forgot)
        dns_cache_put(r->cache, &q->key, a, clock_mono_ms());
}

static void on_message(void *arg, enum dns_status status, const uint8_t *msg, size_t len)
{
    struct question *q = arg;
    struct resolver *r = q->resolver;
    struct dns_answer *a;

    if (r->closing) {
        question_free(q);
        return;
    }
    a = answer_read(q, status, msg, len);
    log_debug("dns name=%s type=%s status=%s ttl=%u records=%zu", q->name, dns_type_name(q->type),
              dns_status_name(a->status), a->ttl, a->count);
    proof_note(r, q, a);
    answer_keep(r, q, a);
    while (q->waiters != NULL)
        query_answer(r, q->waiters, a, a->ttl);
    dns_answer_unref(&a);
    question_free(q);
    loop_timer_arm(r->deliver, 0); /* perhaps the last of an old channel */
}

static struct question *question_new(struct resolver *r, const struct dns_key *key,
                                     const char *name, enum dns_type type)
{
    struct question *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->resolver = r;
    q->key = *key;
    q->type = type;
    q->made_at = clock_mono_ms();
    str_copy(q->name, sizeof(q->name), name);
    HASH_ADD_KEYPTR(hh, r->questions, q->key.bytes, q->key.len, q);
    if (q->hh.tbl == NULL) {
        free(q);
        return NULL;
    }
    q->shared = true;
    r->question_count++;
    return q;
}

/* May end in on_message() at once. */
static void question_send(struct question *q)
{
    struct resolver *r = q->resolver;

    r->burst++;
    if (!loop_timer_armed(r->pace))
        loop_timer_arm(r->pace, BURST_MS);
    q->channel = r->channel;
    q->asked = ++r->events;
    dns_channel_ask(r->channel, q->name, q->type, on_message, q);
}

static void on_pace(void *arg)
{
    struct resolver *r = arg;

    r->burst = 0;
    while (r->held != NULL && r->burst < BURST_MAX) {
        struct question *q = r->held;

        DL_DELETE(r->held, q);
        question_send(q);
    }
}

/*
 * The question that is under way; NULL: none, or its first try was in vain. Then the servers may
 * have been away when it went out, and be back: its time-out would say nothing to who comes now.
 */
static struct question *question_to_join(struct resolver *r, const struct dns_key *key)
{
    struct question *q;

    HASH_FIND(hh, r->questions, key->bytes, key->len, q);
    if (q == NULL || clock_mono_ms() - q->made_at < dns_channel_try_ms(&r->opts))
        return q;
    question_part(q);
    return NULL;
}

/* With a question under way, or with a new one. */
static bool query_ask(struct resolver *r, struct resolver_query *query, const char *name,
                      enum dns_type type)
{
    struct dns_key key;
    struct question *q;

    dns_key_make(&key, name, type);
    q = question_to_join(r, &key);
    if (q != NULL) {
        query_move(query, &q->waiters);
        return true;
    }
    if (r->question_count >= QUESTIONS_MAX) {
        query_answer(r, query, r->not_asked, 0);
        return true;
    }
    q = question_new(r, &key, name, type);
    if (q == NULL)
        return false;
    query_move(query, &q->waiters);
    if (r->burst < BURST_MAX)
        question_send(q);
    else
        DL_APPEND(r->held, q);
    return true;
}

/* From the cache, or by asking. */
static bool query_start(struct resolver *r, struct resolver_query *query, const char *name,
                        enum dns_type type)
{
    struct dns_key key;
    struct dns_answer *kept;
    uint32_t ttl;

    resolv_conf_watch(r);
    dns_key_make(&key, name, type);
    kept = dns_cache_get(r->cache, &key, clock_mono_ms(), &ttl);
    if (kept == NULL)
        return query_ask(r, query, name, type);
    query_answer(r, query, kept, ttl);
    return true;
}

static struct resolver_query *query_new(resolver_cb cb, void *arg)
{
    struct resolver_query *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->cb = cb;
    q->arg = arg;
    return q;
}

struct resolver_query *resolver_query(struct resolver *r, const char *name, enum dns_type type,
                                      resolver_cb cb, void *arg)
{
    struct resolver_query *q = query_new(cb, arg);
    char clean[DNS_NAME_SIZE];

    if (q == NULL)
        return NULL;
    if (!dns_name_clean(name, clean)) {
        query_answer(r, q, r->no_such_name, 0);
    } else if (!query_start(r, q, clean, type)) {
        free(q);
        return NULL;
    }
    return q;
}

struct resolver_query *resolver_query_root(struct resolver *r, resolver_cb cb, void *arg)
{
    struct resolver_query *q = query_new(cb, arg);

    if (q == NULL)
        return NULL;
    resolv_conf_watch(r);
    if (query_ask(r, q, "", DNS_NS))
        return q;
    free(q);
    return NULL;
}

void resolver_query_cancel(struct resolver_query **qp)
{
    struct resolver_query *q = *qp;

    if (q == NULL)
        return;
    DL_DELETE(*q->list, q);
    query_free(q);
    *qp = NULL;
}

static bool resolver_open(struct resolver *r, const struct resolver_opts *opts, struct error *err)
{
    r->opts = *opts;
    proofs_clear(r);
    r->deliver = loop_timer_new(r->loop, on_deliver, r);
    r->pace = loop_timer_new(r->loop, on_pace, r);
    r->cache = dns_cache_new(CACHE_ENTRIES_MAX, CACHE_BYTES_MAX);
    r->no_such_name = dns_answer_empty(DNS_NXDOMAIN);
    r->not_asked = dns_answer_empty(DNS_LOCAL);
    if (r->deliver == NULL || r->pace == NULL || r->cache == NULL || r->no_such_name == NULL ||
        r->not_asked == NULL) {
        error_set(err, "out of memory");
        return false;
    }
    if (opts->server_count == 0 && !file_stamp_read(opts, &r->conf))
        log_warning("%s is missing, the DNS server at 127.0.0.1 is used",
                    dns_channel_conf_path(opts));
    return dns_channel_open(&r->channel, r->loop, opts, err);
}

bool resolver_new(struct resolver **rp, struct loop *loop, const struct resolver_opts *opts,
                  struct error *err)
{
    struct resolver *r = calloc(1, sizeof(*r));

    *rp = r;
    if (r == NULL) {
        error_set(err, "out of memory");
        return false;
    }
    r->loop = loop;
    if (!resolver_open(r, opts, err))
        resolver_free(rp);
    return *rp != NULL;
}

bool resolver_reconfigure(struct resolver *r, const struct resolver_opts *opts, struct error *err)
{
    struct file_stamp conf = {0};

    if (opts->server_count == 0)
        (void)file_stamp_read(opts, &conf);
    if (!channel_replace(r, opts, err))
        return false;
    r->opts = *opts;
    r->conf = conf;
    return true;
}

int64_t resolver_worked_at(const struct resolver *r)
{
    return r->worked_at;
}

uint64_t resolver_vouched(const struct resolver *r)
{
    return r->vouched;
}

void resolver_forget(struct resolver *r)
{
    r->forgot = r->events;
    dns_cache_clear(r->cache);
}

struct loop *resolver_loop(struct resolver *r)
{
    return r->loop;
}

const struct netaddr *resolver_own_addresses(struct resolver *r, size_t *count)
{
    own_addresses_refresh(&r->own, clock_mono_ms());
    *count = r->own.count;
    return r->own.ips;
}

void resolver_free(struct resolver **rp)
{
    struct resolver *r = *rp;

    if (r == NULL)
        return;
    r->closing = true;
    drained_close(r, true);
    dns_channel_close(&r->channel);
    held_free(r);
    queries_free(&r->ready);
    dns_cache_free(&r->cache);
    loop_timer_free(&r->deliver);
    loop_timer_free(&r->pace);
    dns_answer_unref(&r->no_such_name);
    dns_answer_unref(&r->not_asked);
    own_addresses_free(&r->own);
    free(r);
    *rp = NULL;
}
