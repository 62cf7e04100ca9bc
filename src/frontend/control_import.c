#include <ctype.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "cache/import.h"
#include "frontend/control_request.h"

#define PART_LINES 50

/* What the engine may have in memory, and is to read again once it is committed. */
struct taken {
    struct taken *next;
    enum store_table table;
    size_t key_len;
    uint8_t key[];
};

/* The body of a request, a few lines at a time: the front loop also answers mail. */
struct importing {
    struct control_wait wait;
    char *body;
    size_t len, at;
    uint64_t first_line;
    uint64_t line;     /* number of the one at `at` */
    unsigned parts;    /* that are not committed, and one while there are more to come */
    const char *fault; /* why not all of it was tried */
    struct taken *taken;
    struct cache_import_result result; /* of the parts that are committed */
    uint64_t problem_line;             /* of the part that `problem` is of */
};

struct part {
    struct importing *whole;
    uint64_t first_line;
    struct cache_import_result result;
};

static void importing_free(struct control_wait *w)
{
    struct importing *i = (struct importing *)w;
    struct taken *t, *tmp;

    LL_FOREACH_SAFE (i->taken, t, tmp)
        free(t);
    free(i->body);
    free(i);
}

static void on_took(void *arg, enum store_table table, const void *key, size_t key_len)
{
    struct importing *i = ((struct part *)arg)->whole;
    struct taken *t = table != STORE_TABLE_ADDRESS ? malloc(sizeof(*t) + key_len) : NULL;

    if (t == NULL)
        return; /* what the engine has in memory does not last, and of addresses it has nothing */
    *t = (struct taken){.table = table, .key_len = key_len};
    memcpy(t->key, key, key_len);
    LL_PREPEND(i->taken, t);
}

static json_t *result_json(const struct cache_import_result *r)
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I}", "taken", (json_int_t)r->taken, "expired",
                          (json_int_t)r->expired, "refused", (json_int_t)r->refused, "failed",
                          (json_int_t)r->failed);

    if (r->refused > 0)
        (void)json_object_set_new(o, "problem", json_string(r->problem.text));
    return o;
}

/* Where an import ends only its client knows, who may send many of these. */
static void tell(const struct importing *i)
{
    const struct cache_import_result *r = &i->result;

    log_debug(
        "cache: import of lines %llu to %llu: taken=%llu expired=%llu refused=%llu failed=%llu",
        (unsigned long long)i->first_line, (unsigned long long)i->line - 1,
        (unsigned long long)r->taken, (unsigned long long)r->expired,
        (unsigned long long)r->refused, (unsigned long long)r->failed);
}

static void answer(struct importing *i)
{
    const struct taken *t;

    tell(i);
    LL_FOREACH (i->taken, t)
        verifier_reread(i->wait.control->fe->rcpt.verifier, t->table, t->key, t->key_len);
    if (i->fault != NULL)
        control_wait_answer(&i->wait, HTTP_SERVUNAVAIL, "Service Unavailable",
                            json_pack("{s:s}", "error", i->fault));
    else
        control_wait_answer(&i->wait, HTTP_OK, "OK", result_json(&i->result));
}

static void part_ends(struct importing *i)
{
    if (--i->parts == 0)
        answer(i);
}

/* Not always in the order of the lines: who refuses all of a part waits for no commit. */
static void add_part(void *arg)
{
    struct part *p = arg;
    struct importing *i = p->whole;

    if (p->result.refused > 0 && (i->result.refused == 0 || p->first_line < i->problem_line)) {
        i->result.problem = p->result.problem;
        i->problem_line = p->first_line;
    }
    i->result.taken += p->result.taken;
    i->result.expired += p->result.expired;
    i->result.refused += p->result.refused;
    i->result.failed += p->result.failed;
    free(p);
    part_ends(i);
}

/* In the store's thread, or inside cache_import(). */
static void on_imported(void *arg, const struct cache_import_result *result)
{
    struct part *p = arg;

    p->result = *result;
    loop_post(p->whole->wait.control->fe->loop, add_part, p);
}

/* So many octets are the next lines; counts them. */
static size_t next_lines(const struct importing *i, uint64_t *lines)
{
    const char *from = i->body + i->at, *end = i->body + i->len, *at = from;

    for (*lines = 0; at < end && *lines < PART_LINES; ++*lines) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        at = newline != NULL ? newline + 1 : end;
    }
    return (size_t)(at - from);
}

static bool import_part(struct importing *i, size_t len)
{
    struct part *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return false;
    p->whole = i;
    p->first_line = i->line;
    i->parts++;
    if (cache_import(i->wait.control->fe->store, i->body + i->at, len, i->line, clock_wall(),
                     on_took, on_imported, p))
        return true;
    free(p);
    i->parts--;
    return false;
}

static void next_part(void *arg)
{
    struct importing *i = arg;
    uint64_t lines;
    size_t len = next_lines(i, &lines);

    if (i->wait.control->stopping) /* the store may be closed by now */
        i->fault = "stopping; not all of it was taken";
    else if (len > 0 && !import_part(i, len))
        i->fault = "out of memory; not all of it was taken";
    i->at += len;
    i->line += lines;
    if (i->at < i->len && i->fault == NULL)
        loop_post(i->wait.control->fe->loop, next_part, i);
    else
        part_ends(i);
}

static void begin(struct control *c, struct evhttp_request *rq, uint64_t first_line)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(rq);
    struct importing *i = calloc(1, sizeof(*i));

    if (i != NULL) {
        i->len = evbuffer_get_length(body);
        i->body = malloc(i->len + 1);
    }
    if (i == NULL || i->body == NULL) {
        free(i);
        control_no_memory(rq);
        return;
    }
    (void)evbuffer_copyout(body, i->body, i->len);
    i->first_line = i->line = first_line;
    i->parts = 1;
    i->wait.release = importing_free;
    control_wait_begin(&i->wait, c, rq);
    next_part(i);
}

static bool read_line_number(const char *text, uint64_t *out)
{
    char *end;

    if (text == NULL)
        return true;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 && *out > 0;
}

void control_cache_import(struct control *c, struct evhttp_request *rq)
{
    static const char *const known[] = {"first_line", NULL};
    struct evkeyvalq params;
    struct error err;
    uint64_t first_line = 1;

    if (!control_parameters(rq, &params))
        control_bad_request(rq, "the parameters cannot be read");
    else if (!control_only_known(&params, known, &err))
        control_bad_request(rq, err.text);
    else if (!read_line_number(evhttp_find_header(&params, "first_line"), &first_line))
        control_bad_request(rq, "first_line: a number from 1 is wanted");
    else
        begin(c, rq, first_line);
    evhttp_clear_headers(&params);
}
