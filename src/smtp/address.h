/*
 * Mail addresses as an SMTP envelope carries them: RFC 5321 section 4.1.2 syntax, RFC 6531
 * internationalised forms, U-labels by IDNA2008 (ASCII labels are taken as they are), the limits
 * 64 / 255 / 254 octets. Pure.
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
    /*
     * The key's form, itself valid on the wire: domain as above, local part ASCII-folded, and
     * quoted only where no dot-string says the same, with no escape more than needed. It is never
     * longer than local@domain. "a"@example.com and A@EXAMPLE.COM are one.
     */
    char canonical[ADDRESS_MAX + 1];
    bool smtputf8;          /* the local part is not ASCII: SMTPUTF8 must be offered */
    struct netaddr literal; /* of an address-literal domain; AF_UNSPEC for a name */
};

/*
 * Parses `len` bytes of local@domain in wire form (quoted local parts quoted). On failure *why is
 * a constant, short, lower-case reason ("label longer than 63 octets") and *out is unspecified.
 *
 * Where the standards leave room: a domain of one label and one of digits only are valid; a U-label
 * may be written in any form that UTS 46 maps to one (capitals, full width), but only U+002E
 * separates labels; of address literals only the registered kinds (IPv4, IPv6) are valid, leading
 * zeros are decimal, "::" may stand for one group; the limits hold both as written and in A-labels.
 */
bool address_parse(const char *text, size_t len, struct address *out, const char **why);

/*
 * The same for the unquoted, internal form that Postfix hands to policy services
 * (SMTPD_POLICY_README): the last @ splits, the local part is quoted as needed, one trailing dot of
 * the domain is dropped. Fails only where no quoting makes it valid.
 */
bool address_from_internal(const char *text, size_t len, struct address *out, const char **why);

/*
 * Reads `len` bytes of a host name: a domain as an address has it, into lower-case A-labels. False
 * for everything else, for address literals, and for what ends in a number: it is an address, or
 * meant for one (10.0.0.500, or digits of another script).
 */
bool address_host_parse(const char *text, size_t len, char out[ADDRESS_DOMAIN_MAX + 1]);

/* What stands behind the @: a name, into lower-case A-labels, or an address literal. *why as above.
 */
bool address_domain_parse(const char *text, size_t len, char out[ADDRESS_DOMAIN_MAX + 1],
                          const char **why);

/* Makes the canonical form tell capitals from small letters in the local part: A@example.com and
   a@example.com are two. */
void address_keep_case(struct address *a);

/* Writes local@domain in wire form. */
#define ADDRESS_TEXT_SIZE (ADDRESS_MAX + 1)
void address_format(const struct address *a, char buf[ADDRESS_TEXT_SIZE]);

#endif
