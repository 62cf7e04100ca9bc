#include "ctl/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/str.h"
#include "cache/import.h"

#define ANSWER_MAX 262144 /* octets of an object, or of an error */
#define URL_MAX    8192
#define SILENT_S   120 /* the daemon, before it is given up */

enum http_status { HTTP_OK = 200, HTTP_BAD_REQUEST = 400, HTTP_UNAVAILABLE = 503 };

struct ctl_http {
    CURL *easy;
    const char *socket;
    /* Of the request at work */
    ctl_http_line line; /* NULL: all of the answer is kept */
    void *arg;
    bool line_stops, too_long;
    char answer[ANSWER_MAX]; /* the beginning of a line, or all of an object or of an error */
    size_t len;
};

/* Why the socket cannot be reached, before curl hides it behind a number. */
enum ctl_result ctl_http_try(const char *path, struct error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), problem = 0;

    (void)str_copy(un.sun_path, sizeof(un.sun_path), path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
        problem = errno;
    if (fd >= 0)
        close(fd);
    if (problem == ENOENT || problem == ECONNREFUSED)
        return CTL_NO_DAEMON;
    if (problem == 0)
        return CTL_OK;
    error_set(err, "%s: %s%s", path, strerror(problem),
              problem == EACCES
                  ? ": the daemon answers its socket's user and group; where none runs, "
                    "check and cache do with --standalone"
                  : "");
    return CTL_FAILED;
}

static bool is_ok(const struct ctl_http *h)
{
    long status = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    return status == HTTP_OK;
}

/* What is left of `data` behind its last line is kept for what comes next. */
static bool cut_lines(struct ctl_http *h, const char *data, size_t len)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) + 1 : len;

        if (n > CACHE_LINE_MAX - h->len) {
            h->too_long = true;
            return false;
        }
        memcpy(h->answer + h->len, data, n);
        h->len += n;
        data += n;
        len -= n;
        if (end == NULL)
            return true;
        h->line_stops = !h->line(h->arg, h->answer, h->len);
        h->len = 0;
        if (h->line_stops)
            return false;
    }
    return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct ctl_http *h = arg;
    size_t len = size * n;

    if (h->line != NULL && is_ok(h))
        return cut_lines(h, data, len) ? len : 0; /* 0: curl ends the transfer */
    h->too_long = len > sizeof(h->answer) - h->len;
    if (h->too_long)
        return 0;
    memcpy(h->answer + h->len, data, len);
    h->len += len;
    return len;
}

static bool set_always(struct ctl_http *h)
{
    return curl_easy_setopt(h->easy, CURLOPT_UNIX_SOCKET_PATH, h->socket) == CURLE_OK &&
           curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h) == CURLE_OK &&
           curl_easy_setopt(h->easy, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK &&
           curl_easy_setopt(h->easy, CURLOPT_LOW_SPEED_TIME, (long)SILENT_S) == CURLE_OK;
}

struct ctl_http *ctl_http_new(const char *path)
{
    struct ctl_http *h = calloc(1, sizeof(*h));

    if (h == NULL)
        return NULL;
    h->socket = path;
    h->easy = curl_easy_init();
    if (h->easy == NULL || !set_always(h))
        ctl_http_free(&h);
    return h;
}

void ctl_http_free(struct ctl_http **hp)
{
    struct ctl_http *h = *hp;

    if (h == NULL)
        return;
    if (h->easy != NULL)
        curl_easy_cleanup(h->easy);
    free(h);
    *hp = NULL;
}

char *ctl_http_escape(struct ctl_http *h, const char *text)
{
    return curl_easy_escape(h->easy, text, 0);
}

void ctl_http_release(char *escaped)
{
    curl_free(escaped);
}

/* Of curl's ways to say what is to be sent this one lets every method have a body, or none. */
static bool set_request(struct ctl_http *h, const struct ctl_http_request *rq)
{
    char url[URL_MAX];

    if (!str_format(url, sizeof(url), "http://localhost%s", rq->target) ||
        curl_easy_setopt(h->easy, CURLOPT_URL, url) != CURLE_OK)
        return false;
    if (rq->body == NULL)
        return curl_easy_setopt(h->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
               curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, rq->method) == CURLE_OK;
    return curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, rq->body) == CURLE_OK &&
           curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE, (long)rq->body_len) == CURLE_OK &&
           curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, rq->method) == CURLE_OK;
}

/* The daemon's own word for why it did not do it. */
static int refused(const struct ctl_http *h, struct error *err)
{
    json_t *o = json_loadb(h->answer, h->len, JSON_REJECT_DUPLICATES, NULL);
    const char *problem = json_string_value(json_object_get(o, "error"));
    long status = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    error_set(err, "the daemon's answer: %ld%s%s", status, problem != NULL ? " " : "",
              problem != NULL ? problem : "");
    json_decref(o);
    switch (status) {
    case HTTP_BAD_REQUEST:
        return EX_DATAERR;
    case HTTP_UNAVAILABLE:
        return EX_TEMPFAIL;
    default: /* of another version */
        return EX_UNAVAILABLE;
    }
}

static int perform(struct ctl_http *h, const struct ctl_http_request *rq, struct error *err)
{
    CURLcode rc;

    h->len = 0;
    h->line_stops = h->too_long = false;
    if (!set_request(h, rq)) {
        error_set(err, "out of memory");
        return EX_OSERR;
    }
    rc = curl_easy_perform(h->easy);
    if (h->line_stops)
        return EX_IOERR;
    if (h->too_long)
        error_set(err, "control socket: an answer longer than the daemon gives");
    else if (rc == CURLE_PARTIAL_FILE)
        error_set(err, "control socket: the answer breaks off: the daemon ended, or its store "
                       "cannot be read");
    else if (rc != CURLE_OK)
        error_set(err, "control socket: %s", curl_easy_strerror(rc));
    if (rc != CURLE_OK)
        return EX_TEMPFAIL;
    return is_ok(h) ? 0 : refused(h, err);
}

int ctl_http_lines(struct ctl_http *h, const struct ctl_http_request *rq, ctl_http_line line,
                   void *arg, struct error *err)
{
    int code;

    h->line = line;
    h->arg = arg;
    code = perform(h, rq, err);
    if (code == 0 && h->len > 0) {
        error_set(err, "control socket: the answer ends in the middle of a line");
        return EX_TEMPFAIL;
    }
    return code;
}

int ctl_http_object(struct ctl_http *h, const struct ctl_http_request *rq, json_t **out,
                    struct error *err)
{
    json_error_t why;
    int code;

    h->line = NULL;
    code = perform(h, rq, err);
    if (code != 0)
        return code;
    *out = json_loadb(h->answer, h->len, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(*out))
        return 0;
    json_decref(*out);
    *out = NULL;
    error_set(err, "control socket: no answer that can be read: %s", why.text);
    return EX_TEMPFAIL;
}
