#include "ctl/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/str.h"

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

static bool is_stdout(const struct stat *st)
{
    struct stat out;

    return fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == st->st_dev && out.st_ino == st->st_ino;
}

/* A signal that comes between the making of the file and the noting of its name waits. */
static int make_beside(struct ctl_output *o)
{
    sigset_t all, before;
    int fd;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    fd = mkostemp(o->beside, O_CLOEXEC); /* mode 0600: whom we write to is nobody's business */
    if (fd >= 0)
        unfinished = o->beside;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return fd;
}

static bool open_beside(struct ctl_output *o)
{
    int fd;

    if (!str_format(o->beside, sizeof(o->beside), "%s.XXXXXX", o->place)) {
        o->beside[0] = '\0';
        errno = ENAMETOOLONG;
        return false;
    }
    fd = make_beside(o);
    if (fd < 0) {
        o->beside[0] = '\0';
        return false;
    }
    if ((o->f = fdopen(fd, "w")) == NULL)
        close(fd);
    return o->f != NULL;
}

/* Standard output by another name (/dev/stdout), a device, a pipe, or a file that has no name any
   more, cannot be replaced, so it is written to. */
bool ctl_output_open(struct ctl_output *o, const char *path)
{
    struct stat st;
    bool there = stat(path, &st) == 0;

    memset(o, 0, sizeof(*o));
    if (strcmp(path, "-") == 0 || (there && is_stdout(&st))) {
        o->f = stdout;
        return true;
    }
    if (there && (!S_ISREG(st.st_mode) || realpath(path, o->place) == NULL)) {
        o->f = fopen(path, "we");
        return o->f != NULL;
    }
    if (!there)
        (void)str_copy(o->place, sizeof(o->place), path);
    catch_ends();
    return open_beside(o);
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

bool ctl_output_finish(struct ctl_output *o)
{
    bool ok = fflush(o->f) == 0 && (o->beside[0] == '\0' || fsync(fileno(o->f)) == 0);

    if (ok && o->beside[0] != '\0') {
        ok = rename(o->beside, o->place) == 0;
        if (ok)
            o->beside[0] = '\0';
        ok = ok && sync_directory(o->place);
    }
    return ok;
}

void ctl_output_close(struct ctl_output *o)
{
    if (o->beside[0] != '\0')
        (void)unlink(o->beside);
    unfinished = NULL;
    if (o->f != NULL && o->f != stdout)
        (void)fclose(o->f);
}

/* Root has become the daemon's user by then. */
static const char *who_we_are(void)
{
    const struct passwd *pw = getpwuid(geteuid());

    return pw != NULL ? pw->pw_name : "a user without a name";
}

int ctl_output_failed(const char *path, int problem)
{
    const char *name = strcmp(path, "-") == 0 ? "standard output" : path;

    if (problem == EACCES)
        fprintf(stderr, "calloutctl: %s: %s to %s\n", name, strerror(problem), who_we_are());
    else if (problem != EPIPE)
        fprintf(stderr, "calloutctl: %s: %s\n", name, strerror(problem));
    return EX_IOERR;
}

int ctl_output_flush(int code)
{
    return fflush(stdout) == 0 ? code : ctl_output_failed("-", errno);
}

int ctl_output_json(const json_t *o)
{
    (void)(json_dumpf(o, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF);
    return ctl_output_flush(0);
}
