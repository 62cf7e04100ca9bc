#include "store/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define QUEUE_MAX 100000 /* changes waiting at most */

struct writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t pushed, committed;
    unsigned interval_ms, group_max;
    writer_commit commit;
    void *arg;
    struct change *head, **tail;
    size_t count;
    uint64_t pushed_total, committed_total;
    unsigned flushers; /* who waits in writer_flush(): the group ends at once */
    bool stopping;
};

static void deadline_after(struct timespec *at, unsigned ms)
{
    clock_gettime(CLOCK_MONOTONIC, at);
    at->tv_sec += ms / 1000;
    at->tv_nsec += (long)(ms % 1000) * 1000000;
    if (at->tv_nsec >= 1000000000) {
        at->tv_sec++;
        at->tv_nsec -= 1000000000;
    }
}

/* Waits for a group: its first change, then its end. NULL when stopped and empty. Locked. */
static struct change *take_group(struct writer *w, size_t *count)
{
    struct timespec end;
    struct change *group;

    while (w->count == 0 && !w->stopping)
        pthread_cond_wait(&w->pushed, &w->lock);
    deadline_after(&end, w->interval_ms);
    while (w->count > 0 && w->count < w->group_max && !w->stopping && w->flushers == 0)
        if (pthread_cond_timedwait(&w->pushed, &w->lock, &end) == ETIMEDOUT)
            break;
    group = w->head;
    *count = w->count;
    w->head = NULL;
    w->tail = &w->head;
    w->count = 0;
    return group;
}

static void finish_group(struct change *c, bool committed)
{
    while (c != NULL) {
        struct change *next = c->next;

        if (c->done != NULL)
            c->done(c->arg, committed);
        free(c);
        c = next;
    }
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct change *group;
    size_t count;

    pthread_mutex_lock(&w->lock);
    while ((group = take_group(w, &count)) != NULL) {
        pthread_mutex_unlock(&w->lock);
        finish_group(group, w->commit(w->arg, group));
        pthread_mutex_lock(&w->lock);
        w->committed_total += count;
        pthread_cond_broadcast(&w->committed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static bool start_thread(struct writer *w)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    rc = pthread_create(&w->thread, NULL, writer_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0;
}

bool writer_start(struct writer **wp, unsigned interval_ms, unsigned group_max,
                  writer_commit commit, void *arg)
{
    struct writer *w = calloc(1, sizeof(*w));
    pthread_condattr_t monotonic;

    *wp = NULL;
    if (w == NULL)
        return false;
    w->interval_ms = interval_ms;
    w->group_max = group_max;
    w->commit = commit;
    w->arg = arg;
    w->tail = &w->head;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->pushed, &monotonic);
    pthread_cond_init(&w->committed, NULL);
    pthread_condattr_destroy(&monotonic);
    if (!start_thread(w)) {
        free(w);
        return false;
    }
    *wp = w;
    return true;
}

bool writer_push(struct writer *w, struct change *c)
{
    bool room;

    c->next = NULL;
    pthread_mutex_lock(&w->lock);
    room = w->count < QUEUE_MAX && !w->stopping;
    if (room) {
        *w->tail = c;
        w->tail = &c->next;
        w->count++;
        w->pushed_total++;
        if (w->count == 1 || w->count >= w->group_max)
            pthread_cond_signal(&w->pushed);
    }
    pthread_mutex_unlock(&w->lock);
    return room;
}

void writer_flush(struct writer *w)
{
    uint64_t until;

    pthread_mutex_lock(&w->lock);
    until = w->pushed_total;
    w->flushers++;
    pthread_cond_signal(&w->pushed);
    while (w->committed_total < until)
        pthread_cond_wait(&w->committed, &w->lock);
    w->flushers--;
    pthread_mutex_unlock(&w->lock);
}

void writer_stop(struct writer **wp)
{
    struct writer *w = *wp;

    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->pushed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->pushed);
    pthread_cond_destroy(&w->committed);
    pthread_mutex_destroy(&w->lock);
    free(w);
    *wp = NULL;
}
