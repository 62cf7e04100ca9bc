/*
 * Reply rules in one line each, for tests of what reads by them.
 *
 * Threads: the test's.
 */
#ifndef RULES_RIG_H
#define RULES_RIG_H

#include <stddef.h>

#include "callout/reply_rules.h"

#define RIG_RCPT (1u << SMTP_STAGE_RCPT)
#define RIG_MAIL (1u << SMTP_STAGE_MAIL)

/* As in replies.conf; lists are words with blanks between them. NULL or 0: not given. */
struct rig_rule {
    const char *name;
    unsigned stages;
    const char *codes, *enhanced, *providers, *pattern;
    enum verdict_reason reason;
};

/* What is no code, enhanced code or pattern fails the test; else as reply_rules_add(). */
bool rig_add(struct reply_rules *r, const struct rig_rule *one, struct error *err);

/* A set of these, all of which have to be taken. */
struct reply_rules *rig_rules(const struct rig_rule *rules, size_t count);

/* "550 5.1.1 text" as it is read from the wire; the test fails where it is no reply. */
struct smtp_reply rig_reply(const char *line);

#endif
