/* calloutctl: options, configuration, subcommand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/process.h"
#include "conf/config.h"
#include "conf/data_files.h"
#include "ctl/classify.h"
#include "ctl/ctl.h"
#include "ctl/parse.h"

static const char default_config[] = CONFDIR "/calloutd.conf";

static void usage(void)
{
    fprintf(stderr, "usage: calloutctl [-c FILE] check ADDRESS... [--fresh] [--no-probe] [--trace] "
                    "[--json] [--standalone]\n"
                    "       calloutctl [-c FILE] cache get|list|forget|export|import|stats ...\n"
                    "       calloutctl [-c FILE] status [--json]\n"
                    "       calloutctl parse [-]\n"
                    "       calloutctl [-c FILE] classify [--stage STAGE] [--provider NAME] [-]\n"
                    "       calloutctl -V\n");
}

static void print_problem(void *arg, const char *text, bool is_warning)
{
    (void)arg;
    (void)is_warning; /* it says so */
    fprintf(stderr, "%s\n", text);
}

static void tell(struct config_problems *problems)
{
    config_problems_each(problems, print_problem, NULL);
    config_problems_free(problems);
}

/* NULL when anything is wrong, which is told. */
static struct config *load(const char *path)
{
    struct config_problems problems;
    struct config *cfg = config_load(path, &problems);

    tell(&problems);
    return cfg;
}

/* A subcommand that needs the daemon, or what the daemon needs. */
typedef int (*configured)(const struct ctl_env *env, int argc, char **argv);

static int run_configured(configured run, const char *path, int argc, char **argv)
{
    struct config *cfg = load(path);
    struct ctl_env env;
    int code;

    if (cfg == NULL)
        return EX_CONFIG;
    env = (struct ctl_env){
        .control_path = cfg->control_listen.path,
        .user = cfg->user,
        .verifier = &cfg->verifier,
        .store = &cfg->store,
        .policy = cfg->policy,
    };
    code = run(&env, argc, argv);
    config_free(&cfg);
    return code;
}

static int run_parse(int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "-") != 0)) {
        usage();
        return EX_USAGE;
    }
    return ctl_parse(stdin, stdout);
}

/* By the rules alone: what else is configured, or not yet, does not matter. `path` tells where an
   own replies.conf would lie. */
static int run_classify(const char *path, int argc, char **argv)
{
    struct config_problems problems = {.count = 0};
    struct ctl_classify_how how;
    struct data_files files;
    int code = EX_CONFIG;
    bool ok;

    if (!ctl_classify_options(argc, argv, &how)) {
        usage();
        return EX_USAGE;
    }
    if (path != default_config && access(path, R_OK) != 0) {
        fprintf(stderr, "calloutctl: %s: %s\n", path, strerror(errno));
        return EX_CONFIG;
    }
    ok = data_files_load(path, &files, &problems);
    tell(&problems);
    if (ok && how.provider[0] != '\0' && providers_find(files.providers, how.provider) == NULL) {
        fprintf(stderr, "calloutctl: classify: providers.conf has no provider %s\n", how.provider);
        code = EX_USAGE;
    } else if (ok) {
        code = ctl_classify(files.replies, &how, stdin, stdout);
        if (code == EX_IOERR)
            fprintf(stderr, "calloutctl: classify: a stream cannot be read or written\n");
    }
    if (ok) {
        reply_rules_unref(&files.replies);
        providers_unref(&files.providers);
    }
    return code;
}

int main(int argc, char **argv)
{
    struct log_opts log = {.target = LOG_TARGET_STDERR, .ident = "calloutctl"};
    const char *config = default_config;
    int c;

    if (!process_open_standard()) {
        fprintf(stderr, "calloutctl: cannot open /dev/null\n");
        return EX_OSERR;
    }
    while ((c = getopt(argc, argv, "+c:V")) != -1) {
        switch (c) {
        case 'c':
            config = optarg;
            break;
        case 'V':
            printf("calloutctl %s\n", PACKAGE_VERSION);
            return EXIT_SUCCESS;
        default:
            usage();
            return EX_USAGE;
        }
    }
    log_reconfigure(&log);
    argc -= optind;
    argv += optind;
    if (argc > 0 && strcmp(argv[0], "check") == 0)
        return run_configured(ctl_check, config, argc, argv);
    if (argc > 0 && strcmp(argv[0], "cache") == 0)
        return run_configured(ctl_cache, config, argc, argv);
    if (argc > 0 && strcmp(argv[0], "status") == 0)
        return run_configured(ctl_status, config, argc, argv);
    if (argc > 0 && strcmp(argv[0], "parse") == 0)
        return run_parse(argc, argv);
    if (argc > 0 && strcmp(argv[0], "classify") == 0)
        return run_classify(config, argc, argv);
    usage();
    return EX_USAGE;
}
