/* smtp/session: the machine over real sockets, TLS and deadlines. */
#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "scripted_server.h"
#include "smtp/session.h"

#define LONG_MS  15000 /* never reached where all is well */
#define SHORT_MS 300   /* awaited; far above what a loaded machine needs for a loopback reply */
#define BRIEF_MS 30    /* awaited where nothing is to happen before */

static const struct address mailbox = {.local = "u", .domain = "d.example"};

struct run {
    struct loop *loop;
    struct tls_context *tls;
    struct session_opts opts;
    struct session_target target;
    int64_t deadline_ms;
    struct session *session;
    bool started; /* session_start() has returned */
    bool quit_at_once;
    bool quit_on_outcome;
    const char *quit_on_trace; /* session_quit() when this is heard */
    int outcomes, closes;
    struct outcome outcome;
    char trace[8192];
};

static void on_outcome(void *arg, const struct outcome *o)
{
    struct run *r = arg;

    ck_assert(r->started);
    ck_assert_int_eq(r->closes, 0);
    r->outcomes++;
    r->outcome = *o;
    if (r->quit_on_outcome)
        session_quit(r->session);
}

static void on_closed(void *arg)
{
    struct run *r = arg;

    ck_assert(r->started);
    ck_assert_int_eq(r->outcomes, 1);
    r->closes++;
    loop_stop(r->loop);
}

static void on_trace(void *arg, char dir, const char *line)
{
    struct run *r = arg;
    size_t n = strlen(r->trace);

    snprintf(r->trace + n, sizeof(r->trace) - n, "%c%.100s\n", dir, line);
    if (r->quit_on_trace != NULL && strcmp(line, r->quit_on_trace) == 0)
        session_quit(r->session);
}

static struct run run;
static int descriptors;

static int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void setup(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct error err;

    sigaction(SIGPIPE, &ignore, NULL);
    descriptors = open_descriptors();
    run = (struct run){
        .opts = {.helo_name = "me.example",
                 .tls = TLS_NONE,
                 .connect_ms = LONG_MS,
                 .greeting_ms = LONG_MS,
                 .command_ms = LONG_MS,
                 .tls_ms = LONG_MS,
                 .quit_ms = LONG_MS},
        .target = {.name = "mx.example"},
        .deadline_ms = LONG_MS,
    };
    ck_assert(netaddr_parse("127.0.0.1", &run.target.ip));
    run.loop = loop_new("test");
    ck_assert_ptr_nonnull(run.loop);
    ck_assert_msg(tls_context_new(&run.tls, &err), "%s", err.text);
}

/* Whatever happened, nothing is left open. */
static void teardown(void)
{
    loop_free(&run.loop);
    tls_context_free(&run.tls);
    ck_assert_int_eq(open_descriptors(), descriptors);
}

static void go(void)
{
    const struct session_handler handler = {on_outcome, on_closed, on_trace, &run};

    run.session = session_start(run.loop, &run.opts, run.tls, &run.target, "", &mailbox,
                                clock_mono_ms() + run.deadline_ms, &handler);
    ck_assert_ptr_nonnull(run.session);
    run.started = true;
    if (run.quit_at_once)
        session_quit(run.session);
    loop_run(run.loop);
    ck_assert_int_eq(run.outcomes, 1);
    ck_assert_int_eq(run.closes, 1);
}

/* Runs the session against the scripts; `heard` is what the server is to have heard, if not NULL.
 */
static void go_against(const char *const *const *scripts, const char *heard)
{
    static struct scripted_server server;

    ck_assert(scripted_server_start(&server, "127.0.0.1", scripts));
    run.target.port = server.port;
    go();
    scripted_server_finish(&server);
    ck_assert_msg(server.error[0] == '\0', "%s\n%s", server.error, run.trace);
    if (heard != NULL)
        ck_assert_str_eq(server.transcript, heard);
}

#define SCRIPT(name, ...)  static const char *const name[] = {__VA_ARGS__, NULL}
#define SCRIPTS(name, ...) static const char *const *const name[] = {__VA_ARGS__, NULL}

