/*
 * A human-readable error, filled by the function that failed and owned by its caller.
 *
 * Threads: none; a plain value. Text is one line without the newline, always terminated.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
    char text[1024];
};

/* Formats into `e`; a NULL `e` is allowed and ignored. Text that does not fit is cut. */
void error_set(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
