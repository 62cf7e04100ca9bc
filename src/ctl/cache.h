/*
 * calloutctl cache: what its subcommands share, and the two ways to the store: the daemon that has
 * it, or, where there is none, the store itself.
 *
 * Threads: the main thread's. Exit codes: 0, or one of sysexits.h with err set; EX_TEMPFAIL where
 * the store or the daemon fails half-way.
 */
#ifndef CTL_CACHE_H
#define CTL_CACHE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "cache/import.h"
#include "cache/list.h"
#include "ctl/ctl.h"
#include "ctl/http.h"

struct ctl_cache;

/* Either way does the same. */
struct ctl_cache_way {
    /* Every entry's line with its '\n'. EX_IOERR, and err as it was, when `line` says false. */
    int (*list)(struct ctl_cache *c, const struct cache_filter *filter, ctl_http_line line,
                void *arg, struct error *err);
    /* An address, a domain or a destination, whatever the tables. */
    int (*forget)(struct ctl_cache *c, const struct cache_filter *what, uint64_t *forgotten,
                  struct error *err);
    /* Whole lines; back when all of it is committed, or failed. */
    size_t import_max; /* octets at a time, CTL_CACHE_IMPORT_MAX at most */
    int (*import)(struct ctl_cache *c, const char *text, size_t len, uint64_t first_line,
                  struct cache_import_result *out, struct error *err);
    /* As GET /v1/cache/stats has it; the caller's (json_decref). */
    int (*stats)(struct ctl_cache *c, json_t **out, struct error *err);
};

#define CTL_CACHE_IMPORT_MAX 524288

struct ctl_cache {
    const struct ctl_cache_way *way;
    struct ctl_http *http; /* the daemon's, or NULL */
    struct store *store;   /* or NULL */
};

extern const struct ctl_cache_way ctl_cache_by_daemon, ctl_cache_by_itself;

/*
 * By the daemon, where there is one and `standalone` does not forbid it, else the store itself:
 * then root becomes the daemon's user first. ctl_cache_close() either way; it may be called twice.
 */
int ctl_cache_open(struct ctl_cache *c, const struct ctl_env *env, bool standalone,
                   struct error *err);
void ctl_cache_close(struct ctl_cache *c);

/*
 * For people. `line` is an entry as JSON: a block of "key: value" lines; one line of a table.
 * False when it cannot be written, or is no JSON.
 */
bool ctl_cache_print_block(FILE *out, const char *line, size_t len);
bool ctl_cache_print_heading(FILE *out);
bool ctl_cache_print_row(FILE *out, const char *line, size_t len);
bool ctl_cache_print_stats(FILE *out, const json_t *stats);

/* `path`: a file, or "-" for stdout or stdin. `tables`: a set, as in struct cache_filter. Messages
   on stderr; the exit code. */
int ctl_cache_export(const struct ctl_env *env, bool standalone, unsigned tables, const char *path);
int ctl_cache_import(const struct ctl_env *env, bool standalone, const char *path);

#endif
