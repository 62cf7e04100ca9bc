/* calloutd: the ordered list. Options, configuration, start, run, stop. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/daemonize.h"
#include "base/log.h"
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

static void print_problem(void *arg, const char *text)
{
    (void)arg;
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

    if (!log_open(&cfg->log, &err) || !daemon_start(&d, opts, &cfg, &err, &code)) {
        log_error("%s", err.text);
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

    if (!parse_options(argc, argv, &o)) {
        fprintf(stderr, "usage: calloutd [-c FILE] [-f] [-t] [-v] [-V]\n");
        return EX_USAGE;
    }
    if (o.version) {
        printf("calloutd %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    if (realpath(o.daemon.config, o.path) != NULL)
        o.daemon.config = o.path;
    cfg = daemon_read_config(&o.daemon, print_problem, NULL);
    if (cfg == NULL)
        return EX_CONFIG;
    if (o.test) {
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
