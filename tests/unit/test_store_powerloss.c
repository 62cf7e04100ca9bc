/*
 * store: a loss of power at any point of a load, by a disk that keeps any part of what was not
 * synced. What is left opens, is sound, has all that was acknowledged and nothing that was never
 * put.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"
#include "dice.h"
#include "disk_log.h"
#include "lmdb_pages.h"
#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

#define KEYS        600
#define GROUPS      20 /* of keys that begin alike */
#define CHANGES_MAX 20000
#define HISTORY_MAX 1000
#define LONG_LOAD   200 /* commits, in which everything happens */
#define NEVER       SIZE_MAX
#define NOW         1 /* of the reads: nothing is hidden that is there */
#define EXPIRED     1000
#define SOON        4000000000

/* One point of so many is tried, as a sanitizer makes each take several times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ONE_CUT_IN 6
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ONE_CUT_IN 6
#endif
#endif
#ifndef ONE_CUT_IN
#define ONE_CUT_IN 1
#endif

enum op { OP_PUT, OP_DELETE, OP_FORGET };

/* A change, and what came of it. The value of a put says which change put it. */
struct change {
    enum op op;
    unsigned key; /* of a forget: any of the group */
    size_t len;
    int64_t expires;
    size_t queued_at; /* the disk's count of events then */
    size_t acked_at;  /* NEVER: not */
    bool failed;
    uint64_t forgotten;
};

struct load {
    uint64_t seed;
    unsigned commits;
    unsigned lasting; /* keys below never have to make room */
    uint64_t size;
};

static struct store_rig rig;
static struct change changes[CHANGES_MAX];
static unsigned change_count;

/* The changes that concern a key, by their numbers. */
static struct history {
    unsigned changes[HISTORY_MAX];
    unsigned count;
} histories[KEYS];

static void setup(void)
{
    clocks_wall = EXPIRED + 1; /* not so long ago that the clock is doubted */
    rig_init(&rig);
    rig.opts.commit_ms = 60000;
    rig.opts.commit_max = 100000;
    change_count = 0;
}

static void teardown(void)
{
    disk_log_free();
    rig_remove(&rig);
}

static enum store_table table_of(unsigned key)
{
    return (enum store_table)(key % STORE_TABLE_COUNT);
}

/* Keys of a group are of one table: GROUPS is a multiple of the tables' number. */
static size_t key_text(unsigned key, char out[STORE_KEY_MAX])
{
    return (size_t)snprintf(out, STORE_KEY_MAX, "%02u/%0*u", key % GROUPS, (int)(1 + key % 90),
                            key);
}

static void fill_value(unsigned number, uint8_t *out, size_t len)
{
    struct dice d = {number};

    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t n = dice_throw(&d, UINT64_MAX);

        memcpy(out + i, &n, len - i < sizeof(n) ? len - i : sizeof(n));
    }
    memcpy(out, &number, sizeof(number));
}

static void acknowledge(void *arg, bool committed)
{
    struct change *c = arg;

    if (committed)
        c->acked_at = disk_log_count();
    else
        c->failed = true;
}

static bool queue(struct change *c)
{
    uint8_t value[STORE_VALUE_MAX];
    char key[STORE_KEY_MAX];
    size_t len = key_text(c->key, key);

    switch (c->op) {
    case OP_DELETE:
        return store_delete(rig.store, table_of(c->key), key, len, acknowledge, c);
    case OP_FORGET:
        return store_forget(rig.store, table_of(c->key), key, 3, &c->forgotten, acknowledge, c);
    default:
        fill_value((unsigned)(c - changes), value, c->len);
        return store_put(rig.store, table_of(c->key), key, len, value, c->len, c->expires,
                         acknowledge, c);
    }
}

static void make_change(const struct load *l, struct dice *d)
{
    static const size_t lengths[] = {4, 20, 100, 100, 300, 300, 1500, 3000, 5000, STORE_VALUE_MAX};
    struct change *c = &changes[change_count];
    uint64_t die = dice_throw(d, 100);

    ck_assert_uint_lt(change_count, CHANGES_MAX);
    *c = (struct change){.key = (unsigned)dice_throw(d, KEYS), .acked_at = NEVER};
    c->op = die < 80 ? OP_PUT : die < 98 ? OP_DELETE : OP_FORGET;
    c->len = lengths[dice_throw(d, c->key < l->lasting ? 6 : 10)];
    c->expires = dice_throw(d, 10) == 0 ? EXPIRED : c->key < l->lasting ? INT64_MAX : SOON;
    c->queued_at = disk_log_count();
    change_count++;
    ck_assert(queue(c));
}

static void write_histories(void)
{
    memset(histories, 0, sizeof(histories));
    for (unsigned n = 0; n < change_count; n++) {
        unsigned step = changes[n].op == OP_FORGET ? GROUPS : KEYS;

        for (unsigned key = changes[n].key % step; key < KEYS; key += step) {
            struct history *h = &histories[key];

            ck_assert_uint_lt(h->count, HISTORY_MAX);
            h->changes[h->count++] = n;
        }
    }
}

