/*
 * The decision: verdict, class and flags -> action, code, enhanced code and text. Pure. Default
 * actions and codes are the table of calloutd.conf(5); RFC 5321, RFC 3463, RFC 7505.
 *
 * Threads: any; the options are read only.
 */
#ifndef POLICY_DECISION_H
#define POLICY_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/route.h"
#include "callout/verdict.h"
#include "policy/flags.h"
#include "policy/template.h"

#define MAIL_CLASSES(X) \
    X(OUTBOUND, "outbound") /* recipients: authenticated, or the client is in `networks` */ \
    X(INBOUND, "inbound")   /* recipients: the rest */ \
    X(SENDER, "sender")     /* the sender of inbound mail, where it is called out */

enum mail_class {
#define X(id, name) CLASS_##id,
    MAIL_CLASSES(X)
#undef X
};
#define MAIL_CLASS_COUNT 3

#define ACTIONS(X) \
    X(ACCEPT, "accept") \
    X(TEMPFAIL, "tempfail") \
    X(REJECT, "reject")

enum action {
#define X(id, name) ACTION_##id,
    ACTIONS(X)
#undef X
};

/* What is done, by class: filled with the defaults, then by configuration. */
struct decision_opts {
    bool monitor[MAIL_CLASS_COUNT]; /* say what would be done, and accept */
    enum action actions[MAIL_CLASS_COUNT][VERDICT_REASON_COUNT];
    /* Of addresses with a flag; the stricter of this and the reason's action counts. */
    enum action flag_actions[MAIL_CLASS_COUNT][ADDRESS_FLAG_COUNT];
    char reply[VERDICT_REASON_COUNT][TEMPLATE_MAX + 1]; /* templates; "": the text built in */
};

/* Whom a verdict is about, besides what it says. */
struct decision_about {
    enum mail_class mail_class;
    const struct address *address; /* NULL where it has no valid syntax */
    const char *text;              /* what was handed over for one; NULL: nothing */
    const struct route *route;     /* NULL: not routed */
    bool unrefusable;              /* no SMTP client is there to hear of it: accept, and log */
};

struct decision {
    enum action action;           /* what is done: ACCEPT under monitor */
    enum action would;            /* what would be done without monitor; the same otherwise */
    uint16_t code;                /* 0 for accept, 4yz for tempfail, 5yz for reject */
    char enhanced[12];            /* "5.1.1"; "" for accept */
    char text[TEMPLATE_MAX + 32]; /* printable ASCII, one line; "" for accept */
};

const char *mail_class_name(enum mail_class c);
const char *action_name(enum action a);
bool action_parse(const char *name, enum action *out);

/* The contract's default table; monitor false. */
void decision_defaults(struct decision_opts *opts);

/* Sets the action of every reason of a status: the less specific line. */
void decision_set_status(struct decision_opts *opts, enum mail_class c, enum verdict_status s,
                         enum action a);

/* Reasons whose action is accept, as a set (1 << reason): what may be answered stale. `route` is
   the recipient's, or NULL. */
uint64_t decision_accepting(const struct decision_opts *opts, enum mail_class c,
                            const struct route *route);

/*
 * The line of the reason counts, then a flag's where that is stricter. `skipped` is no verdict:
 * always accepted. Where a route's servers are out, the route's `outage` counts instead.
 */
void decision_make(const struct decision_opts *opts, const struct decision_about *about,
                   const struct verdict *v, struct decision *out);

#endif
