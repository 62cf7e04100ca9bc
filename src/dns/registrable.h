/*
 * The registrable domain of a host name: its longest public suffix and one label more, by the
 * Public Suffix List (publicsuffix.org). Hosts that share it are run by one owner. Fences libpsl.
 *
 * Threads: any.
 */
#ifndef DNS_REGISTRABLE_H
#define DNS_REGISTRABLE_H

#include <stdbool.h>
#include <stddef.h>

/* `host` in lower-case A-labels. False when it has none: it is a public suffix itself, or no name;
   or when it does not fit. */
bool registrable_domain(const char *host, char *out, size_t size);

#endif