/* It was of all kinds. */
static void check_work(const struct load *l)
{
    struct store_report report;
    uint64_t forgotten = 0;

    for (unsigned n = 0; n < change_count; n++)
        forgotten += changes[n].forgotten;
    ck_assert(store_report(rig.store, &report));
    ck_assert_uint_gt(forgotten, 0);
    ck_assert_uint_gt(report.swept, 0);
    ck_assert(l->lasting == 0 || report.evicted > 0);
}

/* Ends with the log of all it did to the file, from its first octet on where `from_birth`. */
static void work(const struct load *l, bool from_birth)
{
    struct dice d = {l->seed};

    rig.opts.size = l->size;
    if (from_birth)
        disk_log_begin(rig.data);
    rig_open(&rig);
    if (!from_birth)
        disk_log_begin(rig.data);
    for (unsigned i = 0; i < l->commits; i++) {
        unsigned most = i % 16 == 15 ? 200 : 12;

        for (uint64_t n = 1 + dice_throw(&d, most); n > 0; n--)
            make_change(l, &d);
        store_flush(rig.store);
    }
    if (l->commits >= LONG_LOAD)
        check_work(l);
    store_close(&rig.store);
    disk_log_end();
    write_histories();
    ck_assert_uint_gt(disk_log_count(), l->commits);
}

/*
 * What is left
 */

struct verdict {
    const struct load *load;
    size_t cut;
    uint64_t doubt;     /* the seed of what was lost */
    unsigned found;     /* records */
    char problem[1200]; /* "": none */
};

static void complain(struct verdict *v, const char *what, unsigned key)
{
    if (v->problem[0] == '\0')
        (void)snprintf(
            v->problem, sizeof(v->problem), "load %llu, after event %zu, loss %llu: %s (key %u)",
            (unsigned long long)v->load->seed, v->cut, (unsigned long long)v->doubt, what, key);
}

/* The last change of a key that has to be there, or a later one, as a place in its history; -1:
   none has to. */
static int last_acked(const struct history *h, size_t cut)
{
    for (int i = (int)h->count - 1; i >= 0; i--)
        if (changes[h->changes[i]].acked_at <= cut)
            return i;
    return -1;
}

static bool may_be_missing(const struct verdict *v, const struct history *h, int from)
{
    for (unsigned i = from < 0 ? 0 : (unsigned)from; i < h->count; i++) {
        const struct change *c = &changes[h->changes[i]];

        if (!c->failed && c->queued_at <= v->cut &&
            (c->op != OP_PUT || c->expires == EXPIRED ||
             (c->expires == SOON && v->load->lasting > 0)))
            return true;
    }
    return from < 0;
}

/* `oldest`: the change that it may be at least. */
static void check_value(struct verdict *v, unsigned key, unsigned oldest, const uint8_t *value,
                        size_t len)
{
    uint8_t wanted[STORE_VALUE_MAX];
    const struct change *c;
    unsigned number;

    memcpy(&number, value, sizeof(number));
    c = &changes[number];
    if (number >= change_count || c->op != OP_PUT || c->key != key || c->failed ||
        c->queued_at > v->cut) {
        complain(v, "a value that nobody put", key);
        return;
    }
    if (number < oldest)
        complain(v, "an older value than the acknowledged one", key);
    fill_value(number, wanted, c->len);
    if (len != c->len || memcmp(value, wanted, len) != 0)
        complain(v, "another value than was put", key);
}

static void check_key(struct verdict *v, unsigned key)
{
    const struct history *h = &histories[key];
    int from = last_acked(h, v->cut);
    uint8_t value[STORE_VALUE_MAX];
    char text[STORE_KEY_MAX];
    size_t len, text_len = key_text(key, text);

    switch (store_get(rig.store, table_of(key), text, text_len, NOW, value, sizeof(value), &len)) {
    case STORE_OK:
        v->found++;
        check_value(v, key, from < 0 ? 0 : h->changes[from], value, len);
        break;
    case STORE_MISS:
        if (!may_be_missing(v, h, from))
            complain(v, "an acknowledged value is missing", key);
        break;
    case STORE_BAD:
        complain(v, "a damaged value", key);
        break;
    case STORE_ERROR:
        complain(v, "cannot be read", key);
        break;
    }
}

static bool count_record(void *arg, const void *key, size_t key_len, const void *value,
                         size_t value_len)
{
    unsigned *count = arg;

    (void)key;
    (void)key_len;
    (void)value;
    (void)value_len;
    ++*count;
    return true;
}

/* Sweeping may go on meanwhile: a walk sees no more than were read before, and no fewer than after.
 */
static void check_walks(struct verdict *v)
{
    unsigned walked = 0;

    for (int t = 0; t < STORE_TABLE_COUNT; t++)
        if (!store_each(rig.store, (enum store_table)t, NOW, count_record, &walked))
            complain(v, "cannot be walked", 0);
    if (walked > v->found)
        complain(v, "there is more than was put", 0);
    if (walked == v->found)
        return;
    v->found = 0;
    for (unsigned key = 0; key < KEYS; key++)
        check_key(v, key);
    if (walked < v->found)
        complain(v, "a walk passes records by", 0);
}

