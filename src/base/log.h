/*
 * The log: one line an event, to syslog, the journal or stderr.
 *
 * Threads: any thread may log. Lines go through a bounded buffer to a writer thread of the log's
 * own, so a stalled journal stops nothing; what does not fit is dropped and counted, and the count
 * is logged once there is room. The writer takes all that is there, and rests for a millisecond
 * before it takes more: a crash loses what was logged in it. Before log_open() and after
 * log_close() lines go to stderr, unbuffered and in the calling thread: that is where usage and
 * configuration errors end up.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG, LOG_TARGET_JOURNAL };

/* Levels with the numbers of syslog(3). */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

struct log_opts {
    enum log_target target;
    bool debug;        /* also LOG_LEVEL_DEBUG */
    const char *ident; /* program name; must outlive the log */
};

/* Starts the writer thread. Signals are blocked in it. Call after fork. */
bool log_open(const struct log_opts *opts, struct error *err);

/* Changes the target and the level of an open log (SIGHUP). Lines that still wait go to the new
   target. */
void log_reconfigure(const struct log_opts *opts);

/* Writes what is queued and ends the writer; gives up after some seconds where nobody takes the
   lines, and is then not to be opened again. Safe to call twice. */
void log_close(void);

bool log_debug_enabled(void);

/* One line, at most 4 KiB; control characters in it are replaced. */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for a line that is readable already (str_readable). */
void log_line(enum log_level level, const char *line);

/* Of lines that come in thousands where one tells as much; all zero before its first. */
struct log_ratelimit {
    _Atomic int64_t quiet_until; /* clock_mono_ms */
};

/* Whether one of them may be logged now: then none for a minute. Any thread. */
bool log_ratelimit(struct log_ratelimit *r);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) \
    do { \
        if (log_debug_enabled()) \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
    } while (0)

#endif
