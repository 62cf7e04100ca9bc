/* base/syslog_socket: lines in the form of syslog(3), to whoever listens now. */
#include <check.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/syslog_socket.h"
#include "suite.h"

static char dir[] = "/tmp/calloutd-syslog-XXXXXX";
static struct sockaddr_un un = {.sun_family = AF_UNIX};
static struct syslog_socket to = {.path = un.sun_path, .fd = -1};
static int listener;

static void listen_there(int type)
{
    (void)unlink(un.sun_path);
    listener = socket(AF_UNIX, type, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/log", dir);
    listen_there(SOCK_DGRAM);
}

static void teardown(void)
{
    syslog_socket_close(&to);
    close(listener);
    (void)unlink(un.sun_path);
    (void)rmdir(dir);
}

/* The next line that came matches. */
static void expect(const char *pattern)
{
    char line[512];
    ssize_t n = recv(listener, line, sizeof(line) - 1, MSG_DONTWAIT);
    regex_t re;

    ck_assert_int_gt(n, 0);
    line[n] = '\0';
    ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&re, line, 0, NULL, 0) == 0, "\"%s\" is not %s", line, pattern);
    regfree(&re);
}

static void expect_no_more(void)
{
    char line[512];

    ck_assert_int_lt(recv(listener, line, sizeof(line), MSG_DONTWAIT), 0);
}

static void send_one(const char *text)
{
    struct syslog_line line = {LOG_INFO, "", text};

    syslog_socket_send(&to, "test", &line, 1);
}

#define HEAD "[A-Z][a-z]{2} [ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] test\\[[0-9]+\\]: "

START_TEST(each_line_is_a_datagram)
{
    static const struct syslog_line lines[] = {
        {LOG_INFO, "", "one"},
        {LOG_WARNING, "warning: ", "two %s"},
        {LOG_ERR, "error: ", ""},
    };

    syslog_socket_send(&to, "test", lines, 3);
    expect("^<22>" HEAD "one$");
    expect("^<20>" HEAD "warning: two %s$");
    expect("^<19>" HEAD "error: $");
    expect_no_more();
}
END_TEST

START_TEST(a_syslogd_that_starts_again_gets_what_follows)
{
    send_one("to the first");
    expect("to the first$");
    close(listener);
    send_one("to nobody");
    listen_there(SOCK_DGRAM);
    send_one("to the second");
    expect("to the second$");
    expect_no_more();
}
END_TEST

/* So long the listener does nothing. */
static void let_it_fill(void)
{
    const struct timespec pause = {.tv_nsec = 100000000};

    (void)nanosleep(&pause, NULL);
}

#define MANY 4096

static void *read_late(void *arg)
{
    char line[8192];
    int next = 0;

    (void)arg;
    let_it_fill();
    for (ssize_t n; next < MANY && (n = recv(listener, line, sizeof(line) - 1, 0)) > 0; next++) {
        line[n] = '\0';
        ck_assert_int_eq(strtol(strstr(line, "]: ") + 3, NULL, 10), next);
    }
    return NULL;
}

START_TEST(a_slow_syslogd_gets_all_in_order)
{
    static char texts[MANY][16];
    static struct syslog_line lines[MANY];
    pthread_t reader;

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%d", i);
        lines[i] = (struct syslog_line){LOG_INFO, "", texts[i]};
    }
    ck_assert_int_eq(pthread_create(&reader, NULL, read_late, NULL), 0);
    for (int i = 0; i < MANY; i += SYSLOG_AT_ONCE)
        syslog_socket_send(&to, "test", lines + i, SYSLOG_AT_ONCE);
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    expect_no_more();
}
END_TEST

static void *start_another(void *arg)
{
    int old = listener;

    (void)arg;
    let_it_fill();
    listen_there(SOCK_DGRAM);
    close(old);
    return NULL;
}

/* Who waits for one that is stopped goes on with the next; what was in its queue is lost. */
START_TEST(a_syslogd_that_ends_with_its_queue_full_holds_nothing_up)
{
    pthread_t starter;
    int fd;

    send_one("to the first");
    for (fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
         sendto(fd, "x", 1, 0, (struct sockaddr *)&un, sizeof(un)) == 1;)
        continue;
    close(fd);
    ck_assert_int_eq(pthread_create(&starter, NULL, start_another, NULL), 0);
    send_one("to the second");
    ck_assert_int_eq(pthread_join(starter, NULL), 0);
    expect("to the second$");
    expect_no_more();
}
END_TEST

START_TEST(a_long_line_is_one_datagram)
{
    static char text[4096], got[8192];

    memset(text, 'x', sizeof(text) - 1);
    send_one(text);
    ck_assert_int_gt(recv(listener, got, sizeof(got), MSG_DONTWAIT), (int)sizeof(text) - 1);
    ck_assert_ptr_nonnull(strstr(got, text));
    expect_no_more();
}
END_TEST

/* They are syslog(3)'s then; here nobody hears it either. */
START_TEST(what_cannot_be_sent_holds_nothing_up)
{
    close(listener);
    listen_there(SOCK_STREAM);
    send_one("of another type");
    (void)unlink(un.sun_path);
    send_one("not there");
    listen_there(SOCK_DGRAM);
    send_one("there");
    expect("there$");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("syslog_socket");
    TCase *t = tcase_create("core");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, each_line_is_a_datagram);
    tcase_add_test(t, a_syslogd_that_starts_again_gets_what_follows);
    tcase_add_test(t, a_slow_syslogd_gets_all_in_order);
    tcase_add_test(t, a_syslogd_that_ends_with_its_queue_full_holds_nothing_up);
    tcase_add_test(t, a_long_line_is_one_datagram);
    tcase_add_test(t, what_cannot_be_sent_holds_nothing_up);
    suite_add_tcase(s, t);
    return suite_run(s);
}
