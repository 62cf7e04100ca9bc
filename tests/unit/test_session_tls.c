/* smtp/session: STARTTLS, what can go wrong with it, and what is done then. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "scripted_server.h"
#include "session_run.h"
#include "suite.h"

static struct scripted_server server;

SCRIPT(accepting, EHLO, "<250 mx", ACCEPTED);
SCRIPT(accepting_in_tls, STARTTLS, "!tls", ">EHLO me.example", "<250 mx", ACCEPTED);

START_TEST(test_starttls)
{
    SCRIPTS(scripts, accepting_in_tls);

    run.opts.tls = _i == 0 ? TLS_MAY : TLS_ENCRYPT;
    run_against(scripts, "#\nEHLO me.example\nSTARTTLS\nEHLO me.example\nMAIL FROM:<>\n"
                         "RCPT TO:<u@d.example>\nQUIT\n");
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
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
    run_against(run.opts.tls == TLS_MAY ? may : encrypt, NULL);
    if (run.opts.tls == TLS_MAY) {
        run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
        ck_assert(run.outcome.tls_failed);
        ck_assert_str_eq(run.outcome.tls, "");
        ck_assert_ptr_nonnull(strstr(run.trace, "*TLS failed ("));
    } else {
        run_expect(failing[_i / 2].stage, failing[_i / 2].failure, 0);
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
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_TLS, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

/* Words that somebody put behind the 220 are not heard, and no second connection rewards them. */
START_TEST(test_injection)
{
    SCRIPT(injecting, EHLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "<220 go\r\n250 injected",
           "!wait");
    SCRIPTS(scripts, injecting);

    run.opts.tls = _i == 0 ? TLS_MAY : TLS_ENCRYPT;
    run_against(scripts, "#\nEHLO me.example\nSTARTTLS\n");
    run_expect(SMTP_STAGE_STARTTLS, SMTP_FAILURE_PROTOCOL, 0);
    ck_assert_str_eq(run.outcome.detail, "plaintext after STARTTLS");
}
END_TEST

/* Neither where the 220 ends with what is read at once, and they are still in the kernel. */
START_TEST(test_injection_behind_a_full_buffer)
{
    static char lines[17][1001];
    static const char *script[32] = {EHLO, "<250-mx", "<250 STARTTLS", ">STARTTLS", "!cork"};
    const char *const *const scripts[] = {script, NULL};
    size_t n = 0;

    while (script[n] != NULL)
        n++;
    for (unsigned i = 0; i < 16; i++) { /* 1000 octets each */
        snprintf(lines[i], sizeof(lines[i]), "<220-%0994u", i);
        script[n++] = lines[i];
    }
    snprintf(lines[16], sizeof(lines[16]), "<220 %0*u", 16384 - 16 * 1000 - 6, 16u);
    script[n++] = lines[16];
    script[n++] = "<250 injected";
    script[n] = "!wait";
    run.opts.tls = TLS_MAY;
    run_against(scripts, "#\nEHLO me.example\nSTARTTLS\n");
    run_expect(SMTP_STAGE_STARTTLS, SMTP_FAILURE_PROTOCOL, 0);
}
END_TEST

/* The last reply, close_notify and the end of the connection in one go: the reply counts. */
START_TEST(test_reply_and_end_at_once)
{
    SCRIPT(one, STARTTLS, "!tls", ">EHLO me.example", "<250 mx", ">MAIL FROM:<>", "<250 ok",
           "!cork", ">RCPT TO:<u@d.example>", "<550 5.1.1 gone");
    SCRIPTS(scripts, one);

    run.opts.tls = TLS_MAY;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 550);
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
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* Messages of TLS without end keep nobody from their turn, nor a deadline from passing. */
START_TEST(test_key_updates)
{
    SCRIPT(one, STARTTLS, "!tls", ">EHLO me.example", "!key updates");
    SCRIPTS(scripts, one);
    int64_t began = clock_mono_ms();

    run.opts.tls = TLS_ENCRYPT;
    run.opts.command_ms = run.opts.quit_ms = SHORT_MS;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_EHLO, SMTP_FAILURE_TIMEOUT, 0);
    ck_assert_int_lt(clock_mono_ms() - began, 10 * SHORT_MS);
}
END_TEST

