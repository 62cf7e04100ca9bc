#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-journal.h>
#endif

#include "base/clock.h"
#include "base/str.h"
#include "base/syslog_socket.h"
#include "base/thread.h"

#define LOG_LINE_MAX  4096
#define LOG_BATCH_MAX (4U << 20) /* octets that wait; what is beyond is dropped, and counted */
#define REST_NS       1000000    /* between batches: to be woken is dearer than the line */
#define CLOSE_S       5          /* for the writer to write what is left */
#define QUIET_MS      60000

/* Lines one behind the other, each its level, its text and a NUL. */
struct batch {
    size_t used;
    char octets[LOG_BATCH_MAX];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct log_opts opts;
    struct batch batches[2];
    unsigned filling; /* which of them; the writer has the other */
    uint64_t dropped;
    bool open, closing;
    bool asleep; /* the writer, until it is woken */
    pthread_t writer;
    struct syslog_socket syslogd; /* the writer's, while there is one */
} the_log = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .filled = PTHREAD_COND_INITIALIZER,
    .opts = {.target = LOG_TARGET_STDERR, .ident = "calloutd"},
    .syslogd = {.path = _PATH_LOG, .fd = -1},
};
static atomic_bool debug_on;

static const char *level_prefix(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error: ";
    case LOG_LEVEL_WARNING:
        return "warning: ";
    case LOG_LEVEL_DEBUG:
        return "debug: ";
    case LOG_LEVEL_INFO:
        break;
    }
    return "";
}

