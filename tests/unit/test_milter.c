/* frontend/milter: libmilter under the front loop's hand, and what signals do to it: nothing. */
#include <check.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "frontend/milter.h"
#include "frontend/milter_socket.h"
#include "suite.h"

#define HUPS 20000

static const struct listener_opts opts = {.socket_mode = 0640};
static char dir[64], path[100];
static struct frontend front;
static struct milter *milter;
static struct event *hup, *usr1;
static unsigned hups, ends;

static void on_hup(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
    hups++;
}

static void on_usr1(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    loop_stop(arg);
}

static void on_end(void *arg)
{
    ck_assert_ptr_eq(arg, &front);
    ends++;
}

static void setup(void)
{
    struct listen_spec spec;
    struct error err = {""};
    char text[120];

    (void)snprintf(dir, sizeof(dir), "/tmp/test_milter.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/socket", dir);
    (void)snprintf(text, sizeof(text), "unix:%s", path);
    front.loop = loop_new("front");
    hup = evsignal_new(loop_base(front.loop), SIGHUP, on_hup, NULL);
    usr1 = evsignal_new(loop_base(front.loop), SIGUSR1, on_usr1, front.loop);
    ck_assert(event_add(hup, NULL) == 0 && event_add(usr1, NULL) == 0);
    ck_assert(milter_socket_parse(text, &spec, &err));
    ck_assert_msg(milter_open(&milter, &spec, &opts, "nobody", &err), "%s", err.text);
    ck_assert_msg(milter_start(milter, &front, on_end, &front, &err), "%s", err.text);
}

static void on_idle(void *arg)
{
    loop_stop(arg);
}

static void stop_milter(void)
{
    milter_stop(milter, on_idle, front.loop);
    loop_run(front.loop);
}

static void teardown(void)
{
    milter_free(&milter);
    ck_assert_ptr_null(milter);
    event_free(hup);
    event_free(usr1);
    loop_free(&front.loop);
    (void)unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* The beginning of a session: the milter answers it, wherever it is in its other work. */
static bool negotiates(void)
{
    static const char offer[] = "\0\0\0\15O\0\0\0\6\0\0\1\377\0\37\377\377";
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char reply[512] = "";
    bool ok;

    memcpy(un.sun_path, path, sizeof(path));
    ok = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 &&
         write(fd, offer, sizeof(offer) - 1) == (ssize_t)sizeof(offer) - 1 &&
         read(fd, reply, sizeof(reply)) > 5 && reply[4] == 'O';
    close(fd);
    return ok;
}

START_TEST(mode_of_the_socket)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
    ck_assert(negotiates());
    stop_milter();
}
END_TEST

static void bombard(pid_t target)
{
    for (int i = 0; i < HUPS; i++)
        (void)kill(target, SIGHUP);
    (void)kill(target, SIGUSR1);
    _exit(0);
}

START_TEST(signals_are_not_libmilters)
{
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0)
        bombard(getppid());
    loop_run(front.loop);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_gt(hups, 0);
    ck_assert_uint_eq(ends, 0);
    ck_assert(negotiates());
    stop_milter();
}
END_TEST

START_TEST(stop)
{
    ck_assert(negotiates());
    stop_milter();
    milter_free(&milter);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_eq(ends, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("milter");
    TCase *t = tcase_create("milter");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, mode_of_the_socket);
    tcase_add_test(t, signals_are_not_libmilters);
    tcase_add_test(t, stop);
    suite_add_tcase(s, t);
    return suite_run(s);
}
