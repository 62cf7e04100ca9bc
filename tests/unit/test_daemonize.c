/* base/daemonize: what the parent says about its child. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/daemonize.h"
#include "suite.h"

static int report[2]; /* from the daemon to the test */

static void setup(void)
{
    ck_assert_int_eq(pipe(report), 0);
}

static void teardown(void)
{
    close(report[0]);
    close(report[1]);
}

/* Exit status of a program that goes to the background and there runs fn. */
static int started(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (!daemonize(NULL))
            _exit(99);
        fn();
        _exit(7);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_null(int fd)
{
    struct stat is, null;

    return fstat(fd, &is) == 0 && stat("/dev/null", &null) == 0 && is.st_rdev == null.st_rdev;
}

static void become_ready(void)
{
    char cwd[8] = "", found = 'y';

    daemonize_ready();
    daemonize_ready();
    if (getsid(0) != getpid() || getcwd(cwd, sizeof(cwd)) == NULL || strcmp(cwd, "/") != 0)
        found = 's';
    if (!is_null(0) || !is_null(1) || !is_null(2))
        found = 'n';
    (void)!write(report[1], &found, 1);
}

START_TEST(the_parent_ends_well_once_ready)
{
    char found = 0;

    ck_assert_int_eq(started(become_ready), 0);
    ck_assert_int_eq(read(report[0], &found, 1), 1);
    ck_assert_int_eq(found, 'y');
}
END_TEST

static void give_up(void)
{
    _exit(78);
}

START_TEST(the_parent_ends_as_its_child)
{
    ck_assert_int_eq(started(give_up), 78);
}
END_TEST

static void crash(void)
{
    raise(SIGKILL);
}

START_TEST(a_killed_child_is_a_failure)
{
    ck_assert_int_eq(started(crash), 70); /* EX_SOFTWARE */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemonize");
    TCase *tc = tcase_create("daemonize");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_parent_ends_well_once_ready);
    tcase_add_test(tc, the_parent_ends_as_its_child);
    tcase_add_test(tc, a_killed_child_is_a_failure);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
