/*
 * Requests to the daemon over its control socket, one after the other on one connection.
 *
 * Threads: one at a time. Exit codes: 0, or one of sysexits.h with err set.
 */
#ifndef CTL_HTTP_H
#define CTL_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum ctl_result {
    CTL_OK,
    CTL_NO_DAEMON, /* nobody listens on the control socket */
    CTL_FAILED,    /* err says why */
};

/* Whether the daemon can be reached. */
enum ctl_result ctl_http_try(const char *socket, struct error *err);

struct ctl_http;

/* `socket` is borrowed. NULL: out of memory. */
struct ctl_http *ctl_http_new(const char *socket);
void ctl_http_free(struct ctl_http **h); /* sets *h to NULL; NULL is allowed */

/* `text` as part of a URL; NULL when out of memory. The caller's to ctl_http_release(). */
char *ctl_http_escape(struct ctl_http *h, const char *text);
void ctl_http_release(char *escaped);

struct ctl_http_request {
    const char *method;
    const char *target; /* "/v1/status", what must be escaped is */
    const char *body;   /* NULL: none */
    size_t body_len;
};

/* One line, with its '\n'. False ends the request. */
typedef bool (*ctl_http_line)(void *arg, const char *line, size_t len);

/*
 * Hands on line after line of what is answered; memory does not grow with the answer. EX_TEMPFAIL
 * where it ends before its end, or the daemon says that it cannot do it now; EX_IOERR, and err as
 * it was, where `line` wanted no more.
 */
int ctl_http_lines(struct ctl_http *h, const struct ctl_http_request *rq, ctl_http_line line,
                   void *arg, struct error *err);

/* The answer as one object, the caller's (json_decref). */
int ctl_http_object(struct ctl_http *h, const struct ctl_http_request *rq, json_t **out,
                    struct error *err);

#endif
