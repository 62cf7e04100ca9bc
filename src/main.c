/* calloutd: the ordered list. Options, configuration, start, run, stop. */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/daemonize.h"
#include "base/log.h"
#include "base/privileges.h"
#include "base/str.h"
#include "conf/config.h"
#include "daemon.h"

struct options {
    struct daemon_opts daemon;
    char path[PATH_MAX]; /* of the configuration, absolute: the daemon lives in "/" */
    bool test, version;
};

static bool parse_options(int argc, char **argv, struct options *o)
{
    int c;

    while ((c = getopt(argc, argv, "c:ftvV")) != -1) {
        switch (c) {
        case 'c':
            o->daemon.config = optarg;
            break;
        case 'f':
            o->daemon.foreground = true;
            break;
        case 't':
            o->test = true;
            break;
        case 'v':
            o->daemon.verbose = true;
            break;
        case 'V':
            o->version = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

/* Symbolic links stay: a reload reads where they point to then. */
static bool absolute_path(const char *path, char out[PATH_MAX])
{
    char dir[PATH_MAX] = "";

    if (path[0] != '/' && getcwd(dir, sizeof(dir)) == NULL)
        return false;
    return str_format(out, PATH_MAX, "%s%s%s", dir, path[0] != '/' ? "/" : "", path);
}

static void print_problem(void *arg, const char *text, bool is_warning)
{
    (void)arg;
    (void)is_warning; /* it says so */
    fprintf(stderr, "%s\n", text);
}

/* Every session and every client is a descriptor: as many as the administrator lets us have. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* For -t. Only warnings: an account may yet be made before the start. */
static void check_accounts(const struct config *cfg, const char *path)
{
    const char *group = cfg->listener.socket_group;

    if (geteuid() == 0 && getpwnam(cfg->user) == NULL)
        fprintf(stderr, "%s: warning: user: there is no \"%s\"\n", path, cfg->user);
    if (group[0] != '\0' && getgrnam(group) == NULL)
        fprintf(stderr, "%s: warning: socket_group: there is no \"%s\"\n", path, group);
}

/* A descriptor below 3 that is closed would become a socket's, and then be taken for stderr. */
static bool open_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void ignore_sigpipe(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigemptyset(&ignore.sa_mask);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

static int serve(struct config *cfg, const struct daemon_opts *opts)
{
    struct error err = {""};
    struct daemon *d = NULL;
    int code = EX_OSERR;

    if (!privileges_gain_none(&err) || !log_open(&cfg->log, &err) ||
        !daemon_start(&d, opts, &cfg, &err, &code)) {
        log_error("%s", err.text);
        if (!opts->foreground) /* whoever started it is still there to read it */
            fprintf(stderr, "calloutd: %s\n", err.text);
        config_free(&cfg);
        log_close();
        return code;
    }
    daemonize_ready();
    daemon_run(d);
    daemon_free(&d);
    log_info("stopped");
    log_close();
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options o = {.daemon.config = CONFDIR "/calloutd.conf"};
    struct error err = {""};
    struct config *cfg;

    if (!open_standard_descriptors())
        return EX_OSERR;
    if (!parse_options(argc, argv, &o)) {
        fprintf(stderr, "usage: calloutd [-c FILE] [-f] [-t] [-v] [-V]\n");
        return EX_USAGE;
    }
    if (o.version) {
        printf("calloutd %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    if (!absolute_path(o.daemon.config, o.path)) {
        fprintf(stderr, "calloutd: -c: the path is too long\n");
        return EX_USAGE;
    }
    o.daemon.config = o.path;
    if (o.test)
        o.daemon.foreground = true;
    cfg = daemon_read_config(&o.daemon, print_problem, NULL);
    if (cfg == NULL)
        return EX_CONFIG;
    if (o.test) {
        check_accounts(cfg, o.daemon.config);
        config_free(&cfg);
        return EXIT_SUCCESS;
    }
    ignore_sigpipe();
    raise_descriptor_limit();
    if (!o.daemon.foreground && !daemonize(&err)) {
        fprintf(stderr, "calloutd: %s\n", err.text);
        config_free(&cfg);
        return EX_OSERR;
    }
    return serve(cfg, &o.daemon);
}
