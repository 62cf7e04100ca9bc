/* smtp/session after its first answer: other recipients, and waiting for them. */
#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scripted_server.h"
#include "session_run.h"
#include "suite.h"

#define PIPELINING EHLO, "<250-mx", "<250 PIPELINING"
#define FIRST      ">MAIL FROM:<>", ">RCPT TO:<u@d.example>", "<250 ok", "<250 2.1.5 fine"
#define ANEW       ">RSET", ">MAIL FROM:<>", OTHER

static int questions; /* still to be asked */
static bool anew;
static const char *sender;

static void ask_now(void *arg)
{
    (void)arg;
    questions--;
    ck_assert(session_takes(run.session, "d.example", anew));
    ck_assert(run_ask(sender, anew));
    ck_assert(!session_takes(run.session, "d.example", anew));
}

/* In on_outcome, as long as there are questions. */
static void ask_at_once(void)
{
    ck_assert_int_eq(run.outcome.reused, run.outcomes > 1);
    if (questions > 0)
        ask_now(NULL);
}

/* Later, from the loop. */
static void keep_and_ask(void)
{
    ck_assert_int_eq(run.outcome.reused, run.outcomes > 1);
    if (questions == 0)
        return;
    ck_assert(session_keep(run.session, LONG_MS));
    loop_post(run.loop, ask_now, NULL);
}

static void setup(void)
{
    run_setup();
    questions = 1;
    anew = true;
    sender = "";
    run.outcomes_wanted = 2;
    run.at_outcome = keep_and_ask;
}

SCRIPT(pipelined, PIPELINING, FIRST, ANEW, "<250 reset", "<250 ok", "<550 5.1.1 no", BYE);
SCRIPT(one_by_one, EHLO, "<250 mx", ENVELOPE, "<250 ok", ">RSET", "<250 reset", ">MAIL FROM:<>",
       "<250 ok", OTHER, "<550 5.1.1 no", BYE);

START_TEST(test_another_transaction)
{
    const char *const *const scripts[] = {_i < 2 ? pipelined : one_by_one, NULL};

    if (_i % 2 == 0)
        run.at_outcome = ask_at_once;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 550);
    ck_assert(run.outcome.reused);
}
END_TEST

START_TEST(test_the_same_transaction)
{
    SCRIPT(one, PIPELINING, FIRST, OTHER, "<550 no", OTHER, "<250 ok", BYE);
    SCRIPTS(scripts, one);

    questions = 2;
    anew = false;
    run.outcomes_wanted = 3;
    run.at_outcome = ask_at_once;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

START_TEST(test_many_questions)
{
    SCRIPT(one, PIPELINING, FIRST, ANEW, "<250 a", "<250 b", "<250 c", ANEW, "<250 a", "<250 b",
           "<452 c", ANEW, "<250 a", "<450 b", "<503 c", BYE);
    SCRIPTS(scripts, one);

    questions = 3;
    run.outcomes_wanted = 4;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_MAIL, SMTP_FAILURE_NONE, 450);
    ck_assert(run.outcome.reused);
}
END_TEST

START_TEST(test_kept_in_tls)
{
    SCRIPT(one, STARTTLS, "!tls", ">EHLO me.example", "<250-mx", "<250 PIPELINING", FIRST, ANEW,
           "<250 reset", "<250 ok", "<550 no", BYE);
    SCRIPTS(scripts, one);

    run.opts.tls = TLS_ENCRYPT;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 550);
    ck_assert_str_eq(run.outcome.tls, "TLSv1.3");
}
END_TEST

