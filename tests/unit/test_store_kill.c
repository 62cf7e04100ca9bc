/*
 * store: kill -9 at random moments of a load, on a store that grows. CALLOUTD_KILLS says how many;
 * CALLOUTD_SEED, which moments.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dice.h"
#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

#define KILLS   60
#define AT_ONCE 64    /* changes that nobody waits for */
#define RECENT  20000 /* changes that are looked at after every kill; all of them at the end */
#define BLOCK   256   /* keys that are forgotten together */
#define NEVER   UINT32_MAX

static struct store_rig rig;
static struct dice dice;
static uint64_t seed;

static void setup(void)
{
    rig_init(&rig);
    rig.opts.size = 1u << 30;
}

static void teardown(void)
{
    rig_remove(&rig);
}

/*
 * The changes, numbered from 0: what each does, and so what is there after any of them, follows
 * from its number. Most put a record of their own number; some delete a late one, or forget a block
 * of old ones.
 */

static bool is_forget(uint32_t n)
{
    return n % 4096 == 4095;
}

static bool is_delete(uint32_t n)
{
    return n % 16 == 15 && !is_forget(n);
}

static bool is_put(uint32_t n)
{
    return n % 16 != 15;
}

/* The change that takes record n away. */
static uint32_t end_of(uint32_t n)
{
    uint32_t block = n / BLOCK;

    if (n % 16 == 7 && is_delete(n + 8))
        return n + 8;
    return block % 16 == 3 ? block * BLOCK + 12 * BLOCK + BLOCK - 1 : NEVER;
}

static size_t length_of(uint32_t n)
{
    return 20 + n % 400 + (n % 97 == 0 ? 5000 : 0);
}

static size_t key_of(uint32_t n, uint8_t key[4])
{
    for (int i = 0; i < 4; i++)
        key[i] = (uint8_t)(n >> (24 - 8 * i));
    return 4;
}

static void fill(uint32_t n, uint8_t *value, size_t len)
{
    struct dice d = {n};

    for (size_t i = 0; i < len; i++)
        value[i] = (uint8_t)dice_throw(&d, 256);
}

static bool make_change(uint32_t n, store_done done, void *arg)
{
    static uint64_t forgotten;
    uint8_t key[4], value[STORE_VALUE_MAX];

    if (is_put(n)) {
        fill(n, value, length_of(n));
        return store_put(rig.store, STORE_TABLE_ADDRESS, key, key_of(n, key), value, length_of(n),
                         INT64_MAX - n, done, arg);
    }
    if (is_delete(n))
        return store_delete(rig.store, STORE_TABLE_ADDRESS, key, key_of(n - 8, key), done, arg);
    (void)key_of(n - 12 * BLOCK, key);
    return store_forget(rig.store, STORE_TABLE_ADDRESS, key, 3, &forgotten, done, arg);
}

/*
 * The child
 */

struct ack {
    uint32_t number;
    int pipe;
};

static void acknowledge(void *arg, bool committed)
{
    struct ack *a = arg;

    if (!committed || write(a->pipe, &a->number, sizeof(a->number)) != sizeof(a->number))
        _exit(1);
    free(a);
}

/* Makes changes without end, one after the other, and says which are committed. */
static void write_until_killed(uint32_t number, int fd)
{
    rig_open(&rig);
    for (;; number++) {
        struct ack *a = malloc(sizeof(*a));

        if (a == NULL)
            _exit(1);
        *a = (struct ack){number, fd};
        if (!make_change(number, acknowledge, a))
            _exit(1);
        if (number % AT_ONCE == 0)
            store_flush(rig.store);
    }
}

/*
 * The parent
 */

static void pass(uint64_t microseconds)
{
    struct timespec ts = {0, (long)microseconds * 1000};

    (void)nanosleep(&ts, NULL);
}

/* Kills the child some time after some acknowledgements; how many changes were acknowledged at
 * last. */
