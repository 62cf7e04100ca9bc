/*
 * What is wrong with a configuration, one line each: "FILE:LINE: message".
 *
 * Threads: a plain value.
 */
#ifndef CONF_PROBLEMS_H
#define CONF_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#define PROBLEMS_MAX 100 /* kept; there is no use in more */

struct config_problems {
    char *lines[PROBLEMS_MAX];
    bool warnings[PROBLEMS_MAX]; /* which of them are only that */
    size_t count;
    size_t errors; /* those that make the configuration unusable; the rest are warnings */
};

/* `file` NULL: about no line of a file. Line 0: about the file as a whole. */
void problems_add(struct config_problems *p, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void problems_warn(struct config_problems *p, const char *file, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

typedef void (*config_report)(void *arg, const char *line, bool is_warning);

/* In the order found. */
void config_problems_each(const struct config_problems *p, config_report report, void *arg);
void config_problems_free(struct config_problems *p);

#endif