static void expect(enum smtp_stage stage, enum smtp_failure failure, int code)
{
    ck_assert_msg(run.outcome.stage == stage && run.outcome.failure == failure &&
                      run.outcome.reply.code == code,
                  "%s %s %d (%s)\n%s", smtp_stage_name(run.outcome.stage),
                  smtp_failure_name(run.outcome.failure), run.outcome.reply.code,
                  run.outcome.detail, run.trace);
}

#define EHLO     "<220 mx", ">EHLO me.example"
#define ENVELOPE ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<u@d.example>"
#define BYE      ">QUIT", "<221 bye"
#define STARTTLS EHLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go"

SCRIPT(accepting, EHLO, "<250 mx", ENVELOPE, "<250 2.1.5 fine", BYE);
SCRIPT(accepting_in_tls, STARTTLS, "!tls", ">EHLO me.example", "<250 mx", ENVELOPE,
       "<250 2.1.5 fine", BYE);

START_TEST(test_accepted)
{
    SCRIPTS(scripts, accepting);
    char want[512];

    go_against(scripts, "#\nEHLO me.example\nMAIL FROM:<>\nRCPT TO:<u@d.example>\nQUIT\n");
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
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

    go_against(scripts, NULL);
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 550);
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
    go();
    scripted_server_finish(&server);
    ck_assert_str_eq(server.error, "");
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* TLS */

START_TEST(test_starttls)
{
    SCRIPTS(scripts, accepting_in_tls);

    run.opts.tls = _i == 0 ? TLS_MAY : TLS_ENCRYPT;
    go_against(scripts, "#\nEHLO me.example\nSTARTTLS\nEHLO me.example\nMAIL FROM:<>\n"
                        "RCPT TO:<u@d.example>\nQUIT\n");
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    ck_assert_str_eq(run.outcome.tls, "TLSv1.3");
    ck_assert(!run.outcome.tls_failed);
    ck_assert_ptr_nonnull(strstr(run.trace, "*secured with TLSv1.3\n"));
}
END_TEST

SCRIPT(no_handshake, STARTTLS, "!not tls");
SCRIPT(silent_handshake, STARTTLS, "!wait");
SCRIPT(closed_handshake, STARTTLS);
SCRIPT(demanding_handshake, STARTTLS, "!tls demanding");

/* The server behind a failed handshake gets another connection, in plaintext, under `may` only. */
START_TEST(test_handshake_fails)
{
    static const struct {
        const char *const *script;
        enum smtp_stage stage;
        enum smtp_failure failure;
    } failing[] = {
        {no_handshake, SMTP_STAGE_TLS, SMTP_FAILURE_TLS},
        {closed_handshake, SMTP_STAGE_TLS, SMTP_FAILURE_TLS},
        {silent_handshake, SMTP_STAGE_TLS, SMTP_FAILURE_TIMEOUT},
        {demanding_handshake, SMTP_STAGE_EHLO, SMTP_FAILURE_TLS},
    };
    const char *const *const may[] = {failing[_i / 2].script, accepting, NULL};
    const char *const *const encrypt[] = {failing[_i / 2].script, NULL};

    if (failing[_i / 2].failure == SMTP_FAILURE_TIMEOUT)
        run.opts.tls_ms = SHORT_MS;
    run.opts.tls = _i % 2 == 0 ? TLS_MAY : TLS_ENCRYPT;
    go_against(run.opts.tls == TLS_MAY ? may : encrypt, NULL);
    if (run.opts.tls == TLS_MAY) {
        expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
        ck_assert(run.outcome.tls_failed);
        ck_assert_str_eq(run.outcome.tls, "");
        ck_assert_ptr_nonnull(strstr(run.trace, "*TLS failed ("));
    } else {
        expect(failing[_i / 2].stage, failing[_i / 2].failure, 0);
        ck_assert((run.outcome.detail[0] == '\0') == (run.outcome.failure == SMTP_FAILURE_TIMEOUT));
    }
}
END_TEST

