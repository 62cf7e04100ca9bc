/*
 * calloutctl classify: replies on a stream, one a line, and how the rules read each.
 *
 * Threads: any; touches only the two streams.
 */
#ifndef CTL_CLASSIFY_H
#define CTL_CLASSIFY_H

#include <stdbool.h>
#include <stdio.h>

#include "callout/reply_rules.h"
#include "smtp/outcome.h"

/* How the replies are to be read. */
struct ctl_classify_how {
    enum smtp_stage stage;
    char provider[VERDICT_PROVIDER_SIZE]; /* "": none is known */
};

/*
 * Reads `[--stage STAGE] [--provider NAME] [-]`; argv[0] is the subcommand's name. False for
 * anything else, with a message on stderr where an option is wrong.
 */
bool ctl_classify_options(int argc, char **argv, struct ctl_classify_how *how);

/*
 * Writes one line for every line of `in`: "status<TAB>reason<TAB>rule", "-" for the rule where none
 * decided; or "-<TAB>-<TAB>why" for what is no reply. Lines end in LF or CR LF (ctl/line). Returns
 * 0, or an exit code of sysexits.h: EX_DATAERR when there was such a line, EX_IOERR when a stream
 * fails. `rules` may be NULL: none.
 */
int ctl_classify(const struct reply_rules *rules, const struct ctl_classify_how *how, FILE *in,
                 FILE *out);

#endif