static void write_file(const struct disk_image *image)
{
    int fd;

    if (image->absent) {
        (void)unlink(rig.data);
        return;
    }
    fd = open(rig.data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, image->bytes, image->len), (ssize_t)image->len);
    ck_assert_int_eq(ftruncate(fd, (off_t)image->len), 0);
    close(fd);
}

static void check_open(struct verdict *v)
{
    struct error err;

    if (!store_open(&rig.store, &rig.opts, NULL, &err)) {
        complain(v, err.text, 0);
        return;
    }
    for (unsigned key = 0; key < KEYS; key++)
        check_key(v, key);
    check_walks(v);
    if (!rig_put(&rig, "joe", "and it can be written"))
        complain(v, "cannot be written", 0);
    store_close(&rig.store);
}

/* What LMDB would fall over is not given to it. */
static void check_image(struct verdict *v, const struct disk_image *image)
{
    const char *unsound = image->absent ? NULL : lmdb_pages_check(image->bytes, image->len);

    if (unsound != NULL) {
        complain(v, unsound, 0);
        return;
    }
    write_file(image);
    check_open(v);
}

static void check_cut(const struct load *l, struct disk_replay *r, uint64_t doubt,
                      struct disk_image *image, struct verdict *v)
{
    *v = (struct verdict){.load = l, .cut = r->at, .doubt = doubt};
    disk_replay_lose_power(r, doubt, image);
    check_image(v, image);
}

/* Before and after every sync, and at some points between; the last sometimes with all or none of
   what is in doubt. */
static void check_all_cuts(const struct load *l)
{
    struct disk_replay replay = {0};
    struct disk_image image = {0};
    struct dice d = {l->seed};
    unsigned cuts = 0;
    struct verdict v;

    disk_replay_begin(&replay);
    for (size_t n = 0; n < disk_log_count(); n++) {
        bool here = disk_log_is_sync(n) || (n > 0 && disk_log_is_sync(n - 1));

        if (dice_throw(&d, here ? ONE_CUT_IN : 8 * ONE_CUT_IN) != 0)
            continue;
        disk_replay_to(&replay, n);
        check_cut(l, &replay, dice_throw(&d, 10), &image, &v);
        ck_assert_msg(v.problem[0] == '\0', "%s", v.problem);
        cuts++;
    }
    disk_replay_to(&replay, disk_log_count());
    check_cut(l, &replay, 0, &image, &v);
    ck_assert_msg(v.problem[0] == '\0', "%s", v.problem);
    ck_assert_uint_gt(v.found, 0);
    ck_assert_uint_gt(cuts, l->commits / ONE_CUT_IN);
    disk_image_free(&image);
    disk_replay_free(&replay);
}

START_TEST(nothing_acknowledged_is_lost)
{
    struct load load = {.seed = 1, .commits = 300, .size = 64u << 20};

    work(&load, false);
    check_all_cuts(&load);
}
END_TEST

START_TEST(nor_where_some_must_make_room)
{
    struct load load = {.seed = 2, .commits = 200, .lasting = 100, .size = 700u << 10};

    work(&load, false);
    check_all_cuts(&load);
}
END_TEST

/* Every event, and what it leaves in doubt, many times over. */
START_TEST(a_store_is_made_whole_or_not_at_all)
{
    struct load load = {.seed = 4, .commits = 3, .size = 64u << 20};
    struct disk_replay replay = {0};
    struct disk_image image = {0};
    struct verdict v;

    work(&load, true);
    disk_replay_begin(&replay);
    for (size_t n = 0; n <= disk_log_count(); n++) {
        disk_replay_to(&replay, n);
        for (uint64_t doubt = 0; doubt < 20; doubt++) {
            check_cut(&load, &replay, doubt, &image, &v);
            ck_assert_msg(v.problem[0] == '\0', "%s", v.problem);
        }
    }
    disk_image_free(&image);
    disk_replay_free(&replay);
}
END_TEST

/* How many of the losses of power at such a disk are found out. */
static unsigned count_found_out(const struct load *l)
{
    struct disk_replay replay = {.ignore_syncs = true};
    struct disk_image image = {0};
    unsigned found_out = 0;
    struct verdict v;

    disk_replay_begin(&replay);
    for (size_t n = 20; n < disk_log_count(); n += 20) {
        disk_replay_to(&replay, n);
        check_cut(l, &replay, n, &image, &v);
        found_out += v.problem[0] != '\0';
    }
    disk_image_free(&image);
    disk_replay_free(&replay);
    return found_out;
}

START_TEST(a_disk_that_lies_is_found_out)
{
    struct load load = {.seed = 3, .commits = 40, .size = 64u << 20};

    work(&load, false);
    ck_assert_uint_gt(count_found_out(&load), disk_log_count() / 20 / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_powerloss");
    TCase *tc = tcase_create("powerloss");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, nothing_acknowledged_is_lost);
    tcase_add_test(tc, nor_where_some_must_make_room);
    tcase_add_test(tc, a_store_is_made_whole_or_not_at_all);
    tcase_add_test(tc, a_disk_that_lies_is_found_out);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
