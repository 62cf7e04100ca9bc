#include "base/notify.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define sd_notify(unset, state)        ((void)(state))
#define sd_notifyf(unset, format, arg) ((void)(arg))
#define sd_watchdog_enabled(unset, us) ((void)(us), 0)
#endif

struct watchdog {
    struct loop *own, *other;
    struct loop_timer *timer;
    int64_t interval_ms;
    atomic_bool other_alive; /* it has run our letter since we last looked */
};

void notify_ready(void)
{
    (void)sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

/* The other loop's thread. */
static void on_alive(void *arg)
{
    struct watchdog *w = arg;

    atomic_store(&w->other_alive, true);
}

static void on_timer(void *arg)
{
    struct watchdog *w = arg;

    if (atomic_exchange(&w->other_alive, false)) {
        (void)sd_notify(0, "WATCHDOG=1");
        loop_post(w->other, on_alive, w);
    }
    loop_timer_arm(w->timer, w->interval_ms);
}

bool watchdog_new(struct watchdog **wp, struct loop *own, struct loop *other, struct error *err)
{
    uint64_t us = 0;
    struct watchdog *w;

    *wp = NULL;
    if (sd_watchdog_enabled(0, &us) <= 0)
        return true;
    w = calloc(1, sizeof(*w));
    if (w != NULL)
        w->timer = loop_timer_new(own, on_timer, w);
    if (w == NULL || w->timer == NULL) {
        free(w);
        error_set(err, "watchdog: out of memory");
        return false;
    }
    w->own = own;
    w->other = other;
    w->interval_ms = (int64_t)(us / 1000 / 3);
    atomic_store(&w->other_alive, true);
    loop_timer_arm(w->timer, 0);
    *wp = w;
    return true;
}

void watchdog_free(struct watchdog **wp)
{
    struct watchdog *w = *wp;

    if (w == NULL)
        return;
    loop_timer_free(&w->timer);
    free(w);
    *wp = NULL;
}
