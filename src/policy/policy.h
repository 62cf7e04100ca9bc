/*
 * Who is asked what: the options behind every frontend's decision, and who holds those in force.
 *
 * Threads: the options are immutable once they are in force, and counted: who decides about a
 * recipient keeps a reference until it is decided. A reload makes new ones.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"
#include "callout/route.h"
#include "policy/brake.h"
#include "policy/decision.h"
#include "policy/exempt.h"

/* When made-up recipients are asked about, to learn whether a domain accepts everything. */
#define CATCH_ALL_TESTS(X) \
    X(AUTO, "auto") /* where the answer could change the action, or is asked for */ \
    X(ALWAYS, "always") \
    X(NEVER, "never")

enum catch_all_test {
#define X(id, name) CATCH_ALL_TEST_##id,
    CATCH_ALL_TESTS(X)
#undef X
};

struct policy_opts {
    atomic_uint references;
    struct decision_opts decision;
    int64_t wait_ms; /* longest a client is kept waiting */
    size_t network_count;
    struct cidr *networks; /* clients whose mail is outbound */
    size_t local_domain_count;
    char **local_domains;       /* lower-case A-labels; never called out */
    struct route_table *routes; /* one reference; NULL: none */
    struct exempt *exempt_recipients, *exempt_senders, *exempt_clients; /* NULL: none */
    struct brake_opts brake;
    bool sender_callout;                    /* inbound MAIL FROM is called out, too */
    char own_senders[2][ADDRESS_TEXT_SIZE]; /* of our callouts: the usual one and the fallback,
                                               canonical; "": the null sender, or none */
    enum catch_all_test catch_all_test;
    bool fold_local_part; /* Bob@example.com and bob@example.com are one */
};

/* With the default actions, and nothing else; one reference. NULL when out of memory. */
struct policy_opts *policy_opts_new(void);
void policy_opts_unref(const struct policy_opts *o); /* NULL is allowed */

/* The options in force. */
struct policy;

/* Takes one reference of its own. NULL when out of memory. */
struct policy *policy_new(const struct policy_opts *o);
void policy_free(struct policy **p);

/* For those who decide from now on. */
void policy_set(struct policy *p, const struct policy_opts *o);

/* A reference, for the caller to give back with policy_opts_unref(). */
const struct policy_opts *policy_get(struct policy *p);

#endif
