/*
 * store: a disk that is full or broken. LMDB's system calls come by here, and those on the data
 * file fail as told.
 */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "clocks.h"
#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

#define META_PAGES_END 8192 /* of the smallest page there is */
#define NOW            2000000000

static struct store_rig rig;
static char value[1024], text[256];

/* errno; 0: they work */
static atomic_int writes_fail, meta_writes_fail, syncs_fail, opens_fail, opens_to_write_fail,
    looks_fail;

static atomic_bool disk_is_full;
static atomic_int disk_was_asked;

static bool is_data(int fd)
{
    struct stat st, data;

    return fstat(fd, &st) == 0 && stat(rig.data, &data) == 0 && st.st_dev == data.st_dev &&
           st.st_ino == data.st_ino;
}

static bool fails(atomic_int *how)
{
    if (atomic_load(how) == 0)
        return false;
    errno = atomic_load(how);
    return true;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    static ssize_t (*real)(int fd, const void *buf, size_t n, off_t offset);

    if (real == NULL)
        real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    if (is_data(fd) && fails(offset < META_PAGES_END ? &meta_writes_fail : &writes_fail))
        return -1;
    return real(fd, buf, n, offset);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    static ssize_t (*real)(int fd, const struct iovec *iov, int count);

    if (real == NULL)
        real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    if (is_data(fd) && fails(&writes_fail))
        return -1;
    return real(fd, iov, count);
}

int fdatasync(int fd)
{
    static int (*real)(int fd);

    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return is_data(fd) && fails(&syncs_fail) ? -1 : real(fd);
}