/* One deadline over both connections. */
START_TEST(test_no_second_connection_without_time)
{
    SCRIPTS(scripts, silent_handshake);

    run.opts.tls = TLS_MAY;
    run.deadline_ms = SHORT_MS;
    go_against(scripts, NULL);
    expect(SMTP_STAGE_TLS, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

/* Words that somebody put behind the 220 are not heard, and no second connection rewards them. */
START_TEST(test_injection)
{
    SCRIPT(injecting, EHLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go\r\n250 injected",
           "!wait");
    SCRIPTS(scripts, injecting);

    run.opts.tls = _i == 0 ? TLS_MAY : TLS_ENCRYPT;
    go_against(scripts, "#\nEHLO me.example\nSTARTTLS\n");
    expect(SMTP_STAGE_STARTTLS, SMTP_FAILURE_PROTOCOL, 0);
    ck_assert_str_eq(run.outcome.detail, "plaintext after STARTTLS");
}
END_TEST

/* The last reply, close_notify and the end of the connection in one go: the reply counts. */
START_TEST(test_reply_and_end_at_once)
{
    SCRIPT(one, STARTTLS, "!tls", ">EHLO me.example", "<250 mx", ENVELOPE, "<550 5.1.1 gone");
    SCRIPTS(scripts, one);

    run.opts.tls = TLS_MAY;
    go_against(scripts, NULL);
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 550);
}
END_TEST

/* A TLS record holds more than is read at once. */
START_TEST(test_long_replies_in_tls)
{
    static char lines[64][1001];
    static const char *script[128] = {STARTTLS, "!tls", ">EHLO me.example"};
    SCRIPT(rest, "<250 mx", ENVELOPE, "<250 ok", BYE);
    const char *const *const scripts[] = {script, NULL};
    size_t n = 0;

    while (script[n] != NULL)
        n++;
    for (size_t i = 0; i < 64; i++) {
        snprintf(lines[i], sizeof(lines[i]), "<250-%0990u", (unsigned)i);
        script[n++] = lines[i];
    }
    memcpy(script + n, rest, sizeof(rest));
    run.opts.tls = TLS_ENCRYPT;
    go_against(scripts, NULL);
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* Certificates are looked at under `verify`: trusted, and of this host. */
START_TEST(test_verify)
{
    SCRIPT(abandoned, STARTTLS, "!tls refused");
    SCRIPTS(good, accepting_in_tls);
    SCRIPTS(bad, abandoned);
    struct error err;
    char path[] = "/tmp/test_session.XXXXXX";
    int fd = mkstemp(path);
    bool ok = _i < 2;

    ck_assert_int_ge(fd, 0);
    close(fd);
    scripted_server_save_certificate(path);
    if (_i != 3) { /* else: signed by nobody we know */
        tls_context_free(&run.tls);
        ck_assert_int_eq(setenv("SSL_CERT_FILE", path, 1), 0);
        ck_assert(tls_context_new(&run.tls, &err));
    }
    if (_i == 1) /* nameless: the address is checked */
        run.target.name[0] = '\0';
    if (_i == 2)
        snprintf(run.target.name, sizeof(run.target.name), "other.example");
    run.opts.tls = TLS_VERIFY;
    go_against(ok ? good : bad, NULL);
    if (ok)
        expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    else
        expect(SMTP_STAGE_TLS, SMTP_FAILURE_TLS, 0);
    ck_assert(ok || strncmp(run.outcome.detail, "certificate: ", 13) == 0);
    unlink(path);
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
    go_against(scripts, NULL);
    expect(slow->stage, SMTP_FAILURE_TIMEOUT, 0);
    ck_assert_ptr_nonnull(strstr(run.trace, ">QUIT\n"));
}
END_TEST

START_TEST(test_quit_is_heard_after_a_timeout)
{
    SCRIPT(one, EHLO, ">QUIT", "<221 bye");
    SCRIPTS(scripts, one);

    run.opts.command_ms = SHORT_MS;
    go_against(scripts, NULL);
    expect(SMTP_STAGE_EHLO, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

START_TEST(test_quit_is_bounded)
{
    SCRIPTS(scripts, silent_quit);

    run.opts.quit_ms = BRIEF_MS;
    go_against(scripts, NULL);
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* MAIL was refused, and RCPT's reply is no more worth than QUIT's. */
START_TEST(test_wait_for_rcpt_is_bounded)
{
    SCRIPT(one, EHLO, "<250-mx", "<250 PIPELINING", ">MAIL FROM:<>", ">RCPT TO:<u@d.example>",
           "<550 5.7.1 no", ">QUIT", "<221 bye");
    SCRIPTS(scripts, one);

    run.opts.quit_ms = SHORT_MS;
    go_against(scripts, NULL);
    expect(SMTP_STAGE_MAIL, SMTP_FAILURE_NONE, 550);
}
END_TEST

START_TEST(test_no_time_at_all)
{
    SCRIPTS(scripts, silent_greeting);

    run.opts.quit_ms = BRIEF_MS;
    run.deadline_ms = -1;
    go_against(scripts, NULL);
    ck_assert_int_eq(run.outcome.failure, SMTP_FAILURE_TIMEOUT);
    ck_assert(run.outcome.stage == SMTP_STAGE_CONNECT || run.outcome.stage == SMTP_STAGE_GREETING);
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

    go_against(scripts, NULL);
    expect(odd->stage, odd->failure, odd->code);
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
    go();
    close(fd);
    expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_REFUSED, 0);
    ck_assert_str_eq(run.outcome.detail, "Connection refused");
}
END_TEST

START_TEST(test_no_descriptor_left)
{
    const struct rlimit none = {0, 64};
    struct rlimit old;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    go();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}), 0);
    expect(SMTP_STAGE_CONNECT, SMTP_FAILURE_LOCAL, 0);
    ck_assert_str_eq(run.outcome.detail, "Too many open files");
}
END_TEST

/* The owner loses interest */

START_TEST(test_unwanted_at_once)
{
    SCRIPTS(scripts, silent_greeting);

    run.opts.quit_ms = BRIEF_MS;
    run.quit_at_once = true;
    go_against(scripts, NULL);
    ck_assert_int_eq(run.outcome.failure, SMTP_FAILURE_TIMEOUT);
    ck_assert(run.outcome.stage == SMTP_STAGE_CONNECT || run.outcome.stage == SMTP_STAGE_GREETING);
}
END_TEST

START_TEST(test_unwanted_at_ehlo)
{
    SCRIPT(one, EHLO, "<250-mx", BYE);
    SCRIPTS(scripts, one);

    run.quit_on_trace = "250-mx";
    go_against(scripts, NULL);
    expect(SMTP_STAGE_EHLO, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

/* The state changes in the very step in which the owner loses interest. */
START_TEST(test_unwanted_between_states)
{
    SCRIPT(one, EHLO, "<250 mx", ">MAIL FROM:<>", BYE);
    SCRIPTS(scripts, one);

    run.quit_on_trace = "250 mx";
    go_against(scripts, NULL);
    expect(SMTP_STAGE_MAIL, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

START_TEST(test_unwanted_in_the_handshake)
{
    SCRIPTS(scripts, silent_handshake);

    run.opts.tls = TLS_MAY;
    run.quit_on_trace = "220 go";
    go_against(scripts, NULL);
    expect(SMTP_STAGE_TLS, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

START_TEST(test_unwanted_once_answered)
{
    SCRIPTS(scripts, accepting);

    run.quit_on_outcome = true;
    go_against(scripts, "#\nEHLO me.example\nMAIL FROM:<>\nRCPT TO:<u@d.example>\nQUIT\n");
    expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, test_accepted);
    tcase_add_test(tc, test_pipelined);
    tcase_add_test(tc, test_ipv6);
    tcase_add_loop_test(tc, test_starttls, 0, 2);
    tcase_add_loop_test(tc, test_handshake_fails, 0, 8);
    tcase_add_test(tc, test_no_second_connection_without_time);
    tcase_add_loop_test(tc, test_injection, 0, 2);
    tcase_add_test(tc, test_reply_and_end_at_once);
    tcase_add_test(tc, test_long_replies_in_tls);
    tcase_add_loop_test(tc, test_verify, 0, 4);
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
    tcase_add_test(tc, test_unwanted_in_the_handshake);
    tcase_add_test(tc, test_unwanted_once_answered);
}

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tc = tcase_create("session");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    add_tests(tc);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
