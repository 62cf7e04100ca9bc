/* calloutctl cache export and import: JSON lines to and from a file. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/str.h"
#include "ctl/cache.h"

/*
 * Export
 */

struct output {
    const char *path;      /* as it was given */
    char place[PATH_MAX];  /* where links lead to */
    char beside[PATH_MAX]; /* where it is written until it is complete; "": at its place */
    FILE *f;
    int problem; /* errno */
};

/* What is half written when a signal ends us goes, too. */
static const char *volatile unfinished;

static void on_end(int number)
{
    if (unfinished != NULL)
        (void)unlink(unfinished);
    (void)raise(number); /* as if it had not been caught */
}

static void catch_ends(void)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction old, end = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND};

    sigemptyset(&end.sa_mask);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(ends[i], &end, NULL);
}

int ctl_cache_write_failed(const char *path, int problem)
{
    if (problem != EPIPE)
        fprintf(stderr, "calloutctl: %s: %s\n", strcmp(path, "-") == 0 ? "standard output" : path,
                strerror(problem));
    return EX_IOERR;
}

static bool is_stdout(const struct stat *st)
{
    struct stat out;

    return fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == st->st_dev && out.st_ino == st->st_ino;
}

static bool open_beside(struct output *o)
{
    int fd;

    if (!str_format(o->beside, sizeof(o->beside), "%s.XXXXXX", o->place)) {
        o->beside[0] = '\0';
        errno = ENAMETOOLONG;
        return false;
    }
    fd = mkostemp(o->beside, O_CLOEXEC); /* mode 0600: whom we write to is nobody's business */
    if (fd < 0) {
        o->beside[0] = '\0';
        return false;
    }
    unfinished = o->beside;
    if ((o->f = fdopen(fd, "w")) == NULL)
        close(fd);
    return o->f != NULL;
}

/* Standard output by another name (/dev/stdout), a device, a pipe, or a file that has no name any
   more, cannot be replaced, so it is written to. */
static bool output_open(struct output *o)
{
    struct stat st;
    bool there = stat(o->path, &st) == 0;

    if (strcmp(o->path, "-") == 0 || (there && is_stdout(&st))) {
        o->f = stdout;
        return true;
    }
    if (there && (!S_ISREG(st.st_mode) || realpath(o->path, o->place) == NULL)) {
        o->f = fopen(o->path, "we");
        return o->f != NULL;
    }
    if (!there)
        (void)str_copy(o->place, sizeof(o->place), o->path);
    catch_ends();
    return open_beside(o);
}

static bool on_line(void *arg, const char *line, size_t len)
{
    struct output *o = arg;

    if (fwrite(line, 1, len, o->f) == len)
        return true;
    o->problem = errno;
    return false;
}

static bool sync_directory(const char *path)
{
    char copy[PATH_MAX];
    int fd;
    bool ok;

    (void)str_copy(copy, sizeof(copy), path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Puts the complete file in its place, for good. */
static bool output_finish(struct output *o)
{
    bool ok = fflush(o->f) == 0 && (o->beside[0] == '\0' || fsync(fileno(o->f)) == 0);

    if (ok && o->beside[0] != '\0') {
        ok = rename(o->beside, o->place) == 0;
        if (ok)
            o->beside[0] = '\0';
        ok = ok && sync_directory(o->place);
    }
    if (!ok)
        o->problem = errno;
    return ok;
}

static void output_close(struct output *o)
{
    if (o->beside[0] != '\0')
        (void)unlink(o->beside);
    unfinished = NULL;
    if (o->f != NULL && o->f != stdout)
        (void)fclose(o->f);
}

static int export_to(struct ctl_cache *c, struct output *o, struct error *err)
{
    struct cache_filter all = {.tables = (1U << STORE_TABLE_COUNT) - 1};
    int code = c->way->list(c, &all, on_line, o, err);

    if (code == 0 && !output_finish(o))
        code = EX_IOERR;
    return code;
}

int ctl_cache_export(const struct ctl_env *env, bool standalone, const char *path)
{
    struct output o = {.path = path};
    struct ctl_cache c;
    struct error err = {""};
    int code = ctl_cache_open(&c, env, standalone, &err);

    if (code == 0 && !output_open(&o)) {
        o.problem = errno;
        code = EX_CANTCREAT;
    }
    if (code == 0)
        code = export_to(&c, &o, &err);
    if (o.problem != 0)
        (void)ctl_cache_write_failed(path, o.problem);
    else if (code != 0)
        fprintf(stderr, "calloutctl: %s\n", err.text);
    output_close(&o);
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
    if (fflush(stdout) != 0)
        return ctl_cache_write_failed("-", errno);
    return code == 0 && s->refused > 0 ? EX_DATAERR : code;
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
