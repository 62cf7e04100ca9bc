/* store: what is opened, what is refused and how it is said, and what a kill -9 leaves. */
#include <check.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

static struct store_rig rig;
static char value[1024];

static void setup(void)
{
    rig_init(&rig);
}

static void teardown(void)
{
    rig_remove(&rig);
}

/* Opening fails, for a reason that names the path and says `why`. */
static void refused(const char *path, const char *why)
{
    struct error err = {""};
    struct store *s = NULL;
    bool in_use = true;

    ck_assert(!store_open(&s, &rig.opts, &in_use, &err));
    ck_assert_ptr_null(s);
    ck_assert(!in_use);
    ck_assert_msg(strstr(err.text, path) != NULL && strstr(err.text, why) != NULL, "%s", err.text);
}

static off_t data_length(void)
{
    struct stat st;

    ck_assert_int_eq(stat(rig.data, &st), 0);
    return st.st_size;
}

START_TEST(is_open_once_only)
{
    struct store *second = NULL;
    struct error err;
    bool in_use = false;

    rig_open(&rig);
    ck_assert(!store_open(&second, &rig.opts, &in_use, &err));
    ck_assert(in_use);
    ck_assert_ptr_nonnull(strstr(err.text, rig.opts.dir));
    ck_assert(!store_open(&second, &rig.opts, NULL, NULL));
    ck_assert(rig_put(&rig, "joe", "the first goes on"));
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
    store_close(&rig.store);
    store_close(&rig.store);
    rig_open(&rig);
}
END_TEST

