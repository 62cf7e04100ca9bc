/*
 * The name we greet with (RFC 5321 section 4.1.1.1): an FQDN, or an address literal.
 *
 * Threads: none; may ask the system's resolver, and wait for it.
 */
#ifndef CONF_HELO_H
#define CONF_HELO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Checks `name` and writes it as it goes on the wire, in lower case A-labels; finds this host's
 * FQDN where it is empty. False: localhost, a bare name or address, or no name at all. *warning is
 * set when it is an address literal, else NULL.
 */
bool helo_settle(char *name, size_t size, const char **warning, struct error *err);

#endif
