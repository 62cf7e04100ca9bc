#include "callout/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "base/str.h"
#include "callout/codec.h"

/*
 * An entry in the store:
 *
 *   u8 version, u8 flags, i64 first_at, i64 due, i64 last_due, i64 learned_ms, u32 step,
 *   source, recipient, sender and helo, each u16 length and octets without NUL.
 *
 * All integers little-endian, times in milliseconds; source in the one text netaddr_format()
 * writes.
 */
#define ENTRY_VERSION  1
#define FLAG_APART     1u
#define FLAG_NULL      2u
#define FLAG_CATCH_ALL 4u
#define FLAG_SAID_SO   8u
#define FLAG_CONFIRM   16u
#define FLAGS_ALL      (FLAG_APART | FLAG_NULL | FLAG_CATCH_ALL | FLAG_SAID_SO | FLAG_CONFIRM)
#define KEPT_AFTER     86400 /* seconds behind the last try, for a daemon that was down */
#define ROOM_FIRST     64    /* entries */

/* An entry waits encoded: a hundred thousand are a few dozen megabytes. */
struct waiting {
    int64_t due;    /* goes before the encoded one */
    uint64_t order; /* of what is due at the same time the lesser comes first */
    size_t at;      /* in the heap */
    uint16_t key_len, value_len;
    UT_hash_handle hh;
    uint8_t bytes[]; /* the key, then the entry encoded */
};

struct schedule {
    struct store *store;
    size_t max;
    struct waiting *by_key;
    struct waiting **heap; /* binary: none is before its parent, which is at (i - 1) / 2 */
    size_t count, room;
    uint64_t next_order;
    struct log_ratelimit complaints;
};

/*
 * Entries as bytes
 */

size_t schedule_entry_encode(const struct schedule_entry *e, uint8_t *buf, size_t size)
{
    struct codec_writer w = {.at = buf, .left = size, .ok = true};
    unsigned flags = (e->apart ? FLAG_APART : 0) | (e->null_sender ? FLAG_NULL : 0) |
                     (e->want_catch_all ? FLAG_CATCH_ALL : 0) | (e->said_so ? FLAG_SAID_SO : 0) |
                     (e->confirm ? FLAG_CONFIRM : 0);
    char source[NETADDR_TEXT_MAX];

    if (e->first_at < 0 || e->due < 0 || e->last_due < 0 || e->learned_ms < 0)
        return 0;
    codec_put_uint(&w, ENTRY_VERSION, 1);
    codec_put_uint(&w, flags, 1);
    codec_put_uint(&w, (uint64_t)e->first_at, 8);
    codec_put_uint(&w, (uint64_t)e->due, 8);
    codec_put_uint(&w, (uint64_t)e->last_due, 8);
    codec_put_uint(&w, (uint64_t)e->learned_ms, 8);
    codec_put_uint(&w, e->step, 4);
    codec_put_string(&w, netaddr_format(&e->source, source), sizeof(source));
    codec_put_string(&w, e->recipient, sizeof(e->recipient));
    codec_put_string(&w, e->sender, sizeof(e->sender));
    codec_put_string(&w, e->helo, sizeof(e->helo));
    return w.ok ? size - w.left : 0;
}

static void get_source(struct codec_reader *r, struct netaddr *out)
{
    char text[NETADDR_TEXT_MAX] = "", again[NETADDR_TEXT_MAX];

    codec_get_string(r, text, sizeof(text));
    if (text[0] != '\0' &&
        (!netaddr_parse(text, out) || strcmp(netaddr_format(out, again), text) != 0))
        r->ok = false;
}

bool schedule_entry_decode(const uint8_t *buf, size_t len, struct schedule_entry *out)
{
    struct codec_reader r = {.at = buf, .left = len, .ok = true};
    unsigned flags;

    memset(out, 0, sizeof(*out));
    if (codec_get_uint(&r, 1, UINT8_MAX) != ENTRY_VERSION)
        return false;
    flags = (unsigned)codec_get_uint(&r, 1, FLAGS_ALL);
    out->apart = (flags & FLAG_APART) != 0;
    out->null_sender = (flags & FLAG_NULL) != 0;
    out->want_catch_all = (flags & FLAG_CATCH_ALL) != 0;
    out->said_so = (flags & FLAG_SAID_SO) != 0;
    out->confirm = (flags & FLAG_CONFIRM) != 0;
    out->first_at = codec_get_time(&r);
    out->due = codec_get_time(&r);
    out->last_due = codec_get_time(&r);
    out->learned_ms = codec_get_time(&r);
    out->step = (unsigned)codec_get_uint(&r, 4, UINT32_MAX);
    get_source(&r, &out->source);
    codec_get_string(&r, out->recipient, sizeof(out->recipient));
    codec_get_string(&r, out->sender, sizeof(out->sender));
    codec_get_string(&r, out->helo, sizeof(out->helo));
    return r.ok && r.left == 0;
}

