/* calloutctl check ADDRESS...: a verdict for each, as a table or as JSON lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/str.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "ctl/text.h"
#include "ctl/verify.h"

enum { EXIT_ACCEPT = 0, EXIT_REJECT = 1, EXIT_TEMPFAIL = 2 };

struct check_options {
    struct ctl_question question;
    bool json, standalone;
};

const char ctl_check_usage[] = "calloutctl [-c FILE] check ADDRESS... [--fresh] [--no-probe] "
                               "[--trace] [--json] [--standalone]\n";

static bool parse_options(int argc, char **argv, struct check_options *o)
{
    static const struct option longs[] = {
        {"fresh", no_argument, NULL, 'f'},      {"no-probe", no_argument, NULL, 'n'},
        {"trace", no_argument, NULL, 't'},      {"json", no_argument, NULL, 'j'},
        {"standalone", no_argument, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    int c;

    optind = 0; /* glibc: start over, options may follow addresses */
    while ((c = ctl_options_next(argc, argv, longs, NULL)) != -1) {
        switch (c) {
        case 'f':
            o->question.fresh = true;
            break;
        case 'n':
            o->question.no_probe = true;
            break;
        case 't':
            o->question.trace = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 's':
            o->standalone = true;
            break;
        default:
            return false;
        }
    }
    o->question.addresses = argv + optind;
    o->question.count = (size_t)(argc - optind);
    return true;
}

/* "550 5.1.1 User unknown", "greeting: timeout", "NXDOMAIN": what is behind the verdict. */
static void format_why(const json_t *o, char *buf, size_t size)
{
    const json_t *reply = json_object_get(o, "reply");

    if (reply == NULL)
        (void)str_copy(buf, size, ctl_text_of(o, "detail"));
    else
        ctl_text_reply(reply, buf, size);
}

static void print_trace(const json_t *o)
{
    const char *line = ctl_text_of(o, "trace");

    while (*line != '\0') {
        size_t len = strcspn(line, "\n");

        printf("    %.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
}

static void print_table(json_t *const *results, size_t count)
{
    int width = 7;

    for (size_t i = 0; i < count; i++) {
        int len = ctl_text_width(ctl_text_of(results[i], "address"));

        width = len > width && len <= 60 ? len : width;
    }
    printf("%-*s  %-9s %-20s %-8s %-6s %s\n", width, "ADDRESS", "STATUS", "REASON", "ACTION",
           "SOURCE", "WHY");
    for (size_t i = 0; i < count; i++) {
        const json_t *o = results[i];
        const char *address = ctl_text_of(o, "address");
        int gap = width - ctl_text_width(address);
        char why[700];

        format_why(o, why, sizeof(why));
        printf("%s%*s  %-9s %-20s %-8s %-6s %s\n", address, gap > 0 ? gap : 0, "",
               ctl_text_of(o, "status"), ctl_text_of(o, "reason"),
               ctl_text_of(json_object_get(o, "action"), "outbound"), ctl_text_of(o, "source"),
               why);
        print_trace(o);
    }
}

static void print_json(json_t *const *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)json_dumpf(results[i], stdout, JSON_COMPACT);
        putchar('\n');
    }
}

/* By the outbound actions; of several addresses the worst decides. */
static int exit_code(json_t *const *results, size_t count)
{
    int code = EXIT_ACCEPT;

    for (size_t i = 0; i < count; i++) {
        const char *action = ctl_text_of(json_object_get(results[i], "action"), "outbound");

        if (strcmp(action, "reject") == 0)
            return EXIT_REJECT;
        if (strcmp(action, "tempfail") == 0)
            code = EXIT_TEMPFAIL;
    }
    return code;
}

static int check_run(const struct ctl_env *env, const struct check_options *o, json_t **results)
{
    struct error err = {""};
    enum ctl_result r = CTL_NO_DAEMON;

    if (!o->standalone)
        r = ctl_verify_daemon(env, &o->question, results, &err);
    if (r == CTL_NO_DAEMON)
        r = ctl_verify_local(env, &o->question, results, &err);
    if (r != CTL_OK) {
        fprintf(stderr, "calloutctl: %s\n", err.text);
        return EX_UNAVAILABLE;
    }
    if (o->json)
        print_json(results, o->question.count);
    else
        print_table(results, o->question.count);
    return ctl_output_flush(exit_code(results, o->question.count));
}

int ctl_check(const struct ctl_env *env, int argc, char **argv)
{
    struct check_options o = {.json = false};
    json_t **results;
    int code;

    if (!parse_options(argc, argv, &o))
        return ctl_usage_error(ctl_check_usage, NULL);
    if (o.question.count == 0)
        return ctl_usage_error(ctl_check_usage, "check: an address is wanted");
    results = calloc(o.question.count, sizeof(json_t *));
    if (results == NULL) {
        fprintf(stderr, "calloutctl: out of memory\n");
        return EX_OSERR;
    }
    code = check_run(env, &o, results);
    for (size_t i = 0; i < o.question.count; i++)
        json_decref(results[i]);
    free(results);
    return code;
}
