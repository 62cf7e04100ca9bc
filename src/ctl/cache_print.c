/* Entries and the store's counts, for people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "ctl/cache.h"
#include "ctl/text.h"

#define ROW       "%-11s %-32s %-9s %-18s %-8s %-20s %-20s %-24s %s"
#define LINE_SIZE 8192

static json_t *load(const char *line, size_t len)
{
    return json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
}

static bool print_line(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One line, without the control characters that even an address may have. */
static bool print_line(FILE *out, const char *fmt, ...)
{
    char text[LINE_SIZE], safe[LINE_SIZE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    str_readable(safe, sizeof(safe), text, strlen(text));
    return fprintf(out, "%s\n", safe) > 0;
}

static bool print_value(FILE *out, const char *key, const json_t *value, int64_t now);

/* The members of a reply are one thing, but for the rule by which it was read; those of others are
   lines of their own. */
static bool print_object(FILE *out, const char *key, json_t *o, int64_t now)
{
    bool is_reply = strcmp(key, "reply") == 0, ok = true;
    const char *name;
    char text[1200], path[128];
    json_t *value;

    if (is_reply) {
        ctl_text_reply(o, text, sizeof(text));
        ok = print_line(out, "%s%s%s", ctl_text_is_dns(o) ? "" : key,
                        ctl_text_is_dns(o) ? "" : ": ", text);
    }
    json_object_foreach(o, name, value)
    {
        (void)str_format(path, sizeof(path), "%s.%s", key, name);
        if (!is_reply)
            ok = ok && print_value(out, path, value, now);
        else if (strcmp(name, "rule") == 0)
            ok = ok && print_value(out, name, value, now);
    }
    return ok;
}

static bool print_value(FILE *out, const char *key, const json_t *value, int64_t now)
{
    const char *text = json_string_value(value);
    char when[CTL_TEXT_SPAN_SIZE];

    if (text != NULL)
        return print_line(out, "%s: %s%s", key, text, ctl_text_when(text, now, when));
    if (json_is_integer(value))
        return print_line(out, "%s: %lld", key, (long long)json_integer_value(value));
    return !json_is_boolean(value) ||
           print_line(out, "%s: %s", key, json_is_true(value) ? "yes" : "no");
}

bool ctl_cache_print_block(FILE *out, const char *line, size_t len)
{
    json_t *o = load(line, len), *value;
    bool ok = json_is_object(o);
    int64_t now = time(NULL);
    const char *key;

    json_object_foreach(o, key, value)
    {
        if (json_is_object(value))
            ok = ok && print_object(out, key, value, now);
        else
            ok = ok && print_value(out, key, value, now);
    }
    json_decref(o);
    return ok;
}

/* The first of these members that there is; NULL ends them. */
static const char *either(const json_t *o, const char *const *keys)
{
    for (; *keys != NULL; keys++)
        if (json_is_string(json_object_get(o, *keys)))
            return ctl_text_of(o, *keys);
    return "-";
}

bool ctl_cache_print_heading(FILE *out)
{
    return print_line(out, ROW, "TABLE", "NAME", "STATUS", "REASON", "SOURCE", "PROBED", "REFRESH",
                      "MX", "REPLY");
}

/* Every table has a name, times and a reply of its own; what is like a reason stands with those. */
static bool print_row(FILE *out, const json_t *o)
{
    static const char *const names[] = {"address", "domain", "destination", NULL};
    static const char *const reasons[] = {"reason", "catch_all", "state", NULL};
    static const char *const times[] = {"probed_at", "learned_at", "first_at", "opened_at", NULL};
    static const char *const refresh[] = {"refresh_at", "due", "open_until", "pause_until", NULL};
    static const char *const mx[] = {"mx", NULL};
    const json_t *breaker = json_object_get(o, "breaker"), *reply = json_object_get(o, "reply");
    const json_t *facts = breaker != NULL ? breaker : o;
    const char *status = ctl_text_of(o, "status");
    char said[1200];

    ctl_text_reply(breaker != NULL ? breaker : reply, said, sizeof(said));
    return print_line(out, ROW, ctl_text_of(o, "table"), either(o, names),
                      status[0] != '\0' ? status : "-", either(facts, reasons),
                      status[0] != '\0' ? ctl_text_of(o, "source") : "-", either(facts, times),
                      either(facts, refresh), either(facts, mx), said[0] != '\0' ? said : "-");
}

bool ctl_cache_print_row(FILE *out, const char *line, size_t len)
{
    json_t *o = load(line, len);
    bool ok = json_is_object(o) && print_row(out, o);

    json_decref(o);
    return ok;
}

static json_int_t count_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void print_sizes(FILE *out, const json_t *stats, json_int_t entries)
{
    json_int_t used = count_of(stats, "used"), size = count_of(stats, "size");
    char buf[CTL_TEXT_BYTES_SIZE];

    (void)fprintf(out, "used: %s", ctl_text_bytes(used, buf));
    if (size > 0)
        (void)fprintf(out, " of %s (%.1f %%)", ctl_text_bytes(size, buf),
                      100.0 * (double)used / (double)size);
    if (entries > 0)
        (void)fprintf(out, ", %lld B an entry", (long long)(used / entries));
    (void)fprintf(out, "\nfile: %s\n", ctl_text_bytes(count_of(stats, "file"), buf));
}

bool ctl_cache_print_stats(FILE *out, const json_t *stats)
{
    static const char *const counts[] = {"commits", "committed", "failed", "swept", "evicted"};
    const char *failing = ctl_text_of(stats, "failing"), *next = ctl_text_of(stats, "next_expiry");
    json_int_t entries = 0;
    char when[CTL_TEXT_SPAN_SIZE];
    const char *name;
    json_t *value;

    if (failing[0] != '\0')
        (void)fprintf(out, "failing: %s\n", failing);
    json_object_foreach(json_object_get(stats, "entries"), name, value)
    {
        (void)fprintf(out, "%s: %lld\n", name, (long long)json_integer_value(value));
        entries += json_integer_value(value);
    }
    print_sizes(out, stats, entries);
    if (next[0] != '\0')
        (void)fprintf(out, "next_expiry: %s%s\n", next, ctl_text_when(next, time(NULL), when));
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        (void)fprintf(out, "%s: %lld\n", counts[i], (long long)count_of(stats, counts[i]));
    return ferror(out) == 0;
}
