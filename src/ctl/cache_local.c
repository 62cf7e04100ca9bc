/* The store itself, where no daemon has it. */
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/privileges.h"
#include "cache/forget.h"
#include "cache/report.h"
#include "ctl/cache.h"

/* EX_TEMPFAIL: what it was is in the log, which is stderr. */
static int store_failed(struct error *err)
{
    error_set(err, "the store failed");
    return EX_TEMPFAIL;
}

static int out_of_memory(struct error *err)
{
    error_set(err, "out of memory");
    return EX_OSERR;
}

struct lines {
    ctl_http_line line;
    void *arg;
    bool enough;
};

static void on_line(void *arg, const char *line, size_t len)
{
    struct lines *l = arg;

    l->enough = l->enough || !l->line(l->arg, line, len);
}

static int list(struct ctl_cache *c, const struct cache_filter *filter, ctl_http_line line,
                void *arg, struct error *err)
{
    struct lines lines = {.line = line, .arg = arg};
    struct cache_list l;

    cache_list_begin(&l, filter);
    while (!l.ended && !lines.enough)
        if (!cache_list_page(&l, c->store, time(NULL), STORE_PAGE_MAX, on_line, &lines))
            return store_failed(err);
    return lines.enough ? EX_IOERR : 0;
}

/* What the store's writer thread says; to be read after store_flush(). */
struct forgetting {
    bool ok;
    uint64_t count;
};

static void on_forgotten(void *arg, bool ok, uint64_t count)
{
    struct forgetting *f = arg;

    *f = (struct forgetting){.ok = ok, .count = count};
}

static int forget(struct ctl_cache *c, const struct cache_filter *what, uint64_t *forgotten,
                  struct error *err)
{
    struct forgetting f = {.ok = false};

    if (!cache_forget(c->store, what, on_forgotten, &f))
        return out_of_memory(err);
    store_flush(c->store);
    *forgotten = f.count;
    return f.ok ? 0 : store_failed(err);
}

static void on_imported(void *arg, const struct cache_import_result *result)
{
    struct cache_import_result *out = arg;

    *out = *result;
}

static int import(struct ctl_cache *c, const char *text, size_t len, uint64_t first_line,
                  struct cache_import_result *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    if (!cache_import(c->store, text, len, first_line, time(NULL), NULL, on_imported, out))
        return out_of_memory(err);
    store_flush(c->store);
    return 0;
}

static int stats(struct ctl_cache *c, json_t **out, struct error *err)
{
    *out = cache_report(c->store);
    return *out != NULL ? 0 : store_failed(err);
}

const struct ctl_cache_way ctl_cache_by_itself = {list, forget, CTL_CACHE_IMPORT_MAX, import,
                                                  stats};

static int open_store(struct ctl_cache *c, const struct ctl_env *env, struct error *err)
{
    bool in_use = false;
    struct error why;

    if (!privileges_drop(env->user, err))
        return EX_NOPERM;
    if (store_open(&c->store, env->store, &in_use, &why))
        return 0;
    error_set(err, "%s%s", why.text,
              in_use ? ": ask the process that has it: without --standalone, with its -c FILE"
                     : "");
    return EX_UNAVAILABLE;
}

int ctl_cache_open(struct ctl_cache *c, const struct ctl_env *env, bool standalone,
                   struct error *err)
{
    enum ctl_result reach = standalone ? CTL_NO_DAEMON : ctl_http_try(env->control_path, err);

    *c = (struct ctl_cache){.way = &ctl_cache_by_itself};
    if (reach == CTL_FAILED)
        return EX_UNAVAILABLE;
    if (reach == CTL_NO_DAEMON)
        return open_store(c, env, err);
    c->way = &ctl_cache_by_daemon;
    c->http = ctl_http_new(env->control_path);
    return c->http != NULL ? 0 : out_of_memory(err);
}

void ctl_cache_close(struct ctl_cache *c)
{
    ctl_http_free(&c->http);
    store_close(&c->store);
}
