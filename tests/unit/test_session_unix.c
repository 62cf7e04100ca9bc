/* smtp/session over unix sockets: LMTP, and what is in the way of a connection. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session_run.h"
#include "suite.h"

static char dir[64];
static struct sockaddr_un un = {.sun_family = AF_UNIX};

static void setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/test_session.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    run_setup();
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/lmtp", dir);
    run.target.path = un.sun_path;
}

static void teardown(void)
{
    run_teardown();
    (void)unlink(un.sun_path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static int listen_there(int backlog)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

START_TEST(spoken_to)
{
    static const char script[] = "220 mx\r\n250 mx\r\n250 ok\r\n550 5.1.1 no\r\n221 bye\r\n";
    int fd = listen_there(1), status;
    char heard[512] = "";
    size_t len = 0;

    run.opts.lmtp = true;
    if (fork() == 0) {
        int peer = accept(fd, NULL, NULL);

        for (const char *line = script; *line != '\0'; line = strchr(line, '\n') + 1) {
            size_t n = (size_t)(strchr(line, '\n') + 1 - line);

            if (write(peer, line, n) != (ssize_t)n)
                _exit(1);
            if (strstr(line, "221") != line)
                len += (size_t)read(peer, heard + len, sizeof(heard) - len - 1);
        }
        _exit(strcmp(heard, "LHLO me.example\r\nMAIL FROM:<>\r\nRCPT TO:<u@d.example>\r\n"
                            "QUIT\r\n") == 0
                  ? 0
                  : 2);
    }
    close(fd);
    run_session();
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 550);
    ck_assert_int_gt(wait(&status), 0);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(not_there)
{
    run_session();
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_UNREACHABLE, 0);
}
END_TEST

START_TEST(nobody_listens)
{
    close(listen_there(1));
    run_session();
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_REFUSED, 0);
}
END_TEST

/* Its queue of connections is full: the server is too busy, and that is no fault of ours. */
START_TEST(nobody_accepts)
{
    int fd = listen_there(0), waiting[16], count = 0;

    do {
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    } while (connect(waiting[count++], (struct sockaddr *)&un, sizeof(un)) == 0 && count < 16);
    ck_assert_int_eq(errno, EAGAIN);
    run_session();
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_UNREACHABLE, 0);
    while (count > 0)
        close(waiting[--count]);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("session_unix");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, spoken_to);
    tcase_add_test(t, not_there);
    tcase_add_test(t, nobody_listens);
    tcase_add_test(t, nobody_accepts);
    suite_add_tcase(s, t);
    return suite_run(s);
}
