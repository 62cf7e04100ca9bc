/*
 * Exempt maps: who is never called out. A plain file, one pattern a line; "#" begins a comment, and
 * empty lines count for nothing. For recipients and senders:
 *
 *   user@example.com   this address           @example.com   every address in this domain
 *   .example.com       every address in its subdomains        <>   the null sender
 *
 * and for clients an IP address or a network (192.0.2.0/24, 2001:db8::/32).
 *
 * Threads: any; a map is immutable once made.
 */
#ifndef POLICY_EXEMPT_H
#define POLICY_EXEMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "smtp/address.h"

#define EXEMPT_FILE_MAX (16U * 1024 * 1024) /* octets of a file */

enum exempt_kind {
    EXEMPT_ADDRESSES, /* recipients, senders */
    EXEMPT_CLIENTS,
};

struct exempt;

/*
 * Reads `len` octets of a file's text. NULL when a line is bad or memory is out; *line is the
 * line's number then (0: none), and err what is wrong with it.
 */
struct exempt *exempt_parse(enum exempt_kind kind, const char *text, size_t len, unsigned *line,
                            struct error *err);
void exempt_free(struct exempt **e); /* sets *e to NULL; NULL is allowed */

/* A NULL map is empty. `a` NULL is the null sender. */
bool exempt_has_address(const struct exempt *e, const struct address *a);

/* `ip` is text; what is no IP address is in no map. */
bool exempt_has_client(const struct exempt *e, const char *ip);

#endif
