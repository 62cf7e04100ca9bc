/* The store by way of the daemon that has it: its control API. */
#include <string.h>
#include <sysexits.h>

#include "base/str.h"
#include "ctl/cache.h"

#define TARGET_MAX 4096
#define IMPORT_MAX 61440 /* the daemon takes 64 KiB */

/* "/v1/cache/entries", with "?address=…", "?domain=…" or "?destination=…" where one is meant. */
static bool put_target(struct ctl_cache *c, const struct cache_filter *what,
                       char target[TARGET_MAX])
{
    static const char resource[] = "/v1/cache/entries";
    const char *key = "domain", *value = what->domain;
    char text[ADDRESS_TEXT_SIZE], *escaped;
    bool ok;

    if (what->is_address) {
        address_format(&what->address, text);
        key = "address";
        value = text;
    } else if (what->destination[0] != '\0') {
        key = "destination";
        value = what->destination;
    }
    if (value[0] == '\0')
        return str_copy(target, TARGET_MAX, resource);
    escaped = ctl_http_escape(c->http, value);
    ok = escaped != NULL && str_format(target, TARGET_MAX, "%s?%s=%s", resource, key, escaped);
    ctl_http_release(escaped);
    return ok;
}

static bool put_tables(char target[TARGET_MAX], unsigned tables)
{
    bool ok = true;

    for (unsigned t = 0; ok && t < STORE_TABLE_COUNT; t++) {
        size_t len = strlen(target);

        if ((tables & (1U << t)) != 0)
            ok = str_format(target + len, TARGET_MAX - len, "%ctable=%s",
                            strchr(target, '?') == NULL ? '?' : '&',
                            entry_table_name((enum store_table)t));
    }
    return ok;
}

static int out_of_memory(struct error *err)
{
    error_set(err, "out of memory");
    return EX_OSERR;
}

static int list(struct ctl_cache *c, const struct cache_filter *filter, ctl_http_line line,
                void *arg, struct error *err)
{
    char target[TARGET_MAX];
    struct ctl_http_request rq = {.method = "GET", .target = target};

    if (!put_target(c, filter, target) || !put_tables(target, filter->tables))
        return out_of_memory(err);
    return ctl_http_lines(c->http, &rq, line, arg, err);
}

static uint64_t count_of(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));

    return n > 0 ? (uint64_t)n : 0;
}

static int forget(struct ctl_cache *c, const struct cache_filter *what, uint64_t *forgotten,
                  struct error *err)
{
    char target[TARGET_MAX];
    struct ctl_http_request rq = {.method = "DELETE", .target = target};
    json_t *answer = NULL;
    int code;

    if (!put_target(c, what, target))
        return out_of_memory(err);
    code = ctl_http_object(c->http, &rq, &answer, err);
    *forgotten = count_of(answer, "forgotten");
    json_decref(answer);
    return code;
}

static int import(struct ctl_cache *c, const char *text, size_t len, uint64_t first_line,
                  struct cache_import_result *out, struct error *err)
{
    char target[64];
    struct ctl_http_request rq = {
        .method = "POST", .target = target, .body = text, .body_len = len};
    json_t *answer = NULL;
    const char *problem;
    int code;

    (void)str_format(target, sizeof(target), "/v1/cache/import?first_line=%llu",
                     (unsigned long long)first_line);
    code = ctl_http_object(c->http, &rq, &answer, err);
    problem = json_string_value(json_object_get(answer, "problem"));
    *out = (struct cache_import_result){
        .taken = count_of(answer, "taken"),
        .expired = count_of(answer, "expired"),
        .refused = count_of(answer, "refused"),
        .failed = count_of(answer, "failed"),
    };
    error_set(&out->problem, "%s", problem != NULL ? problem : "");
    json_decref(answer);
    return code;
}

static int stats(struct ctl_cache *c, json_t **out, struct error *err)
{
    struct ctl_http_request rq = {.method = "GET", .target = "/v1/cache/stats"};

    return ctl_http_object(c->http, &rq, out, err);
}

const struct ctl_cache_way ctl_cache_by_daemon = {list, forget, IMPORT_MAX, import, stats};
