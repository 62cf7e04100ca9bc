#include "base/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#define WAKES_MAX 4 /* other loops written to in one turn; there are two in all */

struct letter {
    loop_fn fn;
    void *arg;
    struct letter *next;
};

struct loop {
    const char *name;
    struct event_base *base;
    struct event *wakeup; /* the mailbox's eventfd is readable */
    int wakeup_fd;
    pthread_t thread;
    bool threaded;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards the mailbox */
    struct letter *head, *tail;
    bool woken;                    /* for those */
    struct loop *wakes[WAKES_MAX]; /* to be woken when this one's turn is over */
    size_t wake_count;
};

static _Thread_local struct loop *running; /* in this thread; NULL: none */

/*
 * Most deadlines are put off again and again, and few ever come: libevent's heap is told of a
 * sooner time only. What was put off is armed anew when its first time comes.
 */
struct loop_timer {
    struct event ev;
    bool armed;
    int64_t set_for, due; /* of an armed one: when `ev` fires, and when it is to; clock_mono_ms */
    loop_fn fn;
    void *arg;
};

static struct letter *mailbox_take(struct loop *l)
{
    struct letter *all;

    pthread_mutex_lock(&l->lock);
    all = l->head;
    l->head = l->tail = NULL;
    l->woken = false;
    pthread_mutex_unlock(&l->lock);
    return all;
}

static void mailbox_run(struct loop *l)
{
    struct letter *all = mailbox_take(l), *one, *tmp;

    LL_FOREACH_SAFE (all, one, tmp) {
        one->fn(one->arg);
        free(one);
    }
}

static void on_wakeup(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return; /* EAGAIN: somebody's earlier wake-up already took it */
    mailbox_run(l);
    if (atomic_load(&l->stopping))
        event_base_loopbreak(l->base);
}

/* What libevent has to say goes where the rest goes. */
static void on_libevent_message(int severity, const char *text)
{
    if (severity == EVENT_LOG_ERR)
        log_error("libevent: %s", text);
    else if (severity == EVENT_LOG_WARN)
        log_warning("libevent: %s", text);
    else
        log_debug("libevent: %s", text);
}

struct loop *loop_new(const char *name)
{
    struct loop *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    event_set_log_callback(on_libevent_message);
    l->name = name;
    l->wakeup_fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    /* Without EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST: what that tells the kernel at the end of a turn
       may be of a descriptor that is another thread's by then. */
    l->base = event_base_new();
    l->wakeup_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->base != NULL && l->wakeup_fd >= 0)
        l->wakeup = event_new(l->base, l->wakeup_fd, EV_READ | EV_PERSIST, on_wakeup, l);
    if (l->wakeup == NULL || event_add(l->wakeup, NULL) != 0)
        loop_free(&l);
    return l;
}

void loop_drain(struct loop *l)
{
    while (l->head != NULL)
        mailbox_run(l);
}

void loop_free(struct loop **lp)
{
    struct loop *l = *lp;

    if (l == NULL)
        return;
    loop_drain(l);
    if (l->wakeup != NULL)
        event_free(l->wakeup);
    if (l->base != NULL)
        event_base_free(l->base);
    if (l->wakeup_fd >= 0)
        close(l->wakeup_fd);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *lp = NULL;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

static void wake(struct loop *l)
{
    static const uint64_t one = 1;

    /* Can only fail when the counter is full, and then the loop is awake anyhow. */
    if (write(l->wakeup_fd, &one, sizeof(one)) < 0)
        return;
}

/* Once a turn, however many letters were posted in it: where there are few processors each
   wake-up is a change of threads and back. */
static void wake_others(struct loop *l)
{
    for (size_t i = 0; i < l->wake_count; i++)
        wake(l->wakes[i]);
    l->wake_count = 0;
}

void loop_run(struct loop *l)
{
    int rc;

    running = l;
    do {
        rc = event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
        wake_others(l);
    } while (rc == 0 && !event_base_got_break(l->base));
    running = NULL;
    if (rc < 0)
        log_error("%s loop failed and ended", l->name);
}

/* False where that cannot be noted. */
static bool wake_after_turn(struct loop *l)
{
    if (running == NULL)
        return false;
    for (size_t i = 0; i < running->wake_count; i++)
        if (running->wakes[i] == l)
            return true;
    if (running->wake_count == WAKES_MAX)
        return false;
    running->wakes[running->wake_count++] = l;
    return true;
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stopping, true);
    wake(l);
}

static void *loop_main(void *arg)
{
    loop_run(arg);
    return NULL;
}

bool loop_start_thread(struct loop *l)
{
    int rc;

    rc = thread_start(&l->thread, loop_main, l);
    l->threaded = rc == 0;
    return l->threaded;
}

void loop_join(struct loop *l)
{
    if (l->threaded)
        pthread_join(l->thread, NULL);
    l->threaded = false;
}

static void post(struct loop *l, loop_fn fn, void *arg, bool gathered)
{
    struct letter *one = malloc(sizeof(*one));
    bool wakes;

    if (one == NULL)
        abort();
    one->fn = fn;
    one->arg = arg;
    one->next = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->head == NULL)
        l->head = one;
    else
        l->tail->next = one;
    l->tail = one;
    wakes = !l->woken && !(gathered && wake_after_turn(l));
    l->woken = l->woken || wakes;
    pthread_mutex_unlock(&l->lock);
    if (wakes)
        wake(l);
}

void loop_post(struct loop *l, loop_fn fn, void *arg)
{
    post(l, fn, arg, false);
}

void loop_post_gathered(struct loop *l, loop_fn fn, void *arg)
{
    post(l, fn, arg, true);
}

static void set_timer(struct loop_timer *t, int64_t ms)
{
    const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

    t->set_for = t->due;
    if (event_add(&t->ev, &tv) != 0)
        abort(); /* only out of memory; an unarmed deadline would hang somebody */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;
    int64_t left = t->due - clock_mono_ms(); /* libevent counts from the start of a turn: early */

    (void)fd;
    (void)what;
    if (left > 0) {
        set_timer(t, left);
        return;
    }
    t->armed = false;
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg)
{
    struct loop_timer *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    (void)event_assign(&t->ev, l->base, -1, 0, on_timer, t); /* fails for signals only */
    return t;
}

void loop_timer_arm(struct loop_timer *t, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    t->due = clock_mono_ms() + ms;
    if (!t->armed || t->due < t->set_for)
        set_timer(t, ms);
    t->armed = true;
}

void loop_timer_disarm(struct loop_timer *t)
{
    t->armed = false;
    event_del(&t->ev);
}

bool loop_timer_armed(const struct loop_timer *t)
{
    return t->armed;
}

void loop_timer_free(struct loop_timer **tp)
{
    struct loop_timer *t = *tp;

    if (t == NULL)
        return;
    event_del(&t->ev);
    free(t);
    *tp = NULL;
}
