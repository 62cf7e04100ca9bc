/* smtp/session: the machine over real sockets, and deadlines. TLS is in test_session_tls. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "scripted_server.h"
#include "session_run.h"
#include "suite.h"

SCRIPT(accepting, EHLO, "<250 mx", ACCEPTED);

START_TEST(test_accepted)
{
    SCRIPTS(scripts, accepting);
    char want[512];

    run_against(scripts, "#\nEHLO me.example\nMAIL FROM:<>\nRCPT TO:<u@d.example>\nQUIT\n");
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    ck_assert_str_eq(run.outcome.reply.text, "fine");
    ck_assert_str_eq(run.outcome.tls, "");
    snprintf(want, sizeof(want),
             "*connected to 127.0.0.1 port %u\n<220 mx\n>EHLO me.example\n<250 mx\n>MAIL FROM:<>\n"
             "<250 ok\n>RCPT TO:<u@d.example>\n<250 2.1.5 fine\n>QUIT\n<221 bye\n",
             (unsigned)run.target.port);
    ck_assert_str_eq(run.trace, want);
}
END_TEST

START_TEST(test_pipelined)
{
    SCRIPT(one, EHLO, "<250-mx", "<250 PIPELINING", ">MAIL FROM:<>", ">RCPT TO:<u@d.example>",
           "<250 ok", "<550 5.1.1 gone", BYE);
    SCRIPTS(scripts, one);

    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 550);
    ck_assert_uint_eq(run.outcome.reply.enhanced.detail, 1);
}
END_TEST

START_TEST(test_ipv6)
{
    SCRIPTS(scripts, accepting);
    static struct scripted_server server;

    if (!scripted_server_start(&server, "::1", scripts)) {
        close(server.listener);
        return; /* a host without IPv6 */
    }
    ck_assert(netaddr_parse("::1", &run.target.ip));
    run.target.port = server.port;
    run_session();
    scripted_server_finish(&server);
    ck_assert_str_eq(server.error, "");
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* Deadlines */

SCRIPT(silent_greeting, "!wait");
SCRIPT(silent_ehlo, EHLO, "!wait");
SCRIPT(silent_starttls, EHLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "!wait");
SCRIPT(silent_mail, EHLO, "<250 mx", ">MAIL FROM:<>", "!wait");
SCRIPT(silent_rcpt, EHLO, "<250 mx", ENVELOPE, "!wait");
SCRIPT(silent_quit, EHLO, "<250 mx", ENVELOPE, "<250 ok", ">QUIT", "!wait");
SCRIPT(half_a_reply, EHLO, "<250-mx", "<250-", "!wait");
SCRIPT(dripping_greeting, "!drip", "!wait");
SCRIPT(dripping_rcpt, EHLO, "<250 mx", ENVELOPE, "!drip", "!wait");

static const struct slow {
    const char *const *script;
    enum smtp_stage stage;
} slows[] = {
    {silent_greeting, SMTP_STAGE_GREETING},   {silent_ehlo, SMTP_STAGE_EHLO},
    {silent_starttls, SMTP_STAGE_STARTTLS},   {silent_mail, SMTP_STAGE_MAIL},
    {silent_rcpt, SMTP_STAGE_RCPT},           {half_a_reply, SMTP_STAGE_EHLO},
    {dripping_greeting, SMTP_STAGE_GREETING}, {dripping_rcpt, SMTP_STAGE_RCPT},
};
#define SLOWS ((int)(sizeof(slows) / sizeof(slows[0])))

/* By the stage's deadline, or by the session's; QUIT is said, and waited for as long as allowed. */
START_TEST(test_slow_server)
{
    const struct slow *slow = &slows[_i % SLOWS];
    const char *const *const scripts[] = {slow->script, NULL};

    run.opts.tls = TLS_ENCRYPT;
    if (slow->stage != SMTP_STAGE_STARTTLS)
        run.opts.tls = TLS_NONE;
    run.opts.quit_ms = BRIEF_MS;
    if (_i >= SLOWS)
        run.deadline_ms = SHORT_MS;
    else
        run.opts.greeting_ms = run.opts.command_ms = SHORT_MS;
    run_against(scripts, NULL);
    run_expect(slow->stage, SMTP_FAILURE_TIMEOUT, 0);
    ck_assert_ptr_nonnull(strstr(run.trace, ">QUIT\n"));
}
END_TEST

