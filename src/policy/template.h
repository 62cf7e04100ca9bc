/*
 * Reply templates: text sent to mail clients, with variables %{name} in it; "%%" is a percent sign.
 *
 * Threads: any. Pure.
 */
#ifndef POLICY_TEMPLATE_H
#define POLICY_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* id, name */
#define TEMPLATE_VARIABLES(X) \
    X(RECIPIENT, "recipient") \
    X(DOMAIN, "domain") \
    X(STATUS, "status") \
    X(REASON, "reason") \
    X(REMOTE_REPLY, "remote_reply") \
    X(MX, "mx")

enum template_variable {
#define X(id, name) TEMPLATE_##id,
    TEMPLATE_VARIABLES(X)
#undef X
        TEMPLATE_VARIABLE_COUNT
};

#define TEMPLATE_MAX \
    400 /* octets of a template, and of what it comes to; RFC 5321 lines are 512 \
         */

/* False with err "has no such variable: ...", "is longer than ...", "is empty". Templates are
   printable ASCII. */
bool template_check(const char *text, struct error *err);

/*
 * Writes the text with `values` (by enum template_variable; NULL is "") in place, reduced to one
 * line of printable ASCII and cut to `size` - 1 octets. The template was checked.
 */
void template_expand(const char *text, const char *const values[TEMPLATE_VARIABLE_COUNT], char *out,
                     size_t size);

#endif
