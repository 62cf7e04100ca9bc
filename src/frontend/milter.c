#include "frontend/milter.h"

#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "frontend/milter_filter.h"
#include "frontend/milter_socket.h"

#define TICK_MS     20
#define QUIET_TICKS 10

/* See the header. */
int sigwait(const sigset_t *set, int *number)
{
    (void)set;
    (void)number;
    for (;;)
        (void)pause();
}

struct milter {
    pthread_mutex_t lock;
    struct frontend *fe; /* NULL, under the lock: nobody is to hear of libmilter any more */
    struct listen_spec spec;
    loop_fn on_end, on_idle;
    void *end_arg, *idle_arg;
    struct loop_timer *tick;
    unsigned quiet; /* ticks since the last that was decided about before the stop */
};

/* libmilter's threads outlive the daemon. */
static struct milter the_milter = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool milter_open(struct milter **mp, const struct listen_spec *spec,
                 const struct listener_opts *opts, const char *user, struct error *err)
{
    *mp = NULL;
    if (!milter_filter_register(err) || !milter_socket_open(spec, opts, user, err))
        return false;
    the_milter.spec = *spec;
    *mp = &the_milter;
    return true;
}

static void on_server_end(void *arg)
{
    struct milter *m = arg;

    if (m->fe == NULL)
        return;
    log_error("milter: libmilter has given up");
    m->on_end(m->end_arg);
}

static void *serve(void *arg)
{
    struct milter *m = arg;

    (void)smfi_main();
    pthread_mutex_lock(&m->lock);
    if (m->fe != NULL)
        loop_post(m->fe->loop, on_server_end, m);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/*
 * libmilter writes an answer after the filter has given it, and tells nobody when it has: the last
 * one that somebody waited for is taken to be written a while after it was given.
 */
static void on_tick(void *arg)
{
    struct milter *m = arg;

    m->quiet = milter_filter_early() == 0 ? m->quiet + 1 : 0;
    if (m->quiet >= QUIET_TICKS)
        m->on_idle(m->idle_arg);
    else
        loop_timer_arm(m->tick, TICK_MS);
}

bool milter_start(struct milter *m, struct frontend *fe, loop_fn on_end, void *arg,
                  struct error *err)
{
    pthread_t thread;
    int rc;

    m->tick = loop_timer_new(fe->loop, on_tick, m);
    if (m->tick == NULL) {
        error_set(err, "milter: out of memory");
        return false;
    }
    m->on_end = on_end;
    m->end_arg = arg;
    m->fe = fe;
    milter_filter_begin(&fe->rcpt, &m->spec);
    rc = thread_start(&thread, serve, m);
    if (rc == 0)
        (void)pthread_detach(thread);
    else
        error_set(err, "milter: cannot start a thread: %s", strerror(rc));
    return rc == 0;
}

void milter_stop(struct milter *m, loop_fn on_idle, void *arg)
{
    m->on_idle = on_idle;
    m->idle_arg = arg;
    milter_filter_stop();
    loop_timer_arm(m->tick, TICK_MS);
}

void milter_free(struct milter **mp)
{
    struct milter *m = *mp;

    if (m == NULL)
        return;
    milter_filter_end();
    pthread_mutex_lock(&m->lock);
    m->fe = NULL;
    pthread_mutex_unlock(&m->lock);
    loop_timer_free(&m->tick);
    milter_socket_remove(&m->spec);
    *mp = NULL;
}
