/*
 * Lines of a stream, for the subcommands that answer each line by one of their own.
 *
 * Threads: any; touches only the stream.
 */
#ifndef CTL_LINE_H
#define CTL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CTL_LINE_MAX 4096 /* octets of a line; the rest of a longer one is skipped */

/*
 * Reads one line without its LF into `line`, at most CTL_LINE_MAX octets; *len is the number of
 * octets that there were, up to one more. The last line may lack its LF. False at the end of the
 * stream.
 */
bool ctl_line_read(FILE *in, char line[CTL_LINE_MAX], size_t *len);

#endif
