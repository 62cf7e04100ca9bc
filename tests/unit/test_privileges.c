/* base/privileges: giving up root, and the state directory made before. */
#include <check.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/privileges.h"
#include "suite.h"

static char dir[64];

static void setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/test_privileges.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    ck_assert_int_eq(rmdir(dir), 0);
}

/* Exit status of fn in a process of its own. */
static int in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(fn());
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int drop_for_good(void)
{
    const struct passwd *pw = getpwnam("nobody");
    uid_t r, e, s;
    gid_t gr, ge, gs, groups[64];
    int n;

    if (pw == NULL || setgroups(1, (gid_t[]){0}) != 0)
        return 1;
    if (!privileges_drop("nobody", NULL))
        return 2;
    if (getresuid(&r, &e, &s) != 0 || r != pw->pw_uid || e != r || s != r)
        return 3;
    if (getresgid(&gr, &ge, &gs) != 0 || gr != pw->pw_gid || ge != gr || gs != gr)
        return 4;
    n = getgroups(64, groups);
    for (int i = 0; i < n; i++)
        if (groups[i] == 0)
            return 5;
    if (n < 0 || setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setegid(0) == 0)
        return 6;
    return 0;
}

static int gain_none(void)
{
    return privileges_gain_none(NULL) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

START_TEST(no_program_gives_more)
{
    ck_assert_int_eq(in_child(gain_none), 0);
}
END_TEST

START_TEST(root_is_given_up_for_good)
{
    ck_assert_int_eq(in_child(drop_for_good), 0);
}
END_TEST

static int drop_to_nobody_known(void)
{
    struct error err = {""};

    if (privileges_drop("no-such-user", &err))
        return 1;
    return strstr(err.text, "\"no-such-user\"") != NULL && geteuid() == 0 ? 0 : 2;
}

START_TEST(an_unknown_user_is_an_error)
{
    ck_assert_int_eq(in_child(drop_to_nobody_known), 0);
}
END_TEST

static int stay(void)
{
    uid_t me;

    if (geteuid() == 0 && setuid(65534) != 0)
        return 1;
    me = geteuid();
    return privileges_drop("no-such-user", NULL) && geteuid() == me ? 0 : 2;
}

START_TEST(who_is_not_root_stays)
{
    ck_assert_int_eq(in_child(stay), 0);
}
END_TEST

START_TEST(the_directory_is_made_and_given)
{
    const char *user = geteuid() == 0 ? "nobody" : "whoever";
    const struct passwd *pw = getpwnam("nobody");
    uid_t owner = geteuid() == 0 && pw != NULL ? pw->pw_uid : geteuid();
    mode_t mask = umask(0);
    struct error err = {""};
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/state", dir);
    ck_assert_msg(privileges_make_dir(path, user, &err), "%s", err.text);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0750);
    ck_assert_uint_eq(st.st_uid, owner);
    ck_assert_int_eq(chmod(path, 0700), 0);
    ck_assert(privileges_make_dir(path, user, &err));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(rmdir(path), 0);
    umask(mask);
}
END_TEST

START_TEST(a_directory_without_a_parent_is_an_error)
{
    struct error err = {""};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/not/there", dir);
    ck_assert(!privileges_make_dir(path, "nobody", &err));
    ck_assert_ptr_nonnull(strstr(err.text, path));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("privileges");
    TCase *tc = tcase_create("privileges");

    tcase_add_checked_fixture(tc, setup, teardown);
    if (geteuid() == 0) {
        tcase_add_test(tc, root_is_given_up_for_good);
        tcase_add_test(tc, an_unknown_user_is_an_error);
    }
    tcase_add_test(tc, no_program_gives_more);
    tcase_add_test(tc, who_is_not_root_stays);
    tcase_add_test(tc, the_directory_is_made_and_given);
    tcase_add_test(tc, a_directory_without_a_parent_is_an_error);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