START_TEST(test_another_sender)
{
    SCRIPT(one, PIPELINING, FIRST, ">RSET", ">MAIL FROM:<s@me.example>", OTHER, "<250 reset",
           "<250 ok", "<250 ok", BYE);
    SCRIPTS(scripts, one);

    sender = "s@me.example";
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* What cannot be said is an outcome too, and none inside session_ask(). */
START_TEST(test_question_that_cannot_be_asked)
{
    static const struct {
        const char *sender;
        enum smtp_stage stage;
        enum smtp_failure failure;
    } bad[] = {{"\xc3\xb6@e.example", SMTP_STAGE_EHLO, SMTP_FAILURE_SMTPUTF8},
               {"a\r\nDATA", SMTP_STAGE_MAIL, SMTP_FAILURE_LOCAL}};
    SCRIPT(one, PIPELINING, FIRST, BYE);
    SCRIPTS(scripts, one);

    sender = bad[_i % 2].sender;
    if (_i < 2)
        run.at_outcome = ask_at_once;
    run_against(scripts, NULL);
    run_expect(bad[_i % 2].stage, bad[_i % 2].failure, 0);
    ck_assert(run.outcome.reused);
}
END_TEST

/* Recipients that need it cannot join a transaction without SMTPUTF8. */
static void ask_in_utf8(void)
{
    static const struct address utf8 = {
        .local = "\xc3\xbc", .domain = "d.example", .smtputf8 = true};
    const struct session_job job = {"", &utf8, INT64_MAX};

    if (run.outcomes == 1) {
        ck_assert(!session_ask(run.session, &job, false));
        ck_assert(session_ask(run.session, &job, true));
    } else if (run.outcomes == 2) {
        ck_assert(session_ask(run.session, &job, false));
    }
}

START_TEST(test_smtputf8)
{
    SCRIPT(one, EHLO, "<250-mx", "<250 SMTPUTF8", ENVELOPE, "<250 ok", ">RSET", "<250 ok",
           ">MAIL FROM:<> SMTPUTF8", "<250 ok", ">RCPT TO:<\xc3\xbc@d.example>", "<250 ok",
           ">RCPT TO:<\xc3\xbc@d.example>", "<250 ok", BYE);
    SCRIPTS(scripts, one);

    run.outcomes_wanted = 3;
    run.at_outcome = ask_in_utf8;
    run_against(scripts, NULL);
}
END_TEST

/* The session ends under the question: the recipient's outcome, as ever. */

SCRIPT(closed_at_rset, PIPELINING, FIRST, ANEW);
SCRIPT(leaving_at_rset, PIPELINING, FIRST, ANEW, "<421 4.4.2 idle for too long");
SCRIPT(leaving_at_mail, PIPELINING, FIRST, ANEW, "<250 reset", "<421 4.7.0 too many");
SCRIPT(rset_refused, PIPELINING, FIRST, ANEW, "<502 what", "<250 ok", "<250 ok", BYE);
SCRIPT(surplus, PIPELINING, FIRST, ANEW, "!cork", "<250 reset", "<250 ok", "<250 ok", "<550 no");

static const struct ended {
    const char *const *script;
    enum smtp_stage stage;
    enum smtp_failure failure;
    int code;
} endeds[] = {
    {closed_at_rset, SMTP_STAGE_MAIL, SMTP_FAILURE_CLOSED, 0},
    {leaving_at_rset, SMTP_STAGE_MAIL, SMTP_FAILURE_NONE, 421},
    {leaving_at_mail, SMTP_STAGE_MAIL, SMTP_FAILURE_NONE, 421},
    {rset_refused, SMTP_STAGE_MAIL, SMTP_FAILURE_NONE, 502},
    {surplus, SMTP_STAGE_RCPT, SMTP_FAILURE_PROTOCOL, 0},
};

START_TEST(test_ended_under_the_question)
{
    const struct ended *e = &endeds[_i];
    const char *const *const scripts[] = {e->script, NULL};

    run_against(scripts, NULL);
    run_expect(e->stage, e->failure, e->code);
    ck_assert(run.outcome.reused);
}
END_TEST

/* A deadline of its own for each question. */
static void keep_and_ask_shortly(void)
{
    run.deadline_ms = SHORT_MS;
    keep_and_ask();
}

START_TEST(test_time_for_the_question)
{
    SCRIPT(one, PIPELINING, FIRST, ANEW, "!wait");
    SCRIPTS(scripts, one);

    run.opts.quit_ms = BRIEF_MS;
    run.at_outcome = keep_and_ask_shortly;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_MAIL, SMTP_FAILURE_TIMEOUT, 0);
    ck_assert_str_eq(run.outcome.detail, "the session's time is up");
}
END_TEST

/* It ends while nothing is asked: there is no second outcome. */

SCRIPT(closed_when_kept, PIPELINING, FIRST);
SCRIPT(leaving_when_kept, PIPELINING, FIRST, "<421 4.4.2 idle for too long", "!wait");
SCRIPT(bye_when_kept, PIPELINING, FIRST, "<221-bye", "<221 bye");
SCRIPT(noise_when_kept, PIPELINING, FIRST, "<250 what else", ">QUIT", "<221 bye");

static const char *const *const unasked[] = {closed_when_kept, leaving_when_kept, bye_when_kept,
                                             noise_when_kept};

static void keep(void)
{
    (void)session_keep(run.session, LONG_MS); /* the end may be known already */
}

START_TEST(test_ended_while_kept)
{
    const char *const *const scripts[] = {unasked[_i], NULL};

    run.outcomes_wanted = 1;
    run.opts.quit_ms = BRIEF_MS;
    run.at_outcome = keep;
    run_against(scripts, NULL);
    ck_assert_int_eq(run.outcome.stage, SMTP_STAGE_RCPT);
}
END_TEST

/* The end is there, and was not heard of yet. */
static void wait_for_the_end(void)
{
    while (session_takes(run.session, "d.example", true))
        sched_yield();
    ck_assert(!run_ask("", true));
    ck_assert(!run_ask("", false));
}

START_TEST(test_not_asked_when_it_has_ended)
{
    const char *const *const scripts[] = {unasked[_i], NULL};

    run.outcomes_wanted = 1;
    run.opts.quit_ms = BRIEF_MS;
    run.at_outcome = wait_for_the_end;
    run_against(scripts, NULL);
    ck_assert_int_eq(run.outcome.stage, SMTP_STAGE_RCPT);
}
END_TEST

