/*
 * Who is asked what: the options behind every frontend's decision, and the one way from a recipient
 * and a client to a verdict.
 *
 * Threads: the options are immutable once in use; a reload makes new ones.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"
#include "policy/decision.h"

struct policy_opts {
    struct decision_opts decision;
    int64_t wait_ms; /* longest a client is kept waiting */
    size_t network_count;
    struct cidr *networks; /* clients whose mail is outbound */
    size_t local_domain_count;
    char **local_domains; /* lower-case A-labels; never called out */
};

#endif
