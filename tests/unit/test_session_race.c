/* smtp/session with several addresses: who is tried when, who wins, and from where. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scripted_server.h"
#include "session_run.h"
#include "suite.h"

SCRIPT(accepting, EHLO, "<250 mx", ACCEPTED);

static int refusing = -1, hanging = -1, queued = -1;

static uint16_t port_of(int fd)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    return ntohs(sa.sin_port);
}

static int bound_to(const char *ip)
{
    struct netaddr addr;
    struct sockaddr_storage sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert(netaddr_parse(ip, &addr));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, netaddr_to_sockaddr(&addr, 0, &sa)), 0);
    return fd;
}

/* Bound but not listening: nobody else can get this port meanwhile. */
static void add_refusing(void)
{
    if (refusing < 0)
        refusing = bound_to("127.0.0.2");
    run_add_target("127.0.0.2", port_of(refusing));
}

/* Its queue of connections is full: what else comes is not answered. */
static void add_hanging(void)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);

    if (hanging < 0) {
        hanging = bound_to("127.0.0.3");
        ck_assert_int_eq(listen(hanging, 0), 0);
        queued = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(getsockname(hanging, (struct sockaddr *)&sa, &len), 0);
        ck_assert_int_eq(connect(queued, (struct sockaddr *)&sa, len), 0);
    }
    run_add_target("127.0.0.3", port_of(hanging));
}

static void teardown(void)
{
    const int fds[] = {refusing, hanging, queued};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    run_teardown();
}

/* 'R' refuses, 'H' hangs, 'S' serves. */
static void race(const char *targets, const char *const *const *scripts)
{
    static struct scripted_server server;
    bool serves = strchr(targets, 'S') != NULL;

    if (serves)
        ck_assert(scripted_server_start(&server, "127.0.0.1", scripts));
    for (; *targets != '\0'; targets++) {
        if (*targets == 'R')
            add_refusing();
        else if (*targets == 'H')
            add_hanging();
        else
            run_add_target("127.0.0.1", server.port);
    }
    run_session();
    if (serves)
        scripted_server_finish(&server);
    ck_assert_msg(!serves || server.error[0] == '\0', "%s\n%s", server.error, run.trace);
}

static const struct won {
    const char *targets;
    const char *addresses;
} wons[] = {
    {"S", "0 connected none\n"},
    {"SRH", "0 connected none\n"},
    {"RS", "0 failed refused\n1 connected none\n"},
    {"RRRRS", "0 failed refused\n1 failed refused\n2 failed refused\n3 failed refused\n"
              "4 connected none\n"},
    {"HS", "0 late none\n1 connected none\n"},
    {"RHS", "0 failed refused\n1 late none\n2 connected none\n"},
    {"HRS", "1 failed refused\n0 late none\n2 connected none\n"},
    {"HHS", "0 late none\n1 late none\n2 connected none\n"},
};

START_TEST(test_won)
{
    SCRIPTS(scripts, accepting);

    race(wons[_i].targets, scripts);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    ck_assert_str_eq(run.addresses, wons[_i].addresses);
    ck_assert_ptr_nonnull(strstr(run.trace, "*connected to 127.0.0.1 port "));
}
END_TEST

static const struct lost {
    const char *targets;
    const char *addresses;
    enum smtp_failure failure; /* that of the first */
} losts[] = {
    {"R", "0 failed refused\n", SMTP_FAILURE_REFUSED},
    {"H", "0 failed timeout\n", SMTP_FAILURE_TIMEOUT},
    {"RR", "0 failed refused\n1 failed refused\n", SMTP_FAILURE_REFUSED},
    {"RH", "0 failed refused\n1 failed timeout\n", SMTP_FAILURE_REFUSED},
    {"HR", "1 failed refused\n0 failed timeout\n", SMTP_FAILURE_TIMEOUT},
    {"HH", "0 failed timeout\n1 failed timeout\n", SMTP_FAILURE_TIMEOUT},
};

START_TEST(test_lost)
{
    run.opts.connect_ms = SHORT_MS;
    race(losts[_i].targets, NULL);
    run_expect(SMTP_STAGE_CONNECT, losts[_i].failure, 0);
    ck_assert_str_eq(run.addresses, losts[_i].addresses);
    ck_assert_str_eq(run.outcome.detail,
                     losts[_i].failure == SMTP_FAILURE_REFUSED ? "Connection refused" : "");
}
END_TEST

/* An address's time is shorter than its head start. */
START_TEST(test_short_time)
{
    SCRIPTS(scripts, accepting);

    run.opts.connect_ms = 10 * BRIEF_MS / 3;
    race("HS", scripts);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    ck_assert_str_eq(run.addresses, "0 failed timeout\n1 connected none\n");
}
END_TEST

