/* smtp/session: TLS that is resumed, when it is not, and what a broken resumption comes to. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"
#include "scripted_server.h"
#include "session_run.h"
#include "suite.h"

#define FORTY_MINUTES_MS 2400000

#define AGAIN ">EHLO me.example", "<250 mx", ACCEPTED

SCRIPT(whole, STARTTLS, "!tls whole", AGAIN);
SCRIPT(resumed, STARTTLS, "!tls resumed", AGAIN);
SCRIPT(refused, STARTTLS, "!tls refused");

static struct scripted_server server;

static void begin(const char *const *const *scripts)
{
    ck_assert(scripted_server_start(&server, "127.0.0.1", scripts));
    run.target.port = server.port;
}

static void end(void)
{
    scripted_server_finish(&server);
    ck_assert_msg(server.error[0] == '\0', "%s\n%s", server.error, run.trace);
}

static void visit(enum tls_mode tls)
{
    run.started = false;
    run.outcomes = run.closes = 0;
    run.trace[0] = run.addresses[0] = '\0';
    run.opts.tls = tls;
    run_session();
}

static void expect_accepted(bool by_resumption)
{
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
    ck_assert(run.outcome.tls[0] != '\0');
    ck_assert_msg((strstr(run.trace, ", resumed\n") != NULL) == by_resumption, "%s", run.trace);
}

/* The servers of this process are vouched for. */
static void trust_certificate(void)
{
    char path[] = "/tmp/test_session.XXXXXX";
    int fd = mkstemp(path);
    struct error err;

    ck_assert_int_ge(fd, 0);
    close(fd);
    scripted_server_save_certificate(path);
    ck_assert_int_eq(setenv("SSL_CERT_FILE", path, 1), 0);
    tls_context_free(&run.tls);
    ck_assert(tls_context_new(&run.tls, &err));
    unlink(path);
}

/* Both versions, with and without certificates being looked at. */
START_TEST(test_resumed)
{
    SCRIPT(older, STARTTLS, "!tls1.2", "!tls whole", AGAIN);
    SCRIPTS(new, whole, resumed, resumed, resumed, resumed, resumed, resumed);
    SCRIPTS(old, older, resumed, resumed, resumed, resumed, resumed, resumed);
    enum tls_mode tls = _i / 2 == 0 ? TLS_MAY : TLS_VERIFY;

    trust_certificate();
    begin(_i % 2 == 0 ? new : old);
    for (int i = 0; i < 7; i++) {
        visit(tls);
        expect_accepted(i > 0);
        ck_assert_str_eq(run.outcome.tls, _i % 2 == 0 ? "TLSv1.3" : "TLSv1.2");
    }
    end();
}
END_TEST

/* The server does not know its tickets any more: a whole handshake on the same connection. */
START_TEST(test_ticket_not_taken)
{
    SCRIPT(forgetting, STARTTLS, "!forget", "!tls whole", AGAIN);
    SCRIPTS(scripts, whole, forgetting, resumed);

    trust_certificate();
    begin(scripts);
    for (int i = 0; i < 3; i++) {
        visit(TLS_VERIFY);
        expect_accepted(i == 2);
    }
    end();
}
END_TEST

/* A certificate was good once; one that is not is refused all the same, and stays so. */
START_TEST(test_wrong_certificate_after_a_good_one)
{
    SCRIPT(another, STARTTLS, "!forget", "!another", "!tls refused");
    SCRIPTS(scripts, whole, another, refused);

    trust_certificate();
    begin(scripts);
    visit(TLS_VERIFY);
    expect_accepted(false);
    for (int i = 0; i < 2; i++) {
        visit(TLS_VERIFY);
        run_expect(SMTP_STAGE_TLS, SMTP_FAILURE_TLS, 0);
        ck_assert_int_eq(strncmp(run.outcome.detail, "certificate: ", 13), 0);
    }
    end();
}
END_TEST

/* What was never verified is not resumed where it has to be. */
START_TEST(test_demands_are_apart)
{
    SCRIPT(another, STARTTLS, "!another", "!tls whole", AGAIN);
    SCRIPTS(scripts, another, refused, resumed);

    trust_certificate();
    begin(scripts);
    visit(TLS_MAY);
    expect_accepted(false);
    visit(TLS_VERIFY);
    run_expect(SMTP_STAGE_TLS, SMTP_FAILURE_TLS, 0);
    visit(TLS_ENCRYPT);
    expect_accepted(true);
    end();
}
END_TEST

