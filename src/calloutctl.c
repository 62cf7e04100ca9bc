/* calloutctl: options, configuration, subcommand. */
#include <errno.h>
#include <getopt.h>
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
#include "ctl/options.h"
#include "ctl/output.h"
#include "ctl/parse.h"

static const char default_config[] = CONFDIR "/calloutd.conf";

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

static int run_check(const char *path, int argc, char **argv)
{
    return run_configured(ctl_check, path, argc, argv);
}

static int run_cache(const char *path, int argc, char **argv)
{
    return run_configured(ctl_cache, path, argc, argv);
}

static int run_status(const char *path, int argc, char **argv)
{
    return run_configured(ctl_status, path, argc, argv);
}

static int run_parse(const char *path, int argc, char **argv)
{
    (void)path;
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "-") != 0))
        return ctl_usage_error(ctl_parse_usage, "parse: standard input is all it reads");
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

    if (!ctl_classify_options(argc, argv, &how))
        return ctl_usage_error(ctl_classify_usage, NULL);
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

static const struct command {
    const char *name, *usage;
    int (*run)(const char *config, int argc, char **argv);
} commands[] = {
    {"check", ctl_check_usage, run_check},          {"cache", ctl_cache_usage, run_cache},
    {"status", ctl_status_usage, run_status},       {"parse", ctl_parse_usage, run_parse},
    {"classify", ctl_classify_usage, run_classify},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *out, int code)
{
    for (size_t i = 0; i < COMMANDS; i++)
        ctl_usage_print(out, i == 0 ? "usage:" : "", commands[i].usage);
    ctl_usage_print(out, "", "calloutctl -V | --help\n");
    return code;
}

/* Whoever wants to know how it is used may have no configuration yet. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}

static int run_command(const char *config, int argc, char **argv)
{
    for (size_t i = 0; argc > 0 && i < COMMANDS; i++) {
        if (strcmp(argv[0], commands[i].name) != 0)
            continue;
        if (!asks_for_help(argc, argv))
            return commands[i].run(config, argc, argv);
        ctl_usage_print(stdout, "usage:", commands[i].usage);
        return ctl_output_flush(EXIT_SUCCESS);
    }
    if (argc > 0)
        fprintf(stderr, "calloutctl: no such subcommand: %s\n", argv[0]);
    else
        fprintf(stderr, "calloutctl: a subcommand is wanted\n");
    return usage(stderr, EX_USAGE);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct log_opts log = {.target = LOG_TARGET_STDERR, .ident = "calloutctl"};
    const char *config = default_config;
    int c;

    if (!process_open_standard()) {
        fprintf(stderr, "calloutctl: cannot open /dev/null\n");
        return EX_OSERR;
    }
    while ((c = getopt_long(argc, argv, "+c:V", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            config = optarg;
            break;
        case 'V':
            printf("calloutctl %s\n", PACKAGE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            return ctl_output_flush(usage(stdout, EXIT_SUCCESS));
        default:
            return usage(stderr, EX_USAGE);
        }
    }
    log_reconfigure(&log);
    return run_command(config, argc - optind, argv + optind);
}
