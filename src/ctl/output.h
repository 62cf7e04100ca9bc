/*
 * What the subcommands write: to standard output, or a file that is whole or not there.
 *
 * Threads: the main thread's; one file at a time.
 */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

struct ctl_output {
    FILE *f;
    /* output.c's */
    char place[PATH_MAX];  /* where links lead to */
    char beside[PATH_MAX]; /* where it is written until it is complete; "": at its place */
};

/* `path`: a file, or "-" for standard output. False with errno set. ctl_output_close() in any case;
   without ctl_output_finish(), and where SIGINT, SIGTERM or SIGHUP end us, what was there stays. */
bool ctl_output_open(struct ctl_output *o, const char *path);

/* Puts the complete file in its place, for good. False with errno set. */
bool ctl_output_finish(struct ctl_output *o);
void ctl_output_close(struct ctl_output *o);

/* Says why on stderr, but not of a reader who has had enough. Returns EX_IOERR. */
int ctl_output_failed(const char *path, int problem);

/* The end of what goes to standard output: `code`, or EX_IOERR, told. */
int ctl_output_flush(int code);

/* One object, one line, and the end of it: 0, or EX_IOERR, told. */
int ctl_output_json(const json_t *o);

#endif
