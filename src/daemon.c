#include "daemon.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/notify.h"
#include "base/privileges.h"
#include "frontend/control.h"
#include "frontend/listener.h"
#include "frontend/milter.h"
#include "frontend/milter_socket.h"
#include "frontend/policy_service.h"

#define BRAKED_MAX    10000 /* clients whose recipients are counted */
#define STOP_SLACK_MS 1000  /* for answers to reach their clients, beyond the wait for 221 */

struct daemon {
    const struct daemon_opts *opts;
    struct config *first; /* as started: what needs a restart keeps these values */
    struct config *cfg;   /* in force; `first` until a reload */
    int policy_fds[CONFIG_LISTEN_MAX], control_fd;
    struct frontend front; /* loop, store, verifier, policy options */
    struct policy_service *policy;
    struct control *control;
    struct watchdog *watchdog;
    struct milter *milter; /* NULL: none is wanted */
    struct event *signals[3];
    struct loop_timer *stop_bound;
    unsigned stopping_parts; /* frontends that still have clients to answer */
    bool stopping;
    int exit_code;
};

static void daemon_reload(struct daemon *d);
static void daemon_stop(struct daemon *d);

struct config *daemon_read_config(const struct daemon_opts *opts, config_report report, void *arg)
{
    struct config_problems problems;
    struct config *cfg = config_load(opts->config, &problems);
    struct error line;

    config_problems_each(&problems, report, arg);
    config_problems_free(&problems);
    if (cfg == NULL)
        return NULL;
    if (opts->foreground) {
        cfg->log.target = LOG_TARGET_STDERR;
    } else if (cfg->log.target == LOG_TARGET_STDERR) {
        error_set(&line, "%s: warning: log: stderr is for the foreground (-f), syslog is used",
                  opts->config);
        report(arg, line.text, true);
        cfg->log.target = LOG_TARGET_SYSLOG;
    }
    cfg->log.debug = opts->verbose;
    return cfg;
}

static bool open_milter(struct daemon *d, struct error *err)
{
    const struct config *cfg = d->cfg;
    struct listen_spec spec;

    if (cfg->milter_listen[0] == '\0')
        return true;
    return milter_socket_parse(cfg->milter_listen, &spec, err) &&
           milter_open(&d->milter, &spec, &cfg->listener, cfg->user, err);
}

static bool open_sockets(struct daemon *d, struct error *err)
{
    const struct config *cfg = d->cfg;

    for (size_t i = 0; i < cfg->policy_listen_count; i++) {
        d->policy_fds[i] = listener_open(&cfg->policy_listen[i], &cfg->listener, err);
        if (d->policy_fds[i] < 0)
            return false;
    }
    d->control_fd = listener_open(&cfg->control_listen, &cfg->listener, err);
    return d->control_fd >= 0 && open_milter(d, err);
}

static void close_policy_sockets(struct daemon *d)
{
    for (size_t i = 0; i < d->first->policy_listen_count; i++)
        listener_close(&d->policy_fds[i], &d->first->policy_listen[i]);
}

static bool start_frontends(struct daemon *d, struct error *err)
{
    if (!policy_service_new(&d->policy, &d->front, err))
        return false;
    for (size_t i = 0; i < d->cfg->policy_listen_count; i++)
        if (!policy_service_listen(d->policy, d->policy_fds[i], err))
            return false;
    return control_new(&d->control, &d->front, d->control_fd, err);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    (void)what;
    if (sig == SIGHUP)
        daemon_reload(arg);
    else
        daemon_stop(arg);
}

static void on_stop_bound(void *arg)
{
    struct daemon *d = arg;

    log_warning("stop: clients did not take their answers in time");
    loop_stop(d->front.loop);
}

static bool start_loop(struct daemon *d, struct error *err)
{
    static const int numbers[3] = {SIGHUP, SIGTERM, SIGINT};

    bool ok;

    d->front.loop = loop_new("front");
    ok = d->front.loop != NULL;
    if (ok)
        d->stop_bound = loop_timer_new(d->front.loop, on_stop_bound, d);
    ok = ok && d->stop_bound != NULL;
    for (size_t i = 0; ok && i < 3; i++) {
        d->signals[i] = evsignal_new(loop_base(d->front.loop), numbers[i], on_signal, d);
        ok = d->signals[i] != NULL && event_add(d->signals[i], NULL) == 0;
    }
    if (!ok)
        error_set(err, "front loop: out of memory or descriptors");
    return ok;
}

static bool start_policy(struct daemon *d, struct error *err)
{
    d->front.rcpt.policy = policy_new(d->cfg->policy);
    d->front.rcpt.brake = brake_new(BRAKED_MAX);
    if (d->front.rcpt.policy != NULL && d->front.rcpt.brake != NULL)
        return true;
    error_set(err, "out of memory");
    return false;
}

/* libmilter gives up when it cannot accept() any more. */
static void on_milter_end(void *arg)
{
    struct daemon *d = arg;

    if (!d->stopping)
        d->exit_code = EX_SOFTWARE;
    daemon_stop(d);
}