static uint32_t kill_under_load(uint32_t first)
{
    uint64_t acks = 1 + dice_throw(&dice, 400), later = dice_throw(&dice, 3000);
    uint32_t number, next = first;
    int fds[2], status;
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(fds[0]);
        write_until_killed(first, fds[1]);
    }
    close(fds[1]);
    while (read(fds[0], &number, sizeof(number)) == sizeof(number)) {
        ck_assert_uint_eq(number, next);
        if (++next == first + acks) {
            pass(later);
            ck_assert_int_eq(kill(pid, SIGKILL), 0);
        }
    }
    close(fds[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                  "seed %llu: the child ended by itself after %u", (unsigned long long)seed, next);
    return next;
}

/* Whether record n is there as it was put. */
static bool is_there(uint32_t n)
{
    uint8_t key[4], value[STORE_VALUE_MAX], wanted[STORE_VALUE_MAX];
    size_t len = 0;
    enum store_result result = store_get(rig.store, STORE_TABLE_ADDRESS, key, key_of(n, key),
                                         RIG_NOW, value, sizeof(value), &len);

    ck_assert_msg(result == STORE_OK || result == STORE_MISS, "seed %llu: record %u cannot be read",
                  (unsigned long long)seed, n);
    if (result == STORE_MISS)
        return false;
    fill(n, wanted, length_of(n));
    ck_assert_msg(len == length_of(n) && memcmp(value, wanted, len) == 0,
                  "seed %llu: record %u is another", (unsigned long long)seed, n);
    return true;
}

/* After `done` changes were acknowledged. A few more may have been made: nobody heard of them, and
   they will be made again. */
static void check_record(uint32_t n, uint32_t done)
{
    uint32_t end = end_of(n);
    bool there = is_there(n);

    if (!is_put(n) || (end != NEVER && end < done))
        ck_assert_msg(!there, "seed %llu: record %u should be gone after %u changes",
                      (unsigned long long)seed, n, done);
    else if (n < done && (end == NEVER || end > done + AT_ONCE))
        ck_assert_msg(there, "seed %llu: record %u is lost after %u changes",
                      (unsigned long long)seed, n, done);
}

static void check_records(uint32_t first, uint32_t done)
{
    for (uint32_t n = first; n < done + AT_ONCE; n++)
        check_record(n, done);
    ck_assert(!is_there(done + 2 * AT_ONCE));
}

/* Opens it; how long that took, in microseconds. */
static long open_again(void)
{
    struct timespec before, after;

    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    rig_open(&rig);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

static int compare(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return x < y ? -1 : x > y;
}

static long median(long *times, unsigned count)
{
    qsort(times, count, sizeof(*times), compare);
    return times[count / 2];
}

static void tell(long *times, unsigned kills, uint32_t done)
{
    unsigned part = kills < 200 ? (kills + 1) / 2 : 100;

    printf("%u kills, %u changes; opened in %ld us at first, in %ld us at last (medians of %u)\n",
           kills, done, median(times, part), median(times + kills - part, part), part);
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

START_TEST(kill_9_loses_nothing_acknowledged)
{
    unsigned kills = from_environment("CALLOUTD_KILLS", KILLS);
    long *times = calloc(kills, sizeof(*times));
    uint32_t done = 0;

    ck_assert_ptr_nonnull(times);
    dice.seed = seed = from_environment("CALLOUTD_SEED", 1);
    for (unsigned i = 0; i < kills; i++) {
        done = kill_under_load(done);
        times[i] = open_again();
        check_records(done < RECENT || i == kills - 1 ? 0 : done - RECENT, done);
        ck_assert(rig_put(&rig, "joe", "and it can be written"));
        store_close(&rig.store);
    }
    tell(times, kills, done);
    free(times);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_kill");
    TCase *tc = tcase_create("kill");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 1800);
    tcase_add_test(tc, kill_9_loses_nothing_acknowledged);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
