#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <utlist.h>

#include "base/clock.h"
#include "cache/list.h"
#include "frontend/control_cache.h"
#include "frontend/control_request.h"

#define PAGE_ENTRIES 50 /* the front loop also answers mail */

/*
 * A list that is being written: a page, and when the client has taken it, the next. Either a page
 * is posted, or its writing is awaited.
 */
struct control_list {
    struct control_wait wait;
    struct cache_list list;
    struct evbuffer *chunk;
    bool begun, posted, torn; /* torn: a line is missing */
    struct control_list *prev, *next;
};

static void list_free(struct control_wait *w)
{
    struct control_list *l = (struct control_list *)w;

    DL_DELETE(w->control->lists, l);
    evbuffer_free(l->chunk);
    free(l);
}

static void on_gone(struct control_wait *w)
{
    const struct control_list *l = (const struct control_list *)w;

    if (!l->posted)
        control_wait_end(w);
}

static void on_line(void *arg, const char *line, size_t len)
{
    struct control_list *l = arg;

    l->torn = l->torn || evbuffer_add(l->chunk, line, len) != 0;
}

static void next_page(void *arg);

static void post_next(struct control_list *l)
{
    l->posted = true;
    loop_post(l->wait.control->fe->loop, next_page, l);
}

static void on_taken(struct evhttp_connection *conn, void *arg)
{
    (void)conn;
    post_next(arg);
}

static void begin_writing(struct control_list *l)
{
    struct evhttp_request *rq = l->wait.request;

    if (l->begun)
        return;
    l->begun = true;
    (void)evhttp_add_header(evhttp_request_get_output_headers(rq), "Content-Type",
                            "application/x-ndjson");
    evhttp_send_reply_start(rq, HTTP_OK, "OK");
}

static void write_page(struct control_list *l)
{
    begin_writing(l);
    if (l->list.ended) {
        evhttp_send_reply_chunk(l->wait.request, l->chunk);
        control_wait_written(&l->wait);
    } else if (evbuffer_get_length(l->chunk) == 0) {
        post_next(l);
    } else {
        evhttp_send_reply_chunk_with_cb(l->wait.request, l->chunk, on_taken, l);
    }
}

/* Without the last chunk: the client is not to believe that this was all. */
static void fail(struct control_list *l)
{
    if (!l->begun) {
        control_wait_answer(&l->wait, HTTP_SERVUNAVAIL, "Service Unavailable",
                            json_pack("{s:s}", "error", "the store cannot be read"));
        return;
    }
    control_wait_close(&l->wait);
    control_wait_end(&l->wait);
}

static void next_page(void *arg)
{
    struct control_list *l = arg;

    l->posted = false;
    if (l->wait.request == NULL)
        control_wait_end(&l->wait);
    else if (cache_list_page(&l->list, l->wait.control->fe->store, clock_wall(), PAGE_ENTRIES,
                             on_line, l) &&
             !l->torn)
        write_page(l);
    else
        fail(l);
}

static void begin(struct control *c, struct evhttp_request *rq, const struct cache_filter *filter)
{
    struct control_list *l = calloc(1, sizeof(*l));

    if (l != NULL)
        l->chunk = evbuffer_new();
    if (l == NULL || l->chunk == NULL) {
        free(l);
        control_no_memory(rq);
        return;
    }
    cache_list_begin(&l->list, filter);
    l->wait.release = list_free;
    l->wait.on_gone = on_gone;
    control_wait_begin(&l->wait, c, rq);
    DL_APPEND(c->lists, l);
    post_next(l);
}

static bool read_tables(const struct evkeyvalq *params, unsigned *out, struct error *err)
{
    const struct evkeyval *p;
    enum store_table table;

    *out = 0;
    for (p = TAILQ_FIRST(params); p != NULL; p = TAILQ_NEXT(p, next)) {
        if (strcmp(p->key, "table") != 0)
            continue;
        if (!entry_table_parse(p->value, &table)) {
            error_set(err, "table: address, domain, destination or due is wanted");
            return false;
        }
        *out |= 1u << table;
    }
    if (*out == 0)
        *out = (1u << STORE_TABLE_COUNT) - 1;
    return true;
}

void control_cache_entries(struct control *c, struct evhttp_request *rq)
{
    static const char *const known[] = {"address", "domain", "destination", "table", NULL};
    struct cache_filter filter;
    struct evkeyvalq params;
    struct error err;

    if (!control_cache_parameters(rq, known, &params, &filter, &err) ||
        !read_tables(&params, &filter.tables, &err))
        control_bad_request(rq, err.text);
    else if (c->stopping)
        control_unavailable(rq, "stopping");
    else
        begin(c, rq, &filter);
    evhttp_clear_headers(&params);
}

void control_end_lists(struct control *c)
{
    struct control_list *l, *tmp;

    DL_FOREACH_SAFE (c->lists, l, tmp) {
        control_wait_close(&l->wait);
        if (!l->posted)
            control_wait_end(&l->wait);
    }
}
