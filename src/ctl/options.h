/*
 * Options of subcommands: messages and usage as all of them have them.
 *
 * Threads: the main thread's.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <getopt.h>
#include <stdio.h>

/* getopt_long() with long options only, whose messages begin with the program's name and not with
   the subcommand's. */
int ctl_options_next(int argc, char **argv, const struct option *longs, int *which);

/* `usage` is a line for each form. The first is printed behind `label`. */
void ctl_usage_print(FILE *out, const char *label, const char *usage);

/* Says what was wrong (NULL: that was said) and how it is used. Returns EX_USAGE. */
int ctl_usage_error(const char *usage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Those of the subcommands, each beside its code. */
extern const char ctl_check_usage[], ctl_cache_usage[], ctl_status_usage[], ctl_parse_usage[],
    ctl_classify_usage[];

#endif