/* In order; a later step leans on the earlier ones. */
static bool start_all(struct daemon *d, struct error *err, int *code)
{
    *code = EX_UNAVAILABLE;
    if (!open_sockets(d, err))
        return false;
    if (!privileges_make_dir(d->cfg->store.dir, d->cfg->user, err))
        return false;
    *code = EX_NOPERM;
    if (!privileges_drop(d->cfg->user, err))
        return false;
    *code = EX_UNAVAILABLE;
    if (!store_open(&d->front.store, &d->cfg->store, NULL, err))
        return false;
    *code = EX_OSERR;
    return start_loop(d, err) && start_policy(d, err) &&
           verifier_new(&d->front.rcpt.verifier, &d->cfg->verifier, d->front.store, err) &&
           start_frontends(d, err) &&
           watchdog_new(&d->watchdog, d->front.loop, verifier_loop(d->front.rcpt.verifier), err) &&
           (d->milter == NULL || milter_start(d->milter, &d->front, on_milter_end, d, err));
}

bool daemon_start(struct daemon **dp, const struct daemon_opts *opts, struct config **cfg,
                  struct error *err, int *code)
{
    struct daemon *d = calloc(1, sizeof(*d));

    *dp = d;
    if (d == NULL) {
        config_free(cfg);
        error_set(err, "out of memory");
        *code = EX_OSERR;
        return false;
    }
    d->opts = opts;
    d->first = d->cfg = *cfg;
    *cfg = NULL;
    for (size_t i = 0; i < CONFIG_LISTEN_MAX; i++)
        d->policy_fds[i] = -1;
    d->control_fd = -1;
    if (start_all(d, err, code)) {
        verifier_serve(d->front.rcpt.verifier);
        return true;
    }
    daemon_free(dp);
    return false;
}

static void on_restart_key(void *arg, const char *key)
{
    (void)arg;
    log_warning("reload: %s needs a restart; the old value stays", key);
}

static void report_problem(void *arg, const char *text, bool is_warning)
{
    (void)arg;
    log_write(is_warning ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, "reload: %s", text);
}

static void log_data_files(const struct config *cfg)
{
    log_info("replies are read by %s, providers known from %s", cfg->replies_from,
             cfg->providers_from);
}

static void daemon_reload(struct daemon *d)
{
    struct config *cfg, *old = d->cfg;
    struct error err = {""};

    if (d->stopping)
        return;
    notify_reloading();
    cfg = daemon_read_config(d->opts, report_problem, NULL);
    if (cfg == NULL || !verifier_reconfigure(d->front.rcpt.verifier, &cfg->verifier, &err)) {
        log_error("reload: %s%snothing is changed", err.text, err.text[0] != '\0' ? "; " : "");
        config_free(&cfg);
    } else {
        config_restart_keys(d->first, cfg, on_restart_key, NULL);
        d->cfg = cfg;
        policy_set(d->front.rcpt.policy, cfg->policy);
        verifier_serve(d->front.rcpt.verifier);
        log_reconfigure(&cfg->log);
        if (old != d->first)
            config_free(&old);
        log_info("reload: done, %s", d->opts->config);
        log_data_files(cfg);
    }
    notify_ready();
}

static void on_part_idle(void *arg)
{
    struct daemon *d = arg;

    if (--d->stopping_parts == 0)
        loop_stop(d->front.loop);
}

static void daemon_stop(struct daemon *d)
{
    int64_t grace = d->cfg->verifier.session.quit_ms + STOP_SLACK_MS;

    if (d->stopping)
        return;
    d->stopping = true;
    notify_stopping();
    log_info("stopping");
    d->stopping_parts = d->milter != NULL ? 3 : 2;
    loop_timer_arm(d->stop_bound, grace);
    verifier_stop(d->front.rcpt.verifier, grace);
    policy_service_stop(d->policy, on_part_idle, d);
    control_stop(d->control, on_part_idle, d);
    if (d->milter != NULL)
        milter_stop(d->milter, on_part_idle, d);
    close_policy_sockets(d);
}

int daemon_run(struct daemon *d)
{
    notify_ready();
    log_info("ready: version=%s config=%s", PACKAGE_VERSION, d->opts->config);
    log_data_files(d->cfg);
    loop_run(d->front.loop);
    return d->exit_code;
}

static void drain_engine(struct daemon *d)
{
    if (d->front.rcpt.verifier != NULL)
        loop_drain(verifier_loop(d->front.rcpt.verifier));
}

/*
 * The door, for nobody would be answered any more. The engine, so that nothing more comes from it;
 * the milter, whose threads look into the store; the store, with what it was given; the answers
 * that are on their way to those who wait; and only then those.
 */
void daemon_free(struct daemon **dp)
{
    struct daemon *d = *dp;

    if (d == NULL)
        return;
    control_stop_listening(d->control);
    listener_close(&d->control_fd, &d->first->control_listen);
    verifier_join(d->front.rcpt.verifier);
    drain_engine(d);
    milter_free(&d->milter);
    store_close(&d->front.store);
    drain_engine(d);
    if (d->front.loop != NULL)
        loop_drain(d->front.loop);
    policy_service_free(&d->policy);
    control_free(&d->control);
    policy_free(&d->front.rcpt.policy);
    brake_free(&d->front.rcpt.brake);
    verifier_free(&d->front.rcpt.verifier);
    watchdog_free(&d->watchdog);
    for (size_t i = 0; i < 3; i++)
        if (d->signals[i] != NULL)
            event_free(d->signals[i]);
    loop_timer_free(&d->stop_bound);
    loop_free(&d->front.loop);
    close_policy_sockets(d);
    if (d->cfg != d->first)
        config_free(&d->cfg);
    config_free(&d->first);
    free(d);
    *dp = NULL;
}
