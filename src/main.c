/* calloutd: the ordered list. Options, configuration, start, run, stop. */
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/daemonize.h"
#include "base/log.h"
#include "base/privileges.h"
#include "base/process.h"
#include "base/str.h"
#include "conf/config.h"
#include "daemon.h"

#define FILES_ELSE 100 /* descriptors besides those of sessions and waiting clients */

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

/* For -t. Only warnings: an account may yet be made before the start. */
static void check_accounts(const struct config *cfg, const char *path)
{
    const char *group = cfg->listener.socket_group;

    if (geteuid() == 0 && getpwnam(cfg->user) == NULL)
        fprintf(stderr, "%s: warning: user: there is no \"%s\"\n", path, cfg->user);
    if (group[0] != '\0' && getgrnam(group) == NULL)
        fprintf(stderr, "%s: warning: socket_group: there is no \"%s\"\n", path, group);
}

static int serve(struct config *cfg, const struct daemon_opts *opts)
{
    struct error err = {""};
    struct daemon *d = NULL;
    int code = EX_OSERR;
    bool ok = privileges_gain_none(&err) && log_open(&cfg->log, &err);

    if (ok)
        process_raise_descriptors(cfg->verifier.total + cfg->verifier.max_waiting + FILES_ELSE);
    if (!ok || !daemon_start(&d, opts, &cfg, &err, &code)) {
        log_error("%s", err.text);
        if (!opts->foreground) /* whoever started it is still there to read it */
            fprintf(stderr, "calloutd: %s\n", err.text);
        config_free(&cfg);
        log_close();
        return code;
    }
    daemonize_ready();
    code = daemon_run(d);
    daemon_free(&d);
    log_info("stopped");
    log_close();
    return code;
}

int main(int argc, char **argv)
{
    struct options o = {.daemon.config = CONFDIR "/calloutd.conf"};
    struct error err = {""};
    struct config *cfg;

    if (!process_open_standard()) {
        perror("calloutd: /dev/null");
        return EX_OSERR;
    }
    if (!parse_options(argc, argv, &o)) {
        fprintf(stderr, "usage: calloutd [-c FILE] [-f] [-t] [-v] [-V]\n");
        return EX_USAGE;
    }
    if (o.version) {
        printf("calloutd %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    if (!absolute_path(o.daemon.config, o.path)) {
        fprintf(stderr, "calloutd: -c: the path is too long, or relative to no directory\n");
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
    process_ignore_sigpipe();
    if (!o.daemon.foreground && !daemonize(&err)) {
        fprintf(stderr, "calloutd: %s\n", err.text);
        config_free(&cfg);
        return EX_OSERR;
    }
    return serve(cfg, &o.daemon);
}