/* Who was cut short has not failed. */
START_TEST(test_time_is_up)
{
    run.deadline_ms = SHORT_MS;
    race(_i == 0 ? "H" : "HH", NULL);
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_TIMEOUT, 0);
    ck_assert_str_eq(run.addresses, "");
    ck_assert_str_eq(run.outcome.detail, "the session's time is up");
}
END_TEST

static void lose_interest(void)
{
    session_quit(run.session);
}

START_TEST(test_unwanted_in_the_race)
{
    run.at_address = lose_interest;
    race("RHH", NULL);
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_TIMEOUT, 0);
    ck_assert_str_eq(run.addresses, "0 failed refused\n");
}
END_TEST

/* What is said there is nobody else's business, or somebody else's after all: the winner says. */
START_TEST(test_no_tls)
{
    SCRIPT(offering, EHLO, "<250-mx", "<250 STARTTLS", ACCEPTED);
    SCRIPTS(plain, offering);

    run.opts.tls = TLS_ENCRYPT;
    run.target.no_tls = true;
    race("S", plain);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

START_TEST(test_tls_of_the_winner)
{
    SCRIPT(secured, STARTTLS, "!tls", ">EHLO me.example", "<250 mx", ACCEPTED);
    SCRIPTS(scripts, secured);

    run.opts.tls = TLS_ENCRYPT;
    run.target.no_tls = true;
    add_refusing();
    run.target.no_tls = false;
    race("S", scripts);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    ck_assert_str_eq(run.outcome.tls, "TLSv1.3");
}
END_TEST

/* Without TLS it is tried at the winner's, and nobody is told of that address again. */
START_TEST(test_fallback_to_the_winner)
{
    SCRIPT(no_handshake, STARTTLS, "!not tls");
    SCRIPTS(scripts, no_handshake, accepting);

    run.opts.tls = TLS_MAY;
    race("RS", scripts);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    ck_assert(run.outcome.tls_failed);
    ck_assert_str_eq(run.addresses, "0 failed refused\n1 connected none\n");
}
END_TEST

/* Where from */

static int listener = -1;
static char came_from[NETADDR_TEXT_MAX];

static void see_who_comes(void)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    int fd = accept(listener, (struct sockaddr *)&sa, &len);
    struct netaddr from;

    ck_assert_int_ge(fd, 0);
    ck_assert(netaddr_from_sockaddr((struct sockaddr *)&sa, &from));
    netaddr_format(&from, came_from);
    close(fd);
}

START_TEST(test_source)
{
    struct session_target *t;

    listener = bound_to("127.0.0.1");
    ck_assert_int_eq(listen(listener, 1), 0);
    t = run_add_target("127.0.0.1", port_of(listener));
    ck_assert(netaddr_parse("127.0.0.5", &t->source));
    run.at_address = see_who_comes;
    run_session();
    close(listener);
    run_expect(SMTP_STAGE_GREETING, SMTP_FAILURE_CLOSED, 0);
    ck_assert_str_eq(came_from, "127.0.0.5");
}
END_TEST

START_TEST(test_source_is_not_ours)
{
    static const char *const sources[] = {"192.0.2.77", "2001:db8::77"};
    SCRIPTS(scripts, accepting);

    add_refusing();
    ck_assert(netaddr_parse(sources[_i % 2], &run.targets[0].source));
    if (_i % 2 == 1)
        ck_assert(netaddr_parse("::1", &run.targets[0].ip));
    if (_i < 2) {
        run_session();
        run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_LOCAL, 0);
        ck_assert_ptr_nonnull(strstr(run.outcome.detail, sources[_i]));
        ck_assert_str_eq(run.addresses, "0 failed local\n");
    } else {
        race("S", scripts);
        run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
        ck_assert_str_eq(run.addresses, "0 failed local\n1 connected none\n");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_race");
    TCase *tc = tcase_create("session_race");

    tcase_add_checked_fixture(tc, run_setup, teardown);
    tcase_add_loop_test(tc, test_won, 0, sizeof(wons) / sizeof(wons[0]));
    tcase_add_loop_test(tc, test_lost, 0, sizeof(losts) / sizeof(losts[0]));
    tcase_add_test(tc, test_short_time);
    tcase_add_loop_test(tc, test_time_is_up, 0, 2);
    tcase_add_test(tc, test_unwanted_in_the_race);
    tcase_add_test(tc, test_no_tls);
    tcase_add_test(tc, test_tls_of_the_winner);
    tcase_add_test(tc, test_fallback_to_the_winner);
    tcase_add_test(tc, test_source);
    tcase_add_loop_test(tc, test_source_is_not_ours, 0, 4);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
