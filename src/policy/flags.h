/*
 * Flags: what an address shows by itself, beside any verdict. Pure.
 *
 * Threads: any.
 */
#ifndef POLICY_FLAGS_H
#define POLICY_FLAGS_H

#include <stdbool.h>

#include "smtp/address.h"

#define ADDRESS_FLAGS(X) \
    X(ROLE, "role")         /* a mailbox of a function, not of a person: RFC 2142, and the like */ \
    X(SMTPUTF8, "smtputf8") /* its local part is not ASCII (RFC 6531) */

enum address_flag {
#define X(id, name) FLAG_##id,
    ADDRESS_FLAGS(X)
#undef X
};
#define ADDRESS_FLAG_COUNT 2

/* As a set: 1 << flag. */
unsigned address_flags(const struct address *a);

const char *address_flag_name(enum address_flag f);

/* postmaster (RFC 5321 section 4.5.1) and abuse (RFC 2142), with or without a +tag. */
bool address_is_contact(const struct address *a);

#endif
