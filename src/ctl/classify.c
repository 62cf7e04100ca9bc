#include "ctl/classify.h"

#include <string.h>
#include <sysexits.h>

#include "base/str.h"
#include "callout/classify.h"
#include "callout/reply_syntax.h"
#include "ctl/line.h"
#include "ctl/options.h"

const char ctl_classify_usage[] =
    "calloutctl [-c FILE] classify [--stage STAGE] [--provider NAME] [-]\n";

static bool parse_stage(const char *name, enum smtp_stage *stage)
{
    if (!reply_stage_parse(name, strlen(name), stage)) {
        fprintf(stderr, "calloutctl: there is no stage '%s'\n", name);
        return false;
    }
    if (*stage == SMTP_STAGE_CONNECT) /* what is said on a connection is a greeting */
        *stage = SMTP_STAGE_GREETING;
    return true;
}

static bool parse_provider(const char *name, char provider[VERDICT_PROVIDER_SIZE])
{
    if (name[0] != '\0' && str_copy(provider, VERDICT_PROVIDER_SIZE, name))
        return true;
    fprintf(stderr, "calloutctl: '%s' is no provider's name\n", name);
    return false;
}

bool ctl_classify_options(int argc, char **argv, struct ctl_classify_how *how)
{
    static const struct option longs[] = {
        {"stage", required_argument, NULL, 's'},
        {"provider", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int c;

    *how = (struct ctl_classify_how){.stage = SMTP_STAGE_RCPT};
    optind = 0; /* glibc: start over, options may follow the "-" */
    while ((c = ctl_options_next(argc, argv, longs, NULL)) != -1) {
        if (c == 's' ? !parse_stage(optarg, &how->stage)
                     : c != 'p' || !parse_provider(optarg, how->provider))
            return false;
    }
    return optind == argc || (optind == argc - 1 && strcmp(argv[optind], "-") == 0);
}

/* Returns false when the line is no reply; sets *failed when the stream is. */
static bool answer(const struct reply_rules *rules, const struct ctl_classify_how *how,
                   const char *line, size_t len, FILE *out, bool *failed)
{
    struct outcome o = {.stage = how->stage};
    struct reading reading;
    struct error why;

    if (!reply_line_parse(line, len, &o.reply, &why)) {
        *failed = fprintf(out, "-\t-\t%s\n", why.text) < 0;
        return false;
    }
    reading = classify_outcome(rules, &o, how->provider, NULL);
    *failed =
        fprintf(out, "%s\t%s\t%s\n", verdict_status_name(verdict_reason_status(reading.reason)),
                verdict_reason_name(reading.reason),
                reading.rule[0] != '\0' ? reading.rule : "-") < 0;
    return true;
}

int ctl_classify(const struct reply_rules *rules, const struct ctl_classify_how *how, FILE *in,
                 FILE *out)
{
    char line[CTL_LINE_MAX];
    bool all_replies = true, failed = false;
    size_t len;

    while (!failed && ctl_line_read(in, line, &len)) {
        /* One octet too many: what there is of it is refused like any reply so long. */
        if (len > CTL_LINE_MAX)
            len = CTL_LINE_MAX;
        all_replies = answer(rules, how, line, len, out, &failed) && all_replies;
    }
    if (failed || ferror(in) || fflush(out) != 0)
        return EX_IOERR;
    return all_replies ? 0 : EX_DATAERR;
}
