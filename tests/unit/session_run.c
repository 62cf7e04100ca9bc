#include "session_run.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "scripted_server.h"

static const struct address recipient = {.local = "u", .domain = "d.example"};
static const struct address other = {.local = "v", .domain = "d.example"};

static void on_address(void *arg, size_t index, enum session_address what, enum smtp_failure how)
{
    static const char *const names[] = {"connected", "failed", "late"};
    struct run *r = arg;
    size_t n = strlen(r->addresses);

    ck_assert(r->started);
    ck_assert_int_eq(r->outcomes, 0);
    ck_assert((what == SESSION_ADDRESS_FAILED) == (how != SMTP_FAILURE_NONE));
    snprintf(r->addresses + n, sizeof(r->addresses) - n, "%zu %s %s\n", index, names[what],
             smtp_failure_name(how));
    if (r->at_address != NULL)
        r->at_address();
}

static void on_outcome(void *arg, const struct outcome *o)
{
    struct run *r = arg;

    ck_assert(r->started);
    ck_assert_int_eq(r->closes, 0);
    r->outcomes++;
    r->outcome = *o;
    if (r->quit_on_outcome)
        session_quit(r->session);
    if (r->at_outcome != NULL)
        r->at_outcome();
}

static void on_closed(void *arg)
{
    struct run *r = arg;

    ck_assert(r->started);
    ck_assert_int_eq(r->outcomes, r->outcomes_wanted);
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

struct run run;
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

void run_setup(void)
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
        .name = "mx.example",
        .target = {.name = run.name},
        .deadline_ms = LONG_MS,
        .outcomes_wanted = 1,
    };
    ck_assert(netaddr_parse("127.0.0.1", &run.target.ip));
    run.loop = loop_new("test");
    ck_assert_ptr_nonnull(run.loop);
    ck_assert_msg(tls_context_new(&run.tls, &err), "%s", err.text);
}

void run_teardown(void)
{
    loop_free(&run.loop);
    tls_context_free(&run.tls);
    ck_assert_int_eq(open_descriptors(), descriptors);
}

void run_session(void)
{
    const struct session_handler handler = {on_address, on_outcome, on_closed, on_trace, &run};
    const struct session_job job = {"", &recipient, clock_mono_ms() + run.deadline_ms};
    bool several = run.target_count > 0;

    run.session = session_start(run.loop, &run.opts, run.tls, several ? run.targets : &run.target,
                                several ? run.target_count : 1, &job, &handler);
    ck_assert_ptr_nonnull(run.session);
    run.started = true;
    if (run.quit_at_once)
        session_quit(run.session);
    loop_run(run.loop);
    ck_assert_int_eq(run.closes, 1);
}

struct session_target *run_add_target(const char *ip, uint16_t port)
{
    struct session_target *t = &run.targets[run.target_count++];

    *t = run.target;
    ck_assert(netaddr_parse(ip, &t->ip));
    t->port = port;
    return t;
}

bool run_ask(const char *sender, bool new_transaction)
{
    const struct session_job job = {sender, &other, clock_mono_ms() + run.deadline_ms};
    int outcomes = run.outcomes;
    bool asked = session_ask(run.session, &job, new_transaction);

    ck_assert_int_eq(run.outcomes, outcomes);
    return asked;
}

void run_against(const char *const *const *scripts, const char *heard)
{
    static struct scripted_server server;

    ck_assert(scripted_server_start(&server, "127.0.0.1", scripts));
    run.target.port = server.port;
    run_session();
    scripted_server_finish(&server);
    ck_assert_msg(server.error[0] == '\0', "%s\n%s", server.error, run.trace);
    if (heard != NULL)
        ck_assert_str_eq(server.transcript, heard);
}

void run_expect(enum smtp_stage stage, enum smtp_failure failure, int code)
{
    ck_assert_msg(run.outcome.stage == stage && run.outcome.failure == failure &&
                      run.outcome.reply.code == code,
                  "%s %s %d (%s)\n%s", smtp_stage_name(run.outcome.stage),
                  smtp_failure_name(run.outcome.failure), run.outcome.reply.code,
                  run.outcome.detail, run.trace);
}