/*
 * The heap
 */

static bool before(const struct waiting *a, const struct waiting *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void place(struct schedule *s, size_t at, struct waiting *w)
{
    s->heap[at] = w;
    w->at = at;
}

static void sift_up(struct schedule *s, struct waiting *w)
{
    size_t at = w->at;

    for (; at > 0 && before(w, s->heap[(at - 1) / 2]); at = (at - 1) / 2)
        place(s, at, s->heap[(at - 1) / 2]);
    place(s, at, w);
}

static void sift_down(struct schedule *s, struct waiting *w)
{
    size_t at = w->at, child;

    for (; (child = 2 * at + 1) < s->count; at = child) {
        if (child + 1 < s->count && before(s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s->heap[child], w))
            break;
        place(s, at, s->heap[child]);
    }
    place(s, at, w);
}

static void take_out(struct schedule *s, const struct waiting *w)
{
    struct waiting *last = s->heap[--s->count];

    if (last == w)
        return;
    place(s, w->at, last);
    sift_up(s, last);
    sift_down(s, last);
}

static bool make_room(struct schedule *s)
{
    size_t room = s->room == 0 ? ROOM_FIRST : s->room * 2;
    struct waiting **heap;

    if (s->count < s->room)
        return true;
    heap = reallocarray(s->heap, room, sizeof(struct waiting *));
    if (heap == NULL)
        return false;
    s->heap = heap;
    s->room = room;
    return true;
}

static int compare(const void *a, const void *b)
{
    return before(*(struct waiting *const *)a, *(struct waiting *const *)b) ? -1 : 1;
}

/* What is sorted is a heap. */
static void sort(struct schedule *s)
{
    if (s->count == 0)
        return;
    qsort(s->heap, s->count, sizeof(struct waiting *), compare);
    for (size_t i = 0; i < s->count; i++)
        s->heap[i]->at = i;
}

/*
 * Entries in memory
 */

static void name_key(const uint8_t *key, size_t key_len, char name[RECORD_KEY_SIZE + 1])
{
    str_printable(name, RECORD_KEY_SIZE + 1, (const char *)key, key_len);
}

static void complain(struct schedule *s, const uint8_t *key, size_t key_len, const char *why)
{
    char name[RECORD_KEY_SIZE + 1];

    if (!log_ratelimit(&s->complaints))
        return;
    name_key(key, key_len, name);
    log_warning("schedule: \"%s\" is not asked again: %s; more of this is not logged for a "
                "minute",
                name, why);
}

static struct waiting *find(const struct schedule *s, const uint8_t *key, size_t key_len)
{
    struct waiting *w = NULL;

    HASH_FIND(hh, s->by_key, key, key_len, w);
    return w;
}

static void forget(struct schedule *s, struct waiting *w)
{
    take_out(s, w);
    HASH_DEL(s->by_key, w);
    free(w);
}

static struct waiting *waiting_new(const uint8_t *key, size_t key_len, const uint8_t *value,
                                   size_t value_len)
{
    struct waiting *w = malloc(sizeof(*w) + key_len + value_len);

    if (w == NULL)
        return NULL;
    *w = (struct waiting){.key_len = (uint16_t)key_len, .value_len = (uint16_t)value_len};
    memcpy(w->bytes, key, key_len);
    memcpy(w->bytes + key_len, value, value_len);
    return w;
}

/* In place of what is there. */
static bool keep(struct schedule *s, struct waiting *w, int64_t due)
{
    struct waiting *old = find(s, w->bytes, w->key_len);

    if (old == NULL && s->count >= s->max) {
        complain(s, w->bytes, w->key_len, "as many as are allowed wait already");
        return false;
    }
    if (!make_room(s)) {
        complain(s, w->bytes, w->key_len, "out of memory");
        return false;
    }
    if (old != NULL)
        forget(s, old);
    w->due = due;
    w->order = s->next_order++;
    HASH_ADD_KEYPTR(hh, s->by_key, w->bytes, w->key_len, w);
    place(s, s->count++, w);
    sift_up(s, w);
    return true;
}

static bool keep_encoded(struct schedule *s, const uint8_t *key, size_t key_len,
                         const uint8_t *value, size_t value_len, int64_t due)
{
    struct waiting *w = waiting_new(key, key_len, value, value_len);

    if (w == NULL) {
        complain(s, key, key_len, "out of memory");
        return false;
    }
    if (keep(s, w, due))
        return true;
    free(w);
    return false;
}

static bool entry_of(const struct waiting *w, struct schedule_entry *out)
{
    if (!schedule_entry_decode(w->bytes + w->key_len, w->value_len, out))
        return false;
    out->due = w->due;
    return true;
}

/*
 * From the store
 */

static bool load_one(void *arg, const void *key, size_t key_len, const void *value,
                     size_t value_len)
{
    char name[RECORD_KEY_SIZE + 1];
    struct schedule *s = arg;
    struct schedule_entry e;

    if (key_len <= RECORD_KEY_SIZE && schedule_entry_decode(value, value_len, &e)) {
        (void)keep_encoded(s, key, key_len, value, value_len, e.due);
        return true;
    }
    name_key(key, key_len, name);
    log_warning("store: damaged record ignored: due=\"%s\"", name);
    return true;
}

size_t schedule_load(struct schedule *s, int64_t now_ms, int64_t spread_ms)
{
    if (s->store == NULL)
        return 0;
    (void)store_each(s->store, STORE_TABLE_DUE, now_ms / 1000, load_one, s);
    sort(s);
    for (size_t i = 0; i < s->count && s->heap[i]->due <= now_ms; i++)
        s->heap[i]->due = now_ms + (int64_t)i * spread_ms;
    sort(s);
    return s->count;
}

void schedule_reread(struct schedule *s, const uint8_t *key, size_t key_len, int64_t now_ms)
{
    struct waiting *w = find(s, key, key_len);
    uint8_t value[SCHEDULE_ENTRY_SIZE_MAX];
    size_t len = 0;

    if (w != NULL)
        forget(s, w);
    if (s->store != NULL && store_get(s->store, STORE_TABLE_DUE, key, key_len, now_ms / 1000, value,
                                      sizeof(value), &len) == STORE_OK)
        (void)load_one(s, key, key_len, value, len);
}

void schedule_reread_domain(struct schedule *s, const char *domain, int64_t now_ms)
{
    size_t len = strlen(domain) + 1; /* the NUL belongs to the key */
    struct store_place walk = {.ended = s->store == NULL};
    struct waiting *w, *tmp;

    HASH_ITER (hh, s->by_key, w, tmp)
        if (w->key_len >= len && memcmp(w->bytes, domain, len) == 0)
            forget(s, w);
    while (!walk.ended)
        if (!store_page(s->store, STORE_TABLE_DUE, domain, len, now_ms / 1000, STORE_PAGE_MAX,
                        &walk, load_one, s))
            return;
}

/* Seconds, and rounded up: what is due in the last millisecond is still there. */
int64_t schedule_entry_expires(const struct schedule_entry *e)
{
    return e->last_due / 1000 + (e->last_due % 1000 != 0) + KEPT_AFTER;
}

/*
 * The rest
 */

struct schedule *schedule_new(struct store *store, size_t max)
{
    struct schedule *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->store = store;
    s->max = max;
    return s;
}

void schedule_free(struct schedule **sp)
{
    struct schedule *s = *sp;

    if (s == NULL)
        return;
    HASH_CLEAR(hh, s->by_key);
    for (size_t i = 0; i < s->count; i++)
        free(s->heap[i]);
    free(s->heap);
    free(s);
    *sp = NULL;
}

bool schedule_put(struct schedule *s, const uint8_t *key, size_t key_len,
                  const struct schedule_entry *e)
{
    uint8_t value[SCHEDULE_ENTRY_SIZE_MAX];
    size_t len = schedule_entry_encode(e, value, sizeof(value));

    if (len == 0 || key_len == 0 || key_len > RECORD_KEY_SIZE ||
        !keep_encoded(s, key, key_len, value, len, e->due))
        return false;
    if (s->store != NULL)
        (void)store_put(s->store, STORE_TABLE_DUE, key, key_len, value, len,
                        schedule_entry_expires(e), NULL, NULL);
    return true;
}

bool schedule_get(const struct schedule *s, const uint8_t *key, size_t key_len,
                  struct schedule_entry *out)
{
    const struct waiting *w = find(s, key, key_len);

    return w != NULL && entry_of(w, out);
}

void schedule_remove(struct schedule *s, const uint8_t *key, size_t key_len)
{
    struct waiting *w = find(s, key, key_len);

    if (w == NULL)
        return;
    forget(s, w);
    if (s->store != NULL)
        (void)store_delete(s->store, STORE_TABLE_DUE, key, key_len, NULL, NULL);
}

int64_t schedule_next(const struct schedule *s)
{
    return s->count == 0 ? INT64_MAX : s->heap[0]->due;
}

bool schedule_take(struct schedule *s, int64_t now_ms, int64_t hold_ms, struct schedule_entry *out)
{
    struct waiting *w;

    if (s->count == 0 || s->heap[0]->due > now_ms || !entry_of(s->heap[0], out))
        return false;
    w = s->heap[0];
    w->due = now_ms + hold_ms;
    w->order = s->next_order++;
    sift_down(s, w);
    return true;
}

size_t schedule_count(const struct schedule *s)
{
    return s->count;
}
