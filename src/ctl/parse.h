/*
 * calloutctl parse: addresses on a stream, one a line, and what their syntax says of each.
 *
 * Threads: any; touches only the two streams.
 */
#ifndef CTL_PARSE_H
#define CTL_PARSE_H

#include <stdio.h>

/*
 * Writes one line for every line of `in`: "valid<TAB>canonical" (struct address), or
 * "invalid<TAB>why". Lines end in LF (ctl/line); every other octet, CR and NUL too, belongs to the
 * address. Returns 0, or an exit code of sysexits.h (EX_IOERR) when a stream fails.
 */
int ctl_parse(FILE *in, FILE *out);

#endif
