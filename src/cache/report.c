#include "cache/report.h"

#include "base/rfc3339.h"
#include "cache/entry.h"

static void set_count(json_t *o, const char *key, uint64_t n)
{
    (void)json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *entries_json(const struct store_report *r)
{
    json_t *o = json_object();

    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++)
        set_count(o, entry_table_name((enum store_table)t), r->entries[t]);
    return o;
}

json_t *cache_report(struct store *s)
{
    struct store_report r;
    char text[512], at[RFC3339_SIZE];
    json_t *o;

    if (!store_report(s, &r))
        return NULL;
    o = json_object();
    (void)json_object_set_new(o, "entries", entries_json(&r));
    set_count(o, "size", r.size);
    set_count(o, "used", r.used);
    set_count(o, "file", r.file);
    if (r.next_expiry != 0)
        (void)json_object_set_new(o, "next_expiry", json_string(rfc3339_format(r.next_expiry, at)));
    set_count(o, "commits", r.commits);
    set_count(o, "committed", r.committed);
    set_count(o, "failed", r.failed);
    set_count(o, "swept", r.swept);
    set_count(o, "evicted", r.evicted);
    if (store_failing(s, text, sizeof(text)))
        (void)json_object_set_new(o, "failing", json_string(text));
    return o;
}
