/*
 * Who asks, and which domains are never called out. Pure.
 *
 * Threads: any; the options are read only.
 */
#ifndef POLICY_CLASS_H
#define POLICY_CLASS_H

#include <stdbool.h>

#include "policy/policy.h"

/* What a frontend knows of its client. NULL or "" stands for what it does not know. */
struct mail_client {
    const char *sasl_username;
    const char *ccert_fingerprint; /* of a client certificate: submission without SASL */
    const char *address;           /* IP address, text; anything else is in no network */
};

/* Outbound: authenticated either way, or from one of `networks`. */
enum mail_class mail_class_of(const struct policy_opts *opts, const struct mail_client *client);

/* Whether `domain` (struct address) is one of `local_domains`; no wildcards, no parents. */
bool domain_is_local(const struct policy_opts *opts, const char *domain);

#endif
