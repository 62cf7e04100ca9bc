/*
 * The decision: verdict and class -> action, code, enhanced code and text. Pure. Default actions
 * and codes are the table of calloutd.conf(5); RFC 5321, RFC 3463, RFC 7505.
 *
 * Threads: any; the options are read only.
 */
#ifndef POLICY_DECISION_H
#define POLICY_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/verdict.h"

#define MAIL_CLASSES(X) \
    X(OUTBOUND, "outbound") /* authenticated, or the client is in `networks` */ \
    X(INBOUND, "inbound")   /* the rest */

enum mail_class {
#define X(id, name) CLASS_##id,
    MAIL_CLASSES(X)
#undef X
};
#define MAIL_CLASS_COUNT 2

#define ACTIONS(X) \
    X(ACCEPT, "accept") \
    X(TEMPFAIL, "tempfail") \
    X(REJECT, "reject")

enum action {
#define X(id, name) ACTION_##id,
    ACTIONS(X)
#undef X
};

/* The action of every reason in every class: filled with the defaults, then by configuration. */
struct decision_opts {
    bool monitor; /* say what would be done, and accept */
    enum action actions[MAIL_CLASS_COUNT][VERDICT_REASON_COUNT];
};

struct decision {
    enum action action; /* what is done: ACCEPT under monitor */
    enum action would;  /* what would be done without monitor; the same otherwise */
    uint16_t code;      /* 0 for accept, 4yz for tempfail, 5yz for reject */
    char enhanced[12];  /* "5.1.1"; "" for accept */
    char text[256];     /* printable ASCII, one line, names no remote host; "" for accept */
};

const char *mail_class_name(enum mail_class c);
const char *action_name(enum action a);
bool action_parse(const char *name, enum action *out);

/* The contract's default table; monitor false. */
void decision_defaults(struct decision_opts *opts);

/*
 * Sets the action of every reason of a status: the less specific line. But for `skipped`: who is
 * never called out (local_domains, inbound mail) is not meant by "unknown = tempfail".
 */
void decision_set_status(struct decision_opts *opts, enum mail_class c, enum verdict_status s,
                         enum action a);

/* Reasons whose action is accept, as a set (1 << reason): what may be answered stale. */
uint64_t decision_accepting(const struct decision_opts *opts, enum mail_class c);

void decision_make(const struct decision_opts *opts, enum mail_class c, const struct verdict *v,
                   struct decision *out);

#endif