START_TEST(test_quit_is_heard_after_a_timeout)
{
    SCRIPT(one, EHLO, ">QUIT", "<221 bye");
    SCRIPTS(scripts, one);

    run.opts.command_ms = SHORT_MS;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_EHLO, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

START_TEST(test_quit_is_bounded)
{
    SCRIPTS(scripts, silent_quit);

    run.opts.quit_ms = BRIEF_MS;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* MAIL was refused, and RCPT's reply is no more worth than QUIT's. */
START_TEST(test_wait_for_rcpt_is_bounded)
{
    SCRIPT(one, EHLO, "<250-mx", "<250 PIPELINING", ">MAIL FROM:<>", ">RCPT TO:<u@d.example>",
           "<550 5.7.1 no", ">QUIT", "<221 bye");
    SCRIPTS(scripts, one);

    run.opts.quit_ms = SHORT_MS;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_MAIL, SMTP_FAILURE_NONE, 550);
}
END_TEST

/* Nobody is bothered then. */
START_TEST(test_no_time_at_all)
{
    run.deadline_ms = -1;
    run_session();
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

/* Servers that misbehave */

SCRIPT(closing, "<220 mx");
SCRIPT(closing_at_rcpt, EHLO, "<250 mx", ENVELOPE);
SCRIPT(closing_in_reply, EHLO, "<250 mx", ENVELOPE, "<550 no such\\");
SCRIPT(flooding, "!flood");
SCRIPT(flooding_rcpt, EHLO, "<250 mx", ENVELOPE, "<250-\\", "!flood");
SCRIPT(changing, EHLO, "<250-mx", "<550 x", BYE);
SCRIPT(not_smtp, "<SSH-2.0-x", BYE);
SCRIPT(leaving, EHLO, "<250 mx", ENVELOPE, "<421 4.7.0 too many");
SCRIPT(refusing, "<554 no", BYE);

static const struct odd {
    const char *const *script;
    enum smtp_stage stage;
    enum smtp_failure failure;
    int code;
} odds[] = {
    {closing, SMTP_STAGE_EHLO, SMTP_FAILURE_CLOSED, 0},
    {closing_at_rcpt, SMTP_STAGE_RCPT, SMTP_FAILURE_CLOSED, 0},
    {closing_in_reply, SMTP_STAGE_RCPT, SMTP_FAILURE_CLOSED, 0},
    {flooding, SMTP_STAGE_GREETING, SMTP_FAILURE_PROTOCOL, 0},
    {flooding_rcpt, SMTP_STAGE_RCPT, SMTP_FAILURE_PROTOCOL, 0},
    {changing, SMTP_STAGE_EHLO, SMTP_FAILURE_PROTOCOL, 0},
    {not_smtp, SMTP_STAGE_GREETING, SMTP_FAILURE_PROTOCOL, 0},
    {leaving, SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 421},
    {refusing, SMTP_STAGE_GREETING, SMTP_FAILURE_NONE, 554},
};

START_TEST(test_odd_server)
{
    const struct odd *odd = &odds[_i];
    const char *const *const scripts[] = {odd->script, NULL};

    run_against(scripts, NULL);
    run_expect(odd->stage, odd->failure, odd->code);
}
END_TEST

/* No server at all */

START_TEST(test_connection_refused)
{
    struct sockaddr_storage sa;
    socklen_t len = netaddr_to_sockaddr(&run.target.ip, 0, &sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    /* Bound but not listening: nobody else can get this port meanwhile. */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    run.target.port = ntohs(((const struct sockaddr_in *)&sa)->sin_port);
    run_session();
    close(fd);
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_REFUSED, 0);
    ck_assert_str_eq(run.outcome.detail, "Connection refused");
}
END_TEST

START_TEST(test_no_descriptor_left)
{
    const struct rlimit none = {0, 64};
    struct rlimit old;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_session();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}), 0);
    run_expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_LOCAL, 0);
    ck_assert_str_eq(run.outcome.detail, "Too many open files");
}
END_TEST

/* The owner loses interest */

START_TEST(test_unwanted_at_once)
{
    SCRIPTS(scripts, silent_greeting);

    run.opts.quit_ms = BRIEF_MS;
    run.quit_at_once = true;
    run_against(scripts, NULL);
    ck_assert_int_eq(run.outcome.failure, SMTP_FAILURE_TIMEOUT);
    ck_assert(run.outcome.stage == SMTP_STAGE_CONNECT || run.outcome.stage == SMTP_STAGE_GREETING);
}
END_TEST

START_TEST(test_unwanted_at_ehlo)
{
    SCRIPT(one, EHLO, "<250-mx", BYE);
    SCRIPTS(scripts, one);

    run.quit_on_trace = "250-mx";
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_EHLO, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

/* The state changes in the very step in which the owner loses interest. */
START_TEST(test_unwanted_between_states)
{
    SCRIPT(one, EHLO, "<250 mx", ">MAIL FROM:<>", BYE);
    SCRIPTS(scripts, one);

    run.quit_on_trace = "250 mx";
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_MAIL, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

START_TEST(test_unwanted_once_answered)
{
    SCRIPTS(scripts, accepting);

    run.quit_on_outcome = true;
    run_against(scripts, "#\nEHLO me.example\nMAIL FROM:<>\nRCPT TO:<u@d.example>\nQUIT\n");
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, test_accepted);
    tcase_add_test(tc, test_pipelined);
    tcase_add_test(tc, test_ipv6);
    tcase_add_loop_test(tc, test_slow_server, 0, 2 * SLOWS);
    tcase_add_test(tc, test_quit_is_heard_after_a_timeout);
    tcase_add_test(tc, test_quit_is_bounded);
    tcase_add_test(tc, test_wait_for_rcpt_is_bounded);
    tcase_add_test(tc, test_no_time_at_all);
    tcase_add_loop_test(tc, test_odd_server, 0, sizeof(odds) / sizeof(odds[0]));
    tcase_add_test(tc, test_connection_refused);
    tcase_add_test(tc, test_no_descriptor_left);
    tcase_add_test(tc, test_unwanted_at_once);
    tcase_add_test(tc, test_unwanted_at_ehlo);
    tcase_add_test(tc, test_unwanted_between_states);
    tcase_add_test(tc, test_unwanted_once_answered);
}

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tc = tcase_create("session");

    tcase_add_checked_fixture(tc, run_setup, run_teardown);
    add_tests(tc);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
