#include <ctype.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "cache/import.h"
#include "frontend/control_request.h"

/* What the engine may have in memory, and is to read again once it is committed. */
struct taken {
    struct taken *next;
    enum store_table table;
    size_t key_len;
    uint8_t key[];
};

struct importing {
    struct control_wait wait;
    struct taken *taken;
    struct cache_import_result result;
};

static void importing_free(struct control_wait *w)
{
    struct importing *i = (struct importing *)w;
    struct taken *t, *tmp;

    LL_FOREACH_SAFE (i->taken, t, tmp)
        free(t);
    free(i);
}

static void on_took(void *arg, enum store_table table, const void *key, size_t key_len)
{
    struct importing *i = arg;
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

static void answer(void *arg)
{
    struct importing *i = arg;
    const struct taken *t;

    LL_FOREACH (i->taken, t)
        verifier_reread(i->wait.control->fe->rcpt.verifier, t->table, t->key, t->key_len);
    control_wait_answer(&i->wait, HTTP_OK, "OK", result_json(&i->result));
}

/* In the store's thread, or inside cache_import(). */
static void on_imported(void *arg, const struct cache_import_result *result)
{
    struct importing *i = arg;

    i->result = *result;
    loop_post(i->wait.control->fe->loop, answer, i);
}

static void begin(struct control *c, struct evhttp_request *rq, uint64_t first_line)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(rq);
    size_t len = evbuffer_get_length(body);
    const char *text = len > 0 ? (const char *)evbuffer_pullup(body, -1) : "";
    struct importing *i = text != NULL ? calloc(1, sizeof(*i)) : NULL;

    if (i == NULL) {
        control_no_memory(rq);
        return;
    }
    i->wait.release = importing_free;
    control_wait_begin(&i->wait, c, rq);
    if (!cache_import(c->fe->store, text, len, first_line, clock_wall(), on_took, on_imported, i))
        control_wait_answer(&i->wait, HTTP_INTERNAL, "Internal Server Error", NULL);
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
