/*
 * Mail addresses as an SMTP envelope carries them: RFC 5321 section 4.1.2 syntax, RFC 6531
 * internationalised forms, IDNA2008 domains, the limits 64 / 255 / 254 octets. Pure.
 *
 * Threads: plain values, any thread.
 */
#ifndef SMTP_ADDRESS_H
#define SMTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/netaddr.h"

#define ADDRESS_LOCAL_MAX  64  /* octets of a local part, as written */
#define ADDRESS_DOMAIN_MAX 255 /* octets of a domain */
#define ADDRESS_MAX        254 /* octets of local@domain: a 256-octet path without <> */

struct address {
    char local[ADDRESS_LOCAL_MAX + 1];   /* as it goes on the wire: quoted where it must be */
    char domain[ADDRESS_DOMAIN_MAX + 1]; /* lower-case A-labels, or the literal "[192.0.2.1]" */
    /* The key's form: domain as above, local part unquoted where it can be and ASCII-folded. */
    char canonical[ADDRESS_MAX + ADDRESS_LOCAL_MAX + 2];
    bool smtputf8;          /* the local part is not ASCII: SMTPUTF8 must be offered */
    struct netaddr literal; /* of an address-literal domain; AF_UNSPEC for a name */
};

/*
 * Parses `len` bytes of local@domain in wire form (quoted local parts quoted). On failure *why is
 * a constant, short, lower-case reason ("label longer than 63 octets") and *out is unspecified.
 */
bool address_parse(const char *text, size_t len, struct address *out, const char **why);

/*
 * The same for the unquoted, internal form that Postfix hands to policy services
 * (SMTPD_POLICY_README): the last @ splits, the local part is quoted as needed, one trailing dot of
 * the domain is dropped.
 */
bool address_from_internal(const char *text, size_t len, struct address *out, const char **why);

/* Writes local@domain in wire form; `buf` holds ADDRESS_MAX + 2 bytes at least. */
#define ADDRESS_TEXT_SIZE (ADDRESS_LOCAL_MAX + ADDRESS_DOMAIN_MAX + 2)
void address_format(const struct address *a, char buf[ADDRESS_TEXT_SIZE]);

#endif
