/*
 * A recipient of a mail, from what a frontend was told to the decision: class, exemptions, brake,
 * the sender's callout where that is wanted, the recipient's own, the decision and its log line.
 * The same for every door, so that they answer the same.
 *
 * Threads: any; each struct rcpt is its caller's until it is decided. The options in force at the
 * beginning count to the end.
 */
#ifndef POLICY_RCPT_H
#define POLICY_RCPT_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/verifier.h"
#include "policy/class.h"
#include "policy/policy.h"
#include "smtp/path.h"

/* What all recipients of the daemon share; borrowed. */
struct rcpt_env {
    struct policy *policy;
    struct verifier *verifier;
    struct brake *brake;
};

struct rcpt;

/* Fires on the loop given, once; the rcpt, which has the decision in it, is free to be used again,
   or freed. */
typedef void (*rcpt_cb)(void *arg, const struct decision *d);

/* Reads a sender in the form in which the frontend has it. */
typedef enum path_kind (*rcpt_read_fn)(const char *text, struct address *out);

/*
 * Filled by the frontend, whose strings and addresses stay where they are until it is decided.
 * NULL and "" stand for what is not known.
 */
struct rcpt {
    struct mail_client client;
    const char *queue_id;
    bool unrefusable;              /* the mail did not come by SMTP: accept, and log */
    bool own;                      /* the MTA's own recipient: not called out, but by a route */
    const char *sender;            /* as it was handed over; NULL: there was none */
    rcpt_read_fn read_sender;      /* called where the sender counts: most is decided without */
    const char *text;              /* the recipient as it was handed over, for the log */
    const struct address *address; /* NULL: no quoting makes an address of the text */
    const char *domain;            /* where there is none: what is behind the last @ */

    /* Private from here on. */
    const struct rcpt_env *env;
    const struct policy_opts *opts;
    char key[ADDRESS_DOMAIN_MAX + 1]; /* `domain`, as routes have it, where that counts */
    const struct route *route;        /* NULL: none */
    enum path_kind sender_kind;       /* PATH_BAD also where nobody needs to know */
    struct address sender_address;    /* of PATH_ADDRESS */
    enum mail_class mail_class;
    bool braked;
    int64_t now, deadline; /* clock_mono_ms: when something last happened, and of the answer */
    struct loop *on;
    rcpt_cb cb;
    void *arg;
    struct decision decision;
};

/*
 * The decision, in `r`, and cb is never called. NULL: cb fires exactly once, later, on the loop
 * `on`, within the longest wait.
 */
const struct decision *rcpt_decide(struct rcpt *r, const struct rcpt_env *env, struct loop *on,
                                   rcpt_cb cb, void *arg);

#endif
