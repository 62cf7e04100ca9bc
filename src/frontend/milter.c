#include "frontend/milter.h"

#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
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
    struct frontend *fe; /* NULL: not started */
    struct listen_spec spec;
    pthread_t server, stopper;
    bool serving, stopping;
    atomic_bool ended; /* smfi_main() has returned */
    loop_fn on_end, on_idle;
    void *end_arg, *idle_arg;
    struct loop_timer *tick;
    unsigned quiet; /* ticks since nothing was being decided about */
};

bool milter_open(struct milter **mp, const struct listen_spec *spec,
                 const struct listener_opts *opts, const char *user, struct error *err)
{
    struct milter *m = calloc(1, sizeof(*m));

    *mp = m;
    if (m == NULL) {
        error_set(err, "milter: out of memory");
        return false;
    }
    m->spec = *spec;
    if (milter_filter_register(err) && milter_socket_open(spec, opts, user, err))
        return true;
    milter_free(mp);
    return false;
}

/* The one there is; the loop's thread only. What libmilter's thread posts may come too late. */
static struct milter *the_milter;

static void on_server_end(void *arg)
{
    struct milter *m = the_milter;

    (void)arg;
    if (m == NULL || m->stopping)
        return;
    log_error("milter: libmilter has ended by itself");
    m->on_end(m->end_arg);
}

static void *serve(void *arg)
{
    struct milter *m = arg;

    (void)smfi_main();
    atomic_store(&m->ended, true);
    loop_post(m->fe->loop, on_server_end, NULL);
    return NULL;
}

/*
 * libmilter writes an answer after the filter has given it, and tells nobody when it has: the end
 * is taken to be there when for a while nothing was decided about. Until its listener has ended, it
 * is knocked at: it looks around for connections only every five seconds.
 */
static void on_tick(void *arg)
{
    struct milter *m = arg;

    if (!atomic_load(&m->ended))
        milter_socket_knock(&m->spec);
    m->quiet = milter_filter_busy() == 0 ? m->quiet + 1 : 0;
    if (m->quiet >= QUIET_TICKS && atomic_load(&m->ended))
        m->on_idle(m->idle_arg);
    else
        loop_timer_arm(m->tick, TICK_MS);
}

bool milter_start(struct milter *m, struct frontend *fe, loop_fn on_end, void *arg,
                  struct error *err)
{
    int rc;

    m->on_end = on_end;
    m->end_arg = arg;
    m->tick = loop_timer_new(fe->loop, on_tick, m);
    if (m->tick == NULL) {
        error_set(err, "milter: out of memory");
        return false;
    }
    m->fe = fe;
    the_milter = m;
    milter_filter_begin(&fe->rcpt, &m->spec);
    rc = thread_start(&m->server, serve, m);
    m->serving = rc == 0;
    if (rc != 0)
        error_set(err, "milter: cannot start a thread: %s", strerror(rc));
    return rc == 0;
}

/* It takes a lock that the listener holds while it waits for connections. */
static void *stop(void *arg)
{
    (void)arg;
    (void)smfi_stop();
    return NULL;
}

void milter_stop(struct milter *m, loop_fn on_idle, void *arg)
{
    m->on_idle = on_idle;
    m->idle_arg = arg;
    m->stopping = thread_start(&m->stopper, stop, NULL) == 0;
    loop_timer_arm(m->tick, TICK_MS);
}

static void join(struct milter *m)
{
    if (!m->stopping)
        (void)smfi_stop();
    else
        pthread_join(m->stopper, NULL);
    pthread_join(m->server, NULL);
}

void milter_free(struct milter **mp)
{
    struct milter *m = *mp;

    if (m == NULL)
        return;
    milter_filter_end();
    if (m->serving)
        join(m);
    else
        (void)smfi_stop();                       /* closes the socket */
    (void)listener_remove_stale(&m->spec, NULL); /* libmilter leaves root's where it is */
    loop_timer_free(&m->tick);
    the_milter = NULL;
    free(m);
    *mp = NULL;
}
