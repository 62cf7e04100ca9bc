/* base/log: lines reach their target in order, hostile bytes do not. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "suite.h"

static char out[262144];

/* Runs fn with stderr going to a file, and reads that file into `out`. */
static void with_stderr(void (*fn)(void))
{
    FILE *f = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t n;

    ck_assert_ptr_nonnull(f);
    unsetenv("JOURNAL_STREAM");
    ck_assert_int_ge(dup2(fileno(f), STDERR_FILENO), 0);
    fn();
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    rewind(f);
    n = fread(out, 1, sizeof(out) - 1, f);
    out[n] = '\0';
    fclose(f);
}

static void write_some(void)
{
    struct log_opts opts = {.target = LOG_TARGET_STDERR, .ident = "test"};

    log_warning("before open");
    ck_assert(log_open(&opts, NULL));
    log_debug("not shown");
    log_info("evil\nline\x1b[0m");
    opts.debug = true;
    log_reconfigure(&opts);
    log_debug("shown");
    log_close();
    log_close();
    log_error("after close");
}

START_TEST(lines_in_order)
{
    with_stderr(write_some);
    ck_assert_str_eq(out, "calloutd: warning: before open\n"
                          "test: evil line?[0m\n"
                          "test: debug: shown\n"
                          "test: error: after close\n");
}
END_TEST

static void write_long(void)
{
    static char big[20000];
    struct log_opts opts = {.target = LOG_TARGET_STDERR, .ident = "test"};

    memset(big, 'x', sizeof(big) - 1);
    ck_assert(log_open(&opts, NULL));
    log_info("%s", big);
    for (int i = 0; i < 2000; i++)
        log_info("n=%d", i);
    log_close();
}

START_TEST(long_lines_are_cut_and_none_is_lost)
{
    with_stderr(write_long);
    ck_assert_uint_eq(strcspn(out, "\n"), strlen("test: ") + 4095);
    ck_assert_ptr_nonnull(strstr(out, "\ntest: n=0\n"));
    ck_assert_ptr_nonnull(strstr(out, "\ntest: n=1999\n"));
}
END_TEST

/* Whether the lines that come, and those that are said to be lost, are so many. */
static bool adds_up(int fd, unsigned long expected)
{
    static const char told[] = "test: warning: log full: dropped=";
    unsigned long came = 0, lost = 0;
    FILE *f = fdopen(fd, "r");

    while (f != NULL && fgets(out, sizeof(out), f) != NULL) {
        if (strncmp(out, told, strlen(told)) == 0)
            lost += strtoul(out + strlen(told), NULL, 10);
        else
            came++;
    }
    return lost > 0 && came + lost == expected;
}

#define MANY 120000 /* of 100 octets: more than are kept */

/* Nobody reads at first. */
START_TEST(a_stalled_log_stops_nothing_and_tells_what_it_lost)
{
    struct log_opts opts = {.target = LOG_TARGET_STDERR, .ident = "test"};
    int ends[2], status, saved = dup(STDERR_FILENO);
    pid_t reader;

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
    ck_assert(log_open(&opts, NULL));
    for (int i = 0; i < MANY; i++)
        log_info("%099d", i);
    reader = fork();
    if (reader == 0) {
        close(STDERR_FILENO); /* the pipe ends when the parent's is closed, too */
        _exit(adds_up(ends[0], MANY) ? 0 : 1);
    }
    log_close();
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    close(ends[0]);
    ck_assert_int_eq(waitpid(reader, &status, 0), reader);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* As a pipe that is full, or a syslogd that is stopped: the process can end. */
START_TEST(a_log_that_nobody_reads_can_be_closed)
{
    struct log_opts opts = {.target = LOG_TARGET_STDERR, .ident = "test"};
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    ck_assert(log_open(&opts, NULL));
    for (int i = 0; i < 1000; i++)
        log_info("%099d", i);
    log_close();
    log_close();
}
END_TEST

START_TEST(one_of_a_kind_in_a_while)
{
    struct log_ratelimit one = {0}, other = {0};

    ck_assert(log_ratelimit(&one));
    ck_assert(!log_ratelimit(&one));
    ck_assert(log_ratelimit(&other));
    one.quiet_until = clock_mono_ms(); /* the minute is over */
    ck_assert(log_ratelimit(&one));
    ck_assert(!log_ratelimit(&one));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("log");
    TCase *t = tcase_create("core");

    tcase_add_test(t, lines_in_order);
    tcase_add_test(t, long_lines_are_cut_and_none_is_lost);
    tcase_add_test(t, a_stalled_log_stops_nothing_and_tells_what_it_lost);
    tcase_add_test(t, a_log_that_nobody_reads_can_be_closed);
    tcase_add_test(t, one_of_a_kind_in_a_while);
    tcase_set_timeout(t, 180);
    suite_add_tcase(s, t);
    return suite_run(s);
}