static void emit_stderr(const char *ident, enum log_level level, const char *text)
{
    char line[LOG_LINE_MAX + 128];
    char priority[8] = "";

    /* Under systemd stderr is the journal, and "<4>" carries the level (sd-daemon(3)). */
    if (getenv("JOURNAL_STREAM") != NULL)
        (void)str_format(priority, sizeof(priority), "<%d>", (int)level);
    (void)str_format(line, sizeof(line), "%s%s: %s%s\n", priority, ident, level_prefix(level),
                     text);
    for (size_t done = 0, len = strlen(line); done < len;) {
        ssize_t n = write(STDERR_FILENO, line + done, len - done);

        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

static void emit(const struct log_opts *opts, enum log_level level, const char *text)
{
    switch (opts->target) {
    case LOG_TARGET_STDERR:
        emit_stderr(opts->ident, level, text);
        break;
    case LOG_TARGET_SYSLOG:
        syslog(LOG_MAIL | (int)level, "%s%s", level_prefix(level), text);
        break;
    case LOG_TARGET_JOURNAL:
#ifdef HAVE_SYSTEMD
        (void)sd_journal_send("MESSAGE=%s", text, "PRIORITY=%d", (int)level, "SYSLOG_IDENTIFIER=%s",
                              opts->ident, NULL);
#else
        emit_stderr(opts->ident, level, text);
#endif
        break;
    }
}

/* Waits for lines; false at the end, when there are no more. */
static bool take_batch(struct batch **batch, uint64_t *dropped, struct log_opts *opts)
{
    pthread_mutex_lock(&the_log.lock);
    *batch = &the_log.batches[the_log.filling];
    while ((*batch)->used == 0 && !the_log.closing) {
        the_log.asleep = true;
        pthread_cond_wait(&the_log.filled, &the_log.lock);
    }
    the_log.asleep = false;
    the_log.filling = !the_log.filling;
    *dropped = the_log.dropped;
    the_log.dropped = 0;
    *opts = the_log.opts;
    pthread_mutex_unlock(&the_log.lock);
    return (*batch)->used > 0;
}

/* The next line of a batch; false behind the last. */
static bool next_line(const struct batch *b, const char **at, struct syslog_line *line)
{
    enum log_level level;

    if (*at == b->octets + b->used)
        return false;
    level = (enum log_level) * *at;
    *line = (struct syslog_line){(int)level, level_prefix(level), *at + 1};
    *at += 1 + strlen(line->text) + 1;
    return true;
}

static void emit_to_syslog(const struct log_opts *opts, const struct batch *b)
{
    struct syslog_line lines[SYSLOG_AT_ONCE];
    const char *at = b->octets;
    unsigned count;

    do {
        for (count = 0; count < SYSLOG_AT_ONCE && next_line(b, &at, &lines[count]);)
            count++;
        syslog_socket_send(&the_log.syslogd, opts->ident, lines, count);
    } while (count == SYSLOG_AT_ONCE);
}

static void emit_batch(const struct log_opts *opts, const struct batch *b)
{
    const char *at = b->octets;
    struct syslog_line line;

    if (opts->target == LOG_TARGET_SYSLOG)
        emit_to_syslog(opts, b);
    else
        while (next_line(b, &at, &line))
            emit(opts, (enum log_level)line.level, line.text);
}

static void *log_writer(void *arg)
{
    static const struct timespec rest = {.tv_nsec = REST_NS};
    struct batch *batch;
    struct log_opts opts;
    uint64_t dropped;

    while (take_batch(&batch, &dropped, &opts)) {
        emit_batch(&opts, batch);
        batch->used = 0;
        if (dropped > 0) {
            char text[80];

            (void)str_format(text, sizeof(text), "log full: dropped=%llu lines",
                             (unsigned long long)dropped);
            emit(&opts, LOG_LEVEL_WARNING, text);
        }
        (void)nanosleep(&rest, NULL);
    }
    return arg;
}

bool log_open(const struct log_opts *opts, struct error *err)
{
    int rc;

    log_reconfigure(opts);
    the_log.closing = false;
    openlog(opts->ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
    rc = thread_start(&the_log.writer, log_writer, NULL);
    if (rc != 0) {
        error_set(err, "log: cannot start the writer thread: %s", strerror(rc));
        return false;
    }
    pthread_mutex_lock(&the_log.lock);
    the_log.open = true;
    pthread_mutex_unlock(&the_log.lock);
    return true;
}

void log_reconfigure(const struct log_opts *opts)
{
    pthread_mutex_lock(&the_log.lock);
    the_log.opts = *opts;
    pthread_mutex_unlock(&the_log.lock);
    atomic_store(&debug_on, opts->debug);
}

/* False where it is held up for too long by who reads the log: then the process ends without it. */
static bool writer_ended(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_S;
    if (pthread_timedjoin_np(the_log.writer, NULL, &until) == 0)
        return true;
    (void)pthread_detach(the_log.writer);
    return false;
}

void log_close(void)
{
    pthread_mutex_lock(&the_log.lock);
    if (!the_log.open) {
        pthread_mutex_unlock(&the_log.lock);
        return;
    }
    the_log.open = false;
    the_log.closing = true;
    pthread_cond_signal(&the_log.filled);
    pthread_mutex_unlock(&the_log.lock);
    if (!writer_ended())
        return; /* what it uses stays as it is */
    syslog_socket_close(&the_log.syslogd);
    closelog();
}

bool log_debug_enabled(void)
{
    return atomic_load_explicit(&debug_on, memory_order_relaxed);
}

/* Queues a copy; true when it was taken care of (queued, or dropped and counted). */
static bool enqueue(enum log_level level, const char *text)
{
    size_t len = strnlen(text, LOG_LINE_MAX - 1);
    struct batch *b;
    bool open;

    pthread_mutex_lock(&the_log.lock);
    open = the_log.open;
    b = &the_log.batches[the_log.filling];
    if (open && len + 2 <= sizeof(b->octets) - b->used) {
        b->octets[b->used++] = (char)level;
        memcpy(b->octets + b->used, text, len);
        b->octets[b->used + len] = '\0';
        b->used += len + 1;
    } else if (open) {
        the_log.dropped++;
    }
    if (the_log.asleep) {
        the_log.asleep = false;
        pthread_cond_signal(&the_log.filled);
    }
    pthread_mutex_unlock(&the_log.lock);
    return open;
}

void log_line(enum log_level level, const char *line)
{
    struct log_opts opts;

    if (enqueue(level, line))
        return;
    pthread_mutex_lock(&the_log.lock);
    opts = the_log.opts;
    pthread_mutex_unlock(&the_log.lock);
    opts.target = LOG_TARGET_STDERR;
    emit(&opts, level, line);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char raw[LOG_LINE_MAX], line[LOG_LINE_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    str_readable(line, sizeof(line), raw, strlen(raw));
    log_line(level, line);
}

bool log_ratelimit(struct log_ratelimit *r)
{
    int64_t now = clock_mono_ms(), quiet = atomic_load(&r->quiet_until);

    return now >= quiet && atomic_compare_exchange_strong(&r->quiet_until, &quiet, now + QUIET_MS);
}
