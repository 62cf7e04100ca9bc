/* calloutctl cache export and import: JSON lines to and from a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/cache.h"
#include "ctl/output.h"

/*
 * Export
 */

struct export
{
    struct ctl_output output;
    int problem; /* errno */
};

static bool on_line(void *arg, const char *line, size_t len)
{
    struct export *e = arg;
    bool ok = fwrite(line, 1, len, e->output.f) == len;

    if (!ok)
        e->problem = errno;
    return ok;
}

static int export_to(struct ctl_cache *c, unsigned tables, struct export *e, struct error *err)
{
    struct cache_filter filter = {.tables = tables};
    int code = c->way->list(c, &filter, on_line, e, err);

    if (code == 0 && !ctl_output_finish(&e->output)) {
        e->problem = errno;
        code = EX_IOERR;
    }
    return code;
}

int ctl_cache_export(const struct ctl_env *env, bool standalone, unsigned tables, const char *path)
{
    struct export e = {.problem = 0};
    struct ctl_cache c;
    struct error err = {""};
    int code = ctl_cache_open(&c, env, standalone, &err);

    if (code == 0 && !ctl_output_open(&e.output, path)) {
        e.problem = errno;
        code = EX_CANTCREAT;
    }
    if (code == 0)
        code = export_to(&c, tables, &e, &err);
    if (e.problem != 0)
        (void)ctl_output_failed(path, e.problem);
    else if (code != 0)
        fprintf(stderr, "calloutctl: %s\n", err.text);
    ctl_output_close(&e.output);
    ctl_cache_close(&c);
    return code;
}

/*
 * Import
 */

struct import {
    struct ctl_cache cache;
    FILE *in;
    const char *name;
    char chunk[CTL_CACHE_IMPORT_MAX]; /* whole lines */
    size_t len;
    uint64_t first_line, lines; /* of the chunk; read */
    struct cache_import_result sum;
};

/* Adds a line to the chunk, which has room for the longest. Of one that is too long there is one
   octet too many, for which it is refused. False at the end of the file. */
static bool read_line(struct import *i)
{
    size_t len = 0;
    int c = getc_unlocked(i->in);

    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc_unlocked(i->in))
        if (len <= CACHE_LINE_MAX)
            i->chunk[i->len + len++] = (char)c;
    i->len += len;
    i->chunk[i->len++] = '\n';
    i->lines++;
    return true;
}

/* "line 3: no member" is FILE:3: no member. */
static void tell_problem(const struct import *i, const char *text)
{
    static const char prefix[] = "line ";

    if (strncmp(text, prefix, strlen(prefix)) == 0)
        text += strlen(prefix);
    fprintf(stderr, "%s:%s\n", i->name, text);
}

static void add(struct import *i, const struct cache_import_result *r)
{
    if (i->sum.refused == 0 && r->refused > 0)
        tell_problem(i, r->problem.text);
    i->sum.taken += r->taken;
    i->sum.expired += r->expired;
    i->sum.refused += r->refused;
    i->sum.failed += r->failed;
}

static int send_chunk(struct import *i, struct error *err)
{
    struct cache_import_result r;
    int code = 0;

    if (i->len > 0)
        code = i->cache.way->import(&i->cache, i->chunk, i->len, i->first_line, &r, err);
    if (code == 0 && i->len > 0)
        add(i, &r);
    if (code == 0 && i->sum.failed > 0) {
        error_set(err, "the store cannot keep them now");
        code = EX_TEMPFAIL;
    }
    if (code == 0) {
        i->first_line = i->lines + 1;
        i->len = 0;
    }
    return code;
}

static int import_all(struct import *i, struct error *err)
{
    int code = 0;

    while (code == 0 && read_line(i))
        if (i->len > i->cache.way->import_max - CACHE_LINE_MAX - 2)
            code = send_chunk(i, err);
    if (code == 0 && ferror(i->in)) {
        error_set(err, "%s: %s", i->name, strerror(errno));
        code = EX_IOERR;
    }
    if (code == 0)
        code = send_chunk(i, err);
    return code;
}

static int import_report(const struct import *i, int code, const struct error *err)
{
    const struct cache_import_result *s = &i->sum;

    printf("taken %llu, expired %llu, refused %llu, failed %llu\n", (unsigned long long)s->taken,
           (unsigned long long)s->expired, (unsigned long long)s->refused,
           (unsigned long long)s->failed);
    if (code != 0)
        fprintf(stderr, "calloutctl: %s; what was not taken is from line %llu of %s on\n",
                err->text, (unsigned long long)i->first_line, i->name);
    return ctl_output_flush(code == 0 && s->refused > 0 ? EX_DATAERR : code);
}

static int import_file(struct import *i, const struct ctl_env *env, bool standalone)
{
    struct error err = {""};
    int code = ctl_cache_open(&i->cache, env, standalone, &err);

    if (code == 0)
        code = import_report(i, import_all(i, &err), &err);
    else
        fprintf(stderr, "calloutctl: %s\n", err.text);
    ctl_cache_close(&i->cache);
    return code;
}

/* The file is opened before the store: root may read what the daemon's user may not. */
int ctl_cache_import(const struct ctl_env *env, bool standalone, const char *path)
{
    struct import *i = calloc(1, sizeof(*i));
    int code = EX_NOINPUT;

    if (i == NULL) {
        fprintf(stderr, "calloutctl: out of memory\n");
        return EX_OSERR;
    }
    i->name = path;
    i->first_line = 1;
    i->in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (i->in != NULL)
        code = import_file(i, env, standalone);
    else
        fprintf(stderr, "calloutctl: %s: %s\n", path, strerror(errno));
    if (i->in != NULL && i->in != stdin)
        (void)fclose(i->in);
    free(i);
    return code;
}
