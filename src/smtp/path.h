/*
 * The paths of MAIL FROM and RCPT TO as MTAs hand them over: RFC 5321 section 4.1.2 Path, with or
 * without its brackets, with a source route or none. Pure.
 *
 * Threads: any.
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include <stddef.h>

#include "smtp/address.h"

enum path_kind {
    PATH_ADDRESS, /* *out is filled */
    PATH_NULL,    /* "<>" or "": the null sender */
    PATH_LOCAL,   /* no domain: a user of the MTA's own */
    PATH_BAD,     /* *why says what is wrong, and out->domain holds what is behind the last @ */
};

/*
 * Reads "<user@domain>", "user@domain", "<@a,@b:user@domain>" (RFC 5321 appendix C: the route is
 * left out), "<user>"; one trailing dot of the domain is dropped.
 */
enum path_kind path_parse(const char *text, size_t len, struct address *out, const char **why);

/* What is between the brackets, where there are any; returns its length, with *text there. */
size_t path_inside(const char **text, size_t len);

#endif
