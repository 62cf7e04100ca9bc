#include "cache/import.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/entry.h"

/* What is under way for one cache_imported. */
struct importing {
    struct store *store;
    int64_t now;
    cache_took took;
    cache_imported done;
    void *arg;
    _Atomic uint64_t left; /* puts that are not committed, and one while they are being queued */
    _Atomic uint64_t taken, failed;
    struct cache_import_result result;
};

static void finish_one(struct importing *i)
{
    if (atomic_fetch_sub(&i->left, 1) > 1)
        return;
    i->result.taken = atomic_load(&i->taken);
    i->result.failed = atomic_load(&i->failed);
    i->done(i->arg, &i->result);
    free(i);
}

static void on_committed(void *arg, bool committed)
{
    struct importing *i = arg;

    atomic_fetch_add(committed ? &i->taken : &i->failed, 1);
    finish_one(i);
}

static void refuse(struct importing *i, uint64_t number, const char *why)
{
    char text[512];

    if (i->result.refused++ > 0)
        return;
    str_readable(text, sizeof(text), why, strlen(why)); /* may quote the line */
    error_set(&i->result.problem, "line %llu: %s", (unsigned long long)number, text);
}

static bool read_entry(const char *line, size_t len, struct entry *out, struct error *err)
{
    json_error_t problem;
    json_t *o;
    bool ok;

    if (len > CACHE_LINE_MAX) {
        error_set(err, "longer than %d octets", CACHE_LINE_MAX);
        return false;
    }
    o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &problem); /* its depth is limited */
    if (o == NULL) {
        error_set(err, "not JSON: %s", problem.text);
        return false;
    }
    ok = entry_from_json(o, out, err);
    json_decref(o);
    return ok;
}

static void put(struct importing *i, const struct entry *e)
{
    atomic_fetch_add(&i->left, 1); /* before the writer can know of it */
    if (!store_put(i->store, e->table, e->key, e->key_len, e->value, e->value_len, e->expires,
                   on_committed, i)) {
        atomic_fetch_sub(&i->left, 1);
        atomic_fetch_add(&i->failed, 1);
        return;
    }
    if (i->took != NULL)
        i->took(i->arg, e->table, e->key, e->key_len);
}

static void import_line(struct importing *i, uint64_t number, const char *line, size_t len)
{
    struct entry e;
    struct error err;

    if (len == 0 || (len == 1 && *line == '\r'))
        return;
    if (!read_entry(line, len, &e, &err))
        refuse(i, number, err.text);
    else if (e.expires <= i->now)
        i->result.expired++;
    else
        put(i, &e);
}

bool cache_import(struct store *s, const char *text, size_t len, uint64_t first_line, int64_t now,
                  cache_took took, cache_imported done, void *arg)
{
    struct importing *i = calloc(1, sizeof(*i));
    const char *end = text + len;

    if (i == NULL)
        return false;
    i->store = s;
    i->now = now;
    i->took = took;
    i->done = done;
    i->arg = arg;
    atomic_init(&i->left, 1);
    for (uint64_t number = first_line; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline != NULL ? newline : end;

        import_line(i, number, text, (size_t)(line_end - text));
        text = line_end + (newline != NULL);
    }
    finish_one(i);
    return true;
}
