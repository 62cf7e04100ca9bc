#include "store/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

struct writer {
    struct writer_opts opts;
    pthread_t thread;
    pthread_mutex_t lock;  /* guards what follows */
    pthread_cond_t wanted; /* there is something to do, or more haste to do it with */
    pthread_cond_t done;   /* a batch is through */
    struct change *head, *tail;
    size_t count, bytes;
    uint64_t queued; /* numbers of the changes: the last queued, */
    uint64_t hurry;  /* up to which nothing waits for company, */
    uint64_t through;
    bool stopping;
    int64_t tend_at; /* clock_mono_ms; the writer thread's own, like the next */
    bool tend_first; /* the last thing was a batch */
};

struct change *change_new(enum change_op op, size_t key_len, size_t value_len)
{
    struct change *c = malloc(sizeof(*c) + key_len + value_len);

    if (c == NULL)
        return NULL;
    *c = (struct change){.op = op, .key_len = key_len, .value_len = value_len};
    return c;
}

static size_t change_size(const struct change *c)
{
    return sizeof(*c) + c->key_len + c->value_len;
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += (time_t)(ms / 1000);
    ts.tv_nsec += (long)(ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

/* How long the queue's oldest change may yet wait; 0: not at all. The queue is not empty. */
static int64_t patience(const struct writer *w)
{
    int64_t left = w->head->queued_at + w->opts.commit_ms - clock_mono_ms();

    if (w->stopping || w->count >= w->opts.commit_max || w->head->number <= w->hurry || left < 0)
        return 0;
    return left;
}

/* Whether a batch that has `count` changes of `bytes` octets may take the queue's first one too. */
static bool may_join(const struct writer *w, const struct change *last, unsigned count,
                     size_t bytes)
{
    if (last == NULL)
        return true;
    return last->op != CHANGE_FORGET && w->head->op != CHANGE_FORGET && count < w->opts.batch_max &&
           bytes + change_size(w->head) <= w->opts.batch_bytes;
}

/* Cuts a batch off the front of the queue, which is not empty. */
static struct change *detach_batch(struct writer *w)
{
    struct change *first = w->head, *last = NULL;
    size_t bytes = 0;

    for (unsigned n = 0; w->head != NULL && may_join(w, last, n, bytes); n++) {
        last = w->head;
        w->head = last->next;
        w->count--;
        w->bytes -= change_size(last);
        bytes += change_size(last);
    }
    if (w->head == NULL)
        w->tail = NULL;
    last->next = NULL;
    return first;
}

enum job { JOB_BATCH, JOB_TEND, JOB_END };

/* What is to be done now; else JOB_END, and *wait says for how long there is nothing. */
static enum job choose_job(const struct writer *w, int64_t *wait)
{
    int64_t tend_in = w->tend_at - clock_mono_ms(), batch_in = -1;

    if (w->head != NULL)
        batch_in = patience(w);
    if (batch_in == 0 && !w->tend_first)
        return JOB_BATCH;
    if (tend_in <= 0 || w->tend_first)
        return JOB_TEND;
    *wait = batch_in > 0 && batch_in < tend_in ? batch_in : tend_in;
    return JOB_END;
}

/* Waits for what is to be done next. */
static enum job next_job(struct writer *w, struct change **batch)
{
    enum job job = JOB_END;
    int64_t wait;

    pthread_mutex_lock(&w->lock);
    while ((w->head != NULL || !w->stopping) && (job = choose_job(w, &wait)) == JOB_END) {
        struct timespec until = after_ms(wait);

        (void)pthread_cond_timedwait(&w->wanted, &w->lock, &until);
    }
    if (w->head == NULL && w->stopping)
        job = JOB_END;
    if (job == JOB_BATCH)
        *batch = detach_batch(w);
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void finish_batch(struct writer *w, struct change *batch, bool committed)
{
    uint64_t last = 0;

    while (batch != NULL) {
        struct change *next = batch->next;

        last = batch->number;
        if (batch->done != NULL)
            batch->done(batch->arg, committed);
        free(batch);
        batch = next;
    }
    pthread_mutex_lock(&w->lock);
    w->through = last;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    struct change *batch = NULL;
    enum job job;

    while ((job = next_job(w, &batch)) != JOB_END) {
        if (job == JOB_BATCH)
            finish_batch(w, batch, w->opts.commit(w->opts.arg, batch));
        else
            w->tend_at = clock_mono_ms() + w->opts.tend(w->opts.arg);
        w->tend_first = job == JOB_BATCH;
    }
    return NULL;
}

/* The deadlines of the condition are those of the monotonic clock. */
static void init_locks(struct writer *w)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wanted, &attr);
    pthread_cond_init(&w->done, NULL);
    pthread_condattr_destroy(&attr);
}

static void destroy(struct writer *w)
{
    pthread_cond_destroy(&w->done);
    pthread_cond_destroy(&w->wanted);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

bool writer_start(struct writer **wp, const struct writer_opts *opts, struct error *err)
{
    struct writer *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL) {
        error_set(err, "store writer: out of memory");
        return false;
    }
    w->opts = *opts;
    init_locks(w);
    rc = thread_start(&w->thread, writer_main, w);
    if (rc != 0) {
        error_set(err, "store writer: cannot start a thread: %s", strerror(rc));
        destroy(w);
        return false;
    }
    *wp = w;
    return true;
}

bool writer_queue(struct writer *w, struct change *c)
{
    bool fits;

    c->next = NULL;
    c->queued_at = clock_mono_ms();
    pthread_mutex_lock(&w->lock);
    fits = change_size(c) <= WRITER_QUEUE_BYTES - w->bytes;
    if (fits) {
        if (w->head == NULL)
            w->head = c;
        else
            w->tail->next = c;
        w->tail = c;
        c->number = ++w->queued;
        w->bytes += change_size(c);
        w->count++;
        if (w->count == 1 || w->count == w->opts.commit_max)
            pthread_cond_signal(&w->wanted);
    }
    pthread_mutex_unlock(&w->lock);
    return fits;
}

void writer_flush(struct writer *w)
{
    uint64_t upto;

    pthread_mutex_lock(&w->lock);
    upto = w->queued;
    w->hurry = upto;
    pthread_cond_signal(&w->wanted);
    while (w->through < upto)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void writer_stop(struct writer **wp)
{
    struct writer *w = *wp;

    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    destroy(w);
    *wp = NULL;
}