int open(const char *path, int flags, ...)
{
    static int (*real)(const char *path, int flags, ...);
    mode_t mode = 0;

    if ((flags & O_CREAT) != 0) {
        va_list args;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    if (real == NULL)
        real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    if (strcmp(path, rig.data) == 0 &&
        (fails(&opens_fail) || ((flags & O_ACCMODE) != O_RDONLY && fails(&opens_to_write_fail))))
        return -1;
    return real(path, flags, mode);
}

int lstat(const char *path, struct stat *st)
{
    static int (*real)(const char *path, struct stat *st);

    if (real == NULL)
        real = (int (*)(const char *, struct stat *))dlsym(RTLD_NEXT, "lstat");
    return strcmp(path, rig.data) == 0 && fails(&looks_fail) ? -1 : real(path, st);
}

static void setup(void)
{
    clocks_wall = NOW;
    rig_init_in_memory(&rig);
    rig_open(&rig);
}

static void teardown(void)
{
    rig_remove(&rig);
}

static bool is_failing(void)
{
    return store_failing(rig.store, text, sizeof(text));
}

/* The writer sleeps by a clock of its own, and is woken to look at ours. */
static void let_time_pass(void)
{
    static const struct timespec pause = {.tv_nsec = 2000000};

    atomic_fetch_add(&clocks_ahead_ms, 500);
    store_flush(rig.store);
    (void)nanosleep(&pause, NULL);
}

static void await_recovery(void)
{
    while (is_failing())
        let_time_pass();
}

static void await(atomic_int *what)
{
    while (atomic_load(what) == 0)
        let_time_pass();
}

static void says(const char *what)
{
    ck_assert(is_failing());
    ck_assert_msg(strstr(text, what) != NULL, "%s", text);
}

/* What is there is read, what is put is told failed; then all is as before. */
static void fails_and_recovers(atomic_int *how, int with)
{
    struct store_report r;

    ck_assert(rig_put(&rig, "joe", "valid"));
    ck_assert(!is_failing());
    atomic_store(how, with);
    ck_assert(!rig_put(&rig, "jim", "valid"));
    ck_assert(!rig_put(&rig, "jane", "valid"));
    says("cannot write since 20");
    says("; 2 changes were lost");
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert(store_report(rig.store, &r));
    ck_assert_uint_eq(r.failed, 2);
    atomic_store(how, 0);
    ck_assert(rig_put(&rig, "jill", "valid"));
    ck_assert(!is_failing());
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert_int_eq(rig_get(&rig, "jim", value), STORE_MISS);
    ck_assert_int_eq(rig_get(&rig, "jill", value), STORE_OK);
}

START_TEST(a_full_disk)
{
    fails_and_recovers(&writes_fail, ENOSPC);
}
END_TEST

START_TEST(a_disk_that_became_read_only)
{
    fails_and_recovers(&writes_fail, EROFS);
}
END_TEST

START_TEST(a_disk_that_does_not_sync)
{
    fails_and_recovers(&syncs_fail, EIO);
}
END_TEST

START_TEST(recovers_with_nothing_to_do)
{
    atomic_store(&writes_fail, ENOSPC);
    ck_assert(!rig_put(&rig, "joe", "valid"));
    says("No space left");
    atomic_store(&writes_fail, 0);
    await_recovery();
    ck_assert(rig_put(&rig, "joe", "valid"));
}
END_TEST

int fstatvfs(int fd, struct statvfs *disk)
{
    static int (*real)(int fd, struct statvfs *disk);
    int rc;

    if (real == NULL)
        real = (int (*)(int, struct statvfs *))dlsym(RTLD_NEXT, "fstatvfs");
    rc = real(fd, disk);
    if (rc == 0 && atomic_load(&disk_is_full)) {
        disk->f_bavail = 0;
        atomic_fetch_add(&disk_was_asked, 1);
    }
    return rc;
}

/* There are free pages in the file, so a little can be written all the time. */
START_TEST(a_full_disk_that_has_room_for_little)
{
    atomic_store(&writes_fail, ENOSPC);
    atomic_store(&disk_is_full, true);
    ck_assert(!rig_put(&rig, "joe", "valid"));
    atomic_store(&writes_fail, 0);
    await(&disk_was_asked);
    says("No space left");
    ck_assert(rig_put(&rig, "joe", "valid"));
    ck_assert(is_failing());
    atomic_store(&disk_is_full, false);
    await_recovery();
}
END_TEST

static void is_locked(void)
{
    struct store *second;
    bool in_use = false;

    ck_assert(!store_open(&second, &rig.opts, &in_use, NULL));
    ck_assert(in_use);
}

/* LMDB refuses all work from then on, so its environment is opened again. */
START_TEST(a_meta_page_that_was_not_written)
{
    ck_assert(rig_put(&rig, "joe", "valid"));
    atomic_store(&meta_writes_fail, EIO);
    ck_assert(!rig_put(&rig, "jim", "valid"));
    ck_assert(is_failing());
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert(!rig_put(&rig, "jane", "valid"));
    is_locked();
    atomic_store(&meta_writes_fail, 0);
    await_recovery();
    ck_assert(rig_put(&rig, "jill", "valid"));
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert_int_eq(rig_get(&rig, "jill", value), STORE_OK);
}
END_TEST

START_TEST(a_store_that_cannot_be_opened_again)
{
    struct store_report r;
    uint64_t count;

    ck_assert(rig_put(&rig, "joe", "valid"));
    atomic_store(&opens_fail, EIO);
    atomic_store(&meta_writes_fail, EIO);
    ck_assert(!rig_put(&rig, "jim", "valid"));
    ck_assert(!rig_put(&rig, "jim", "valid"));
    ck_assert(!rig_delete(&rig, "joe"));
    ck_assert(store_forget(rig.store, STORE_TABLE_ADDRESS, "j", 1, &count, NULL, NULL));
    store_flush(rig.store);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_ERROR);
    ck_assert(!store_report(rig.store, &r));
    ck_assert(is_failing());
    is_locked();
    atomic_store(&meta_writes_fail, 0);
    atomic_store(&opens_fail, 0);
    await_recovery();
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert(rig_put(&rig, "jill", "valid"));
}
END_TEST