/* Verified was the name: another one at the same address was not. */
START_TEST(test_names_are_apart)
{
    SCRIPTS(scripts, whole, whole, refused, resumed);
    static const char *const names[] = {"mx.example", "", "other.example", "mx.example"};

    trust_certificate();
    begin(scripts);
    for (int i = 0; i < 4; i++) {
        snprintf(run.name, sizeof(run.name), "%s", names[i]);
        visit(TLS_VERIFY);
        if (i == 2)
            run_expect(SMTP_STAGE_TLS, SMTP_FAILURE_TLS, 0);
        else
            expect_accepted(i == 3);
    }
    end();
}
END_TEST

/* A server that cannot resume what it said it would gets another connection, with TLS, and from
   then on whole handshakes. */
START_TEST(test_resumption_fails)
{
    SCRIPT(broken, STARTTLS, "!not tls");
    SCRIPTS(scripts, whole, broken, whole, whole);
    enum tls_mode tls = _i == 0 ? TLS_MAY : TLS_VERIFY;

    trust_certificate();
    begin(scripts);
    visit(tls);
    expect_accepted(false);
    visit(tls);
    expect_accepted(false);
    ck_assert(!run.outcome.tls_failed);
    ck_assert_ptr_nonnull(strstr(run.trace, "; a new connection for a whole handshake\n"));
    ck_assert_str_eq(run.addresses, "0 connected none\n");
    visit(tls);
    expect_accepted(false);
    end();
}
END_TEST

/* What takes much memory is not kept. */
START_TEST(test_long_chain)
{
    SCRIPT(heaping, STARTTLS, "!long chain", "!tls whole", AGAIN);
    SCRIPTS(scripts, heaping, whole);

    begin(scripts);
    for (int i = 0; i < 2; i++) {
        visit(TLS_MAY);
        expect_accepted(false);
    }
    end();
}
END_TEST

/* Tickets that are renewed and renewed do not spare the whole handshake for longer than one would.
 */
START_TEST(test_an_hour_after_the_whole_one)
{
    SCRIPT(older, STARTTLS, "!tls1.2", "!tls whole", AGAIN);
    SCRIPTS(new, whole, resumed, whole, resumed);
    SCRIPTS(old, older, resumed, whole, resumed);

    trust_certificate();
    begin(_i % 2 == 0 ? new : old);
    for (int i = 0; i < 4; i++) {
        visit(_i / 2 == 0 ? TLS_MAY : TLS_VERIFY);
        expect_accepted(i % 2 == 1);
        clocks_ahead_ms += FORTY_MINUTES_MS;
    }
    end();
}
END_TEST

/* A server may hang where it is to resume: the same. */
START_TEST(test_resumption_hangs)
{
    SCRIPT(hanging, STARTTLS, "!wait");
    SCRIPT(older, STARTTLS, "!tls1.2", "!tls whole", AGAIN);
    const char *const *const scripts[] = {_i % 2 == 0 ? whole : older, hanging, whole, whole, NULL};
    enum tls_mode tls = _i / 2 == 0 ? TLS_MAY : TLS_VERIFY;

    trust_certificate();
    begin(scripts);
    visit(tls);
    expect_accepted(false);
    run.opts.tls_ms = SHORT_MS;
    visit(tls);
    run.opts.tls_ms = LONG_MS;
    expect_accepted(false);
    ck_assert(!run.outcome.tls_failed);
    visit(tls);
    expect_accepted(false);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session_resumed");
    TCase *tc = tcase_create("session_resumed");

    tcase_add_checked_fixture(tc, run_setup, run_teardown);
    tcase_add_loop_test(tc, test_resumed, 0, 4);
    tcase_add_test(tc, test_ticket_not_taken);
    tcase_add_test(tc, test_wrong_certificate_after_a_good_one);
    tcase_add_test(tc, test_demands_are_apart);
    tcase_add_test(tc, test_names_are_apart);
    tcase_add_loop_test(tc, test_resumption_fails, 0, 2);
    tcase_add_test(tc, test_long_chain);
    tcase_add_loop_test(tc, test_an_hour_after_the_whole_one, 0, 4);
    tcase_add_loop_test(tc, test_resumption_hangs, 0, 4);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