SCRIPT(left_alone, PIPELINING, FIRST, BYE);

static void keep_briefly(void)
{
    ck_assert(session_keep(run.session, BRIEF_MS));
}

START_TEST(test_idle_for_too_long)
{
    SCRIPTS(scripts, left_alone);

    run.outcomes_wanted = 1;
    run.opts.command_ms = run.opts.quit_ms = LONG_MS;
    run.at_outcome = keep_briefly;
    run_against(scripts, NULL);
}
END_TEST

static void quit_now(void *arg)
{
    (void)arg;
    session_quit(run.session);
    session_quit(run.session);
    ck_assert(!session_takes(run.session, "d.example", true));
    ck_assert(!run_ask("", true));
    ck_assert(!session_keep(run.session, LONG_MS));
}

static void keep_and_quit(void)
{
    ck_assert(session_keep(run.session, LONG_MS));
    if (anew)
        quit_now(NULL);
    else
        loop_post(run.loop, quit_now, NULL);
}

START_TEST(test_unwanted_while_kept)
{
    SCRIPTS(scripts, left_alone);

    anew = _i == 0;
    run.outcomes_wanted = 1;
    run.at_outcome = keep_and_quit;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

static void ask_and_quit(void)
{
    ask_at_once();
    session_quit(run.session);
}

START_TEST(test_unwanted_after_asking)
{
    SCRIPTS(scripts, left_alone);

    run.outcomes_wanted = 1;
    run.at_outcome = ask_and_quit;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

/* LIMITS */

static const struct limited {
    const char *limits;
    bool other_domain, along, anew;
} limiteds[] = {
    {"<250-LIMITS MAILMAX=1", true, true, false},
    {"<250-LIMITS RCPTMAX=1", true, false, true},
    {"<250-LIMITS RCPTDOMAINMAX=1", false, true, true},
    {"<250-LIMITS RCPTMAX=1 RCPTDOMAINMAX=1 MAILMAX=1", false, false, false},
    {"<250-LIMITS MAILMAX=2 RCPTMAX=2 RCPTDOMAINMAX=2", true, true, true},
};
static const struct limited *limited;

static void look_at_limits(void)
{
    const struct address elsewhere = {.local = "w", .domain = "e.example"};
    const struct session_job job = {"", &elsewhere, INT64_MAX};

    ck_assert_int_eq(session_takes(run.session, "d.example", false), limited->along);
    ck_assert_int_eq(session_takes(run.session, "d.example", true), limited->anew);
    ck_assert_int_eq(session_takes(run.session, "e.example", true) ||
                         session_takes(run.session, "e.example", false),
                     limited->other_domain);
    if (!limited->other_domain)
        ck_assert(!session_ask(run.session, &job, true) && !session_ask(run.session, &job, false));
    if (!limited->along)
        ck_assert(!run_ask("", false));
    if (!limited->anew)
        ck_assert(!run_ask("", true));
}

START_TEST(test_limits)
{
    static const char *script[] = {EHLO, "<250-mx", NULL, "<250 PIPELINING", FIRST, BYE, NULL};
    const char *const *const scripts[] = {script, NULL};

    limited = &limiteds[_i];
    script[3] = limited->limits;
    run.outcomes_wanted = 1;
    run.at_outcome = look_at_limits;
    run_against(scripts, NULL);
    run_expect(SMTP_STAGE_RCPT, SMTP_FAILURE_NONE, 250);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, test_another_transaction, 0, 4);
    tcase_add_test(tc, test_the_same_transaction);
    tcase_add_test(tc, test_many_questions);
    tcase_add_test(tc, test_kept_in_tls);
    tcase_add_test(tc, test_another_sender);
    tcase_add_loop_test(tc, test_question_that_cannot_be_asked, 0, 4);
    tcase_add_test(tc, test_smtputf8);
    tcase_add_loop_test(tc, test_ended_under_the_question, 0, sizeof(endeds) / sizeof(endeds[0]));
    tcase_add_test(tc, test_time_for_the_question);
    tcase_add_loop_test(tc, test_ended_while_kept, 0, 4);
    tcase_add_loop_test(tc, test_not_asked_when_it_has_ended, 0, 4);
    tcase_add_test(tc, test_idle_for_too_long);
    tcase_add_loop_test(tc, test_unwanted_while_kept, 0, 2);
    tcase_add_test(tc, test_unwanted_after_asking);
    tcase_add_loop_test(tc, test_limits, 0, sizeof(limiteds) / sizeof(limiteds[0]));
}

int main(void)
{
    Suite *suite = suite_create("session_kept");
    TCase *tc = tcase_create("session_kept");

    tcase_add_checked_fixture(tc, setup, run_teardown);
    add_tests(tc);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