static int64_t cpu_ms;

static void note_cpu(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    cpu_ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Those that are to be answered, by a server that does not read: where the socket (one that takes
   little) is full, nothing is done but wait. */
START_TEST(test_key_updates_unread)
{
    SCRIPT(one, STARTTLS, "!tls", ">EHLO me.example", "!key updates for both");
    SCRIPTS(scripts, one);
    char dir[] = "/tmp/test_session.XXXXXX", path[sizeof(dir) + 8];
    int64_t before;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/mx", dir);
    ck_assert(scripted_server_start(&server, path, scripts));
    run.target.path = path;
    run.opts.tls = TLS_ENCRYPT;
    run.opts.command_ms = SHORT_MS;
    run.opts.quit_ms = 3 * SHORT_MS;
    run.at_outcome = note_cpu;
    run_session();
    run_expect(SMTP_STAGE_EHLO, SMTP_FAILURE_TIMEOUT, 0);
    before = cpu_ms;
    note_cpu();
    ck_assert_int_lt(cpu_ms - before, SHORT_MS / 3);
    scripted_server_finish(&server);
    unlink(path);
    rmdir(dir);
}
END_TEST

static void cannot_go_on(void)
{
    ck_assert(!session_takes(run.session, "d.example", true));
    ck_assert(!run_ask("", true));
}

/* With its reply the server has ended TLS, though not the connection: it is not asked any more. */
START_TEST(test_reply_and_close_notify)
{
    SCRIPT(one, STARTTLS, "!tls", ">EHLO me.example", "<250 mx", ">MAIL FROM:<>", "<250 ok",
           "!cork", ">RCPT TO:<u@d.example>", "<250 2.1.5 fine", "!close_notify", "!wait");
    SCRIPTS(scripts, one);

    run.opts.tls = TLS_MAY;
    run.at_outcome = cannot_go_on;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
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
    static const char *const names[] = {"mx.example", "", "127.0.0.1", "other.example",
                                        "mx.example"};
    bool ok = _i < 3; /* without a name of its own it is the address that is checked */

    ck_assert_int_ge(fd, 0);
    close(fd);
    scripted_server_save_certificate(path);
    if (_i != 4) { /* else: signed by nobody we know */
        tls_context_free(&run.tls);
        ck_assert_int_eq(setenv("SSL_CERT_FILE", path, 1), 0);
        ck_assert(tls_context_new(&run.tls, &err));
    }
    snprintf(run.name, sizeof(run.name), "%s", names[_i]);
    run.opts.tls = TLS_VERIFY;
    run_against(ok ? good : bad, NULL);
    if (ok)
        run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    else
        run_expect(SMTP_STAGE_TLS, SMTP_FAILURE_TLS, 0);
    ck_assert(ok || strncmp(run.outcome.detail, "certificate: ", 13) == 0);
    unlink(path);
}
END_TEST

START_TEST(test_unwanted_in_the_handshake)
{
    SCRIPTS(scripts, silent_handshake);

    run.opts.tls = TLS_MAY;
    run.quit_on_trace = "220 go";
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_TLS, SMTP_FAILURE_TIMEOUT, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_tls");
    TCase *tc = tcase_create("session_tls");

    tcase_add_checked_fixture(tc, run_setup, run_teardown);
    tcase_add_loop_test(tc, test_starttls, 0, 2);
    tcase_add_loop_test(tc, test_handshake_fails, 0, 8);
    tcase_add_test(tc, test_no_second_connection_without_time);
    tcase_add_loop_test(tc, test_injection, 0, 2);
    tcase_add_test(tc, test_injection_behind_a_full_buffer);
    tcase_add_test(tc, test_reply_and_end_at_once);
    tcase_add_test(tc, test_long_replies_in_tls);
    tcase_add_test(tc, test_key_updates);
    tcase_add_test(tc, test_key_updates_unread);
    tcase_add_test(tc, test_reply_and_close_notify);
    tcase_add_loop_test(tc, test_verify, 0, 5);
    tcase_add_test(tc, test_unwanted_in_the_handshake);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