/* As where the file system became read-only at the wrong moment. */
START_TEST(a_store_that_can_only_be_read)
{
    struct store_report r;

    ck_assert(rig_put(&rig, "joe", "valid"));
    atomic_store(&opens_to_write_fail, EROFS);
    atomic_store(&meta_writes_fail, EROFS);
    ck_assert(!rig_put(&rig, "jim", "valid"));
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert_str_eq(value, "valid");
    ck_assert(!rig_put(&rig, "jim", "valid"));
    ck_assert(!rig_delete(&rig, "joe"));
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert(store_report(rig.store, &r));
    says("Read-only file system");
    is_locked();
    atomic_store(&meta_writes_fail, 0);
    atomic_store(&opens_to_write_fail, 0);
    await_recovery();
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    ck_assert(rig_put(&rig, "jim", "valid"));
    ck_assert_int_eq(rig_get(&rig, "jim", value), STORE_OK);
}
END_TEST

START_TEST(closes_while_it_cannot_be_opened_again)
{
    ck_assert(rig_put(&rig, "joe", "valid"));
    atomic_store(&opens_fail, EIO);
    atomic_store(&meta_writes_fail, EIO);
    ck_assert(!rig_put(&rig, "jim", "valid"));
    store_close(&rig.store);
    atomic_store(&meta_writes_fail, 0);
    atomic_store(&opens_fail, 0);
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
}
END_TEST

/* What can't be looked at is not taken for missing, and replaced. */
START_TEST(a_store_that_cannot_be_looked_at)
{
    struct error err;

    ck_assert(rig_put(&rig, "joe", "valid"));
    store_close(&rig.store);
    atomic_store(&looks_fail, EIO);
    ck_assert(!store_open(&rig.store, &rig.opts, NULL, &err));
    ck_assert_msg(strstr(err.text, rig.data) != NULL, "%s", err.text);
    atomic_store(&looks_fail, 0);
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
}
END_TEST

#define READ_THREADS 4

static atomic_bool reading;

static bool see_joe(void *arg, const void *key, size_t key_len, const void *val, size_t value_len)
{
    (void)key;
    *(bool *)arg = key_len == 3 && value_len == 5 && memcmp(val, "valid", 5) == 0;
    return false;
}

/* What is there, or an error: nothing else. */
static void *read_joe(void *arg)
{
    char out[64];
    size_t len;

    (void)arg;
    while (atomic_load(&reading)) {
        enum store_result result =
            store_get(rig.store, STORE_TABLE_ADDRESS, "joe", 3, RIG_NOW, out, sizeof(out), &len);
        bool seen = false;

        if (result != STORE_ERROR && (result != STORE_OK || len != 5))
            return "joe is not there";
        if (store_each(rig.store, STORE_TABLE_ADDRESS, RIG_NOW, see_joe, &seen) && !seen)
            return "the walk does not see joe";
    }
    return NULL;
}

START_TEST(is_opened_again_under_its_readers)
{
    pthread_t threads[READ_THREADS];
    void *complaint;

    ck_assert(rig_put(&rig, "joe", "valid"));
    atomic_store(&reading, true);
    for (int i = 0; i < READ_THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_joe, NULL), 0);
    for (int i = 0; i < 4; i++) {
        atomic_store(&meta_writes_fail, EIO);
        ck_assert(!rig_put(&rig, "zoe", "valid"));
        atomic_store(&meta_writes_fail, 0);
        await_recovery();
        ck_assert(rig_put(&rig, "zoe", "valid"));
    }
    atomic_store(&reading, false);
    for (int i = 0; i < READ_THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &complaint), 0);
        ck_assert_msg(complaint == NULL, "%s", (char *)complaint);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_failing");
    TCase *tc = tcase_create("failing");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 180);
    tcase_add_test(tc, a_full_disk);
    tcase_add_test(tc, a_disk_that_became_read_only);
    tcase_add_test(tc, a_disk_that_does_not_sync);
    tcase_add_test(tc, recovers_with_nothing_to_do);
    tcase_add_test(tc, a_full_disk_that_has_room_for_little);
    tcase_add_test(tc, a_meta_page_that_was_not_written);
    tcase_add_test(tc, a_store_that_cannot_be_opened_again);
    tcase_add_test(tc, a_store_that_can_only_be_read);
    tcase_add_test(tc, closes_while_it_cannot_be_opened_again);
    tcase_add_test(tc, a_store_that_cannot_be_looked_at);
    tcase_add_test(tc, is_opened_again_under_its_readers);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