START_TEST(is_open_in_one_process_only)
{
    bool in_use = false;
    int status;
    pid_t pid;

    rig_open(&rig);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct store *second;

        _exit(!store_open(&second, &rig.opts, &in_use, NULL) && in_use ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

static void write_format(const void *format, size_t len)
{
    MDB_val key = {6, "format"}, data = {len, (void *)(uintptr_t)format};
    MDB_env *env = rig_raw_open(&rig);
    MDB_txn *txn;
    MDB_dbi dbi;

    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
    ck_assert_int_eq(mdb_put(txn, dbi, &key, &data, 0), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(other_formats_are_refused)
{
    rig_open(&rig);
    ck_assert(rig_put(&rig, "joe", "valid"));
    store_close(&rig.store);
    write_format("\3\0\0\0", 4);
    refused(rig.data, "has format 3, but this calloutd reads none above 2");
    write_format("\0\0\0\1", 4);
    refused(rig.data, "has format 16777216");
    write_format("\1", 1);
    refused(rig.data, "not a store of calloutd");
    write_format("\0\0\0\0", 4);
    refused(rig.data, "not a store of calloutd");
    write_format("\2\0\0\0", 4);
    rig_open(&rig);
    ck_assert_int_eq(rig_get(&rig, "joe", value), STORE_OK);
}
END_TEST

static void write_data(const char *text, size_t times)
{
    int fd = open(rig.data, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    for (size_t i = 0; i < times; i++)
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

START_TEST(garbage_is_refused)
{
    write_data("x", 1);
    refused(rig.data, "not an LMDB file");
    write_data("not a database", 10000);
    refused(rig.data, "not an LMDB file");
    ck_assert_int_eq(data_length(), 140000);
}
END_TEST

START_TEST(an_empty_file_is_a_new_store)
{
    write_data("", 1);
    rig_open(&rig);
    ck_assert(rig_put(&rig, "joe", "valid"));
}
END_TEST

START_TEST(a_file_cut_short_is_refused)
{
    long page = sysconf(_SC_PAGESIZE);
    off_t whole;

    rig_open(&rig);
    for (uint32_t i = 0; i < 300; i++)
        ck_assert(rig_put_number(rig.store, i, 3000, NULL, NULL));
    store_close(&rig.store);
    whole = data_length();
    ck_assert_int_gt(whole, 100 * page);
    for (off_t length = whole - 1; length > 2 * page; length -= 7 * page + 1000) {
        ck_assert_int_eq(truncate(rig.data, length), 0);
        refused(rig.data, "was cut short");
        ck_assert_int_eq(data_length(), length);
    }
    ck_assert_int_eq(truncate(rig.data, page), 0);
    refused(rig.data, "not an LMDB file");
}
END_TEST

/* Changes of one transaction: values come and go in it, and some of their pages are never written.
 */
static void come_and_go(uint32_t seed)
{
    for (uint32_t i = 0; i < 60; i++)
        ck_assert(rig_put_number(rig.store, seed + i, STORE_VALUE_MAX, NULL, NULL));
    for (uint32_t i = 5; i < 60; i++) {
        uint32_t number = seed + i;

        ck_assert(
            store_delete(rig.store, STORE_TABLE_ADDRESS, &number, sizeof(number), NULL, NULL));
    }
    store_flush(rig.store);
}

static bool lacks_pages(void)
{
    MDB_env *env = rig_raw_open(&rig);
    MDB_envinfo info;

    ck_assert_int_eq(mdb_env_info(env, &info), 0);
    mdb_env_close(env);
    return data_length() < (off_t)(info.me_last_pgno + 1) * sysconf(_SC_PAGESIZE);
}

START_TEST(a_file_that_lacks_free_pages_is_sound)
{
    unsigned lacking = 0;

    rig.opts.commit_ms = 60000;
    rig.opts.commit_max = 1000;
    for (uint32_t round = 1; round <= 40; round++) {
        rig_open(&rig);
        for (uint32_t kept = 1000; kept < round * 1000; kept += 1000)
            ck_assert(rig_has_number(rig.store, kept, STORE_VALUE_MAX));
        come_and_go(round * 1000);
        store_close(&rig.store);
        lacking += lacks_pages();
    }
    ck_assert_uint_gt(lacking, 0);
}
END_TEST

START_TEST(what_cannot_be_written_is_named)
{
    char path[1100];
    int status;
    pid_t pid;

    (void)snprintf(path, sizeof(path), "%s/store.lock", rig.opts.dir);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct error err = {""};
        struct store *s;

        if (chmod(rig.opts.dir, 0500) != 0 || (geteuid() == 0 && setuid(65534) != 0))
            _exit(2);
        if (store_open(&s, &rig.opts, NULL, &err) || strstr(err.text, path) == NULL ||
            strstr(err.text, "Permission denied") == NULL)
            _exit(1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(chmod(rig.opts.dir, 0700), 0);
    (void)snprintf(rig.opts.dir, sizeof(rig.opts.dir), "/proc/nowhere");
    refused("/proc/nowhere/store.lock", "No such file");
    (void)snprintf(rig.opts.dir, sizeof(rig.opts.dir), "%.*s",
                   (int)(strrchr(rig.data, '/') - rig.data), rig.data);
}
END_TEST

struct ack {
    uint32_t number;
    int pipe;
};

static void acknowledge(void *arg, bool committed)
{
    struct ack *a = arg;

    if (committed && write(a->pipe, &a->number, sizeof(a->number)) != sizeof(a->number))
        _exit(1);
    free(a);
}

/* Puts without end, one number after the other, and says which are committed. */
static void write_until_killed(uint32_t number, int fd)
{
    rig_open(&rig);
    for (;; number++) {
        struct ack *a = malloc(sizeof(*a));

        if (a == NULL)
            _exit(1);
        *a = (struct ack){number, fd};
        if (!rig_put_number(rig.store, number, 20 + number % 400, acknowledge, a))
            _exit(1);
        if (number % 64 == 0)
            store_flush(rig.store);
    }
}

/* Kills the writer after `acks` acknowledgements; the last one that it got out. */
static uint32_t kill_under_load(uint32_t first, unsigned acks)
{
    uint32_t number, last = first - 1;
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
    for (unsigned n = 0; read(fds[0], &number, sizeof(number)) == sizeof(number); n++) {
        ck_assert_uint_eq(number, last + 1);
        last = number;
        if (n == acks)
            ck_assert_int_eq(kill(pid, SIGKILL), 0);
    }
    close(fds[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return last;
}

START_TEST(kill_9_loses_nothing_acknowledged)
{
    uint32_t last = 0;

    for (unsigned round = 0; round < 12; round++) {
        uint32_t old = last;

        last = kill_under_load(last + 1, 1 + round * 97 % 700);
        ck_assert_uint_gt(last, old);
        rig_open(&rig);
        for (uint32_t n = 1; n <= last; n++)
            ck_assert(rig_has_number(rig.store, n, 20 + n % 400));
        ck_assert(rig_put(&rig, "joe", "and it can be written"));
        store_close(&rig.store);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_opening");
    TCase *tc = tcase_create("opening");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, is_open_once_only);
    tcase_add_test(tc, is_open_in_one_process_only);
    tcase_add_test(tc, other_formats_are_refused);
    tcase_add_test(tc, garbage_is_refused);
    tcase_add_test(tc, an_empty_file_is_a_new_store);
    tcase_add_test(tc, a_file_cut_short_is_refused);
    tcase_add_test(tc, a_file_that_lacks_free_pages_is_sound);
    tcase_add_test(tc, what_cannot_be_written_is_named);
    tcase_add_test(tc, kill_9_loses_nothing_acknowledged);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
