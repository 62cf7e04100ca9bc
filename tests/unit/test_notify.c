/* base/notify: what the service manager hears, and when its watchdog is fed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/notify.h"
#include "suite.h"

#ifdef HAVE_SYSTEMD

static char path[64];
static int manager = -1; /* the service manager's end */

static void setup(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char text[32];

    (void)snprintf(path, sizeof(path), "/tmp/test_notify.%d", (int)getpid());
    (void)unlink(path);
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&un, sizeof(un)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "30000", 1);
    (void)snprintf(text, sizeof(text), "%d", (int)getpid());
    setenv("WATCHDOG_PID", text, 1);
}

static void teardown(void)
{
    close(manager);
    ck_assert_int_eq(unlink(path), 0);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
}

/* The next message; "" when there is none and `wait` is false. */
static const char *heard(bool wait)
{
    static char text[256];
    ssize_t n = recv(manager, text, sizeof(text) - 1, wait ? 0 : MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int64_t mono_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

START_TEST(states_are_told)
{
    int64_t before = mono_us(), when = 0;
    const char *text;

    notify_ready();
    ck_assert_str_eq(heard(true), "READY=1");
    notify_reloading();
    text = heard(true);
    ck_assert_int_eq(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    when = strtoll(text + 27, NULL, 10);
    ck_assert(when >= before && when <= mono_us());
    notify_stopping();
    ck_assert_str_eq(heard(true), "STOPPING=1");
    ck_assert_str_eq(heard(false), "");
}
END_TEST

START_TEST(nobody_listening_is_no_failure)
{
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    notify_ready();
    notify_stopping();
    ck_assert_str_eq(heard(false), "");
}
END_TEST

START_TEST(no_watchdog_where_none_is_wanted)
{
    struct loop *own = loop_new("own"), *other = loop_new("other");
    struct watchdog *w;

    unsetenv("WATCHDOG_USEC");
    ck_assert(watchdog_new(&w, own, other, NULL));
    ck_assert_ptr_null(w);
    watchdog_free(&w);
    setenv("WATCHDOG_USEC", "30000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert(watchdog_new(&w, own, other, NULL));
    ck_assert_ptr_null(w);
    loop_free(&own);
    loop_free(&other);
}
END_TEST

START_TEST(two_loops_alive_feed_it)
{
    struct loop *own = loop_new("own"), *other = loop_new("other");
    struct watchdog *w;

    ck_assert(watchdog_new(&w, own, other, NULL));
    ck_assert_ptr_nonnull(w);
    ck_assert(loop_start_thread(other));
    ck_assert(loop_start_thread(own));
    for (int i = 0; i < 5; i++)
        ck_assert_str_eq(heard(true), "WATCHDOG=1");
    loop_stop(own);
    loop_join(own);
    loop_stop(other);
    loop_join(other);
    loop_free(&other);
    watchdog_free(&w);
    watchdog_free(&w);
    loop_free(&own);
}
END_TEST

static void stop(void *arg)
{
    loop_stop(arg);
}

/* Runs `own` for many of the watchdog's intervals. */
static void run_a_while(struct loop *own)
{
    struct loop_timer *end = loop_timer_new(own, stop, own);

    loop_timer_arm(end, 200);
    loop_run(own);
    loop_timer_free(&end);
}

START_TEST(a_loop_that_hangs_starves_it)
{
    struct loop *own = loop_new("own"), *other = loop_new("other");
    struct watchdog *w;

    ck_assert(watchdog_new(&w, own, other, NULL));
    run_a_while(own); /* `other` does not run */
    ck_assert_str_eq(heard(false), "WATCHDOG=1");
    ck_assert_str_eq(heard(false), ""); /* only the first, when all was well as far as known */
    loop_free(&other);
    watchdog_free(&w);
    loop_free(&own);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, states_are_told);
    tcase_add_test(tc, nobody_listening_is_no_failure);
    tcase_add_test(tc, no_watchdog_where_none_is_wanted);
    tcase_add_test(tc, two_loops_alive_feed_it);
    tcase_add_test(tc, a_loop_that_hangs_starves_it);
}

#else

START_TEST(does_nothing_without_systemd)
{
    struct loop *own = loop_new("own"), *other = loop_new("other");
    struct watchdog *w;

    setenv("WATCHDOG_USEC", "30000", 1);
    notify_ready();
    ck_assert(watchdog_new(&w, own, other, NULL));
    ck_assert_ptr_null(w);
    loop_free(&own);
    loop_free(&other);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, does_nothing_without_systemd);
}

#endif

int main(void)
{
    Suite *suite = suite_create("notify");
    TCase *tc = tcase_create("notify");

    add_tests(tc);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
