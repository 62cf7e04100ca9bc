/*
 * How replies are read: ordered rules, of which the first that fits decides. They come from
 * replies.conf (conf/), as data that an admin can see, change and test.
 *
 * A rule fits when everything it names fits: provider, stage, code, enhanced code, pattern. What it
 * does not name fits always. Not everything can be said by a rule: see reply_rules_add().
 *
 * Threads: any. A set is filled by one thread, and immutable from its second reference on; the last
 * reply_rules_unref() frees it. Rules are borrowed from their set.
 */
#ifndef CALLOUT_REPLY_RULES_H
#define CALLOUT_REPLY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "callout/pattern.h"
#include "callout/verdict.h"
#include "smtp/address.h"
#include "smtp/outcome.h"

#define REPLY_RULES_MAX     1000
#define REPLY_RULE_LIST_MAX 16 /* codes, enhanced codes, providers of one rule */

/* "550": low and high are the same; "5yz": 500 to 599. */
struct reply_code_range {
    uint16_t low, high;
};

#define REPLY_ENHANCED_ANY UINT16_MAX

/* "5.1.1", "x.1.1", "5.7.*", "x.2.*"; "none", a reply without one: everything 0. */
struct reply_enhanced {
    uint16_t cls, subject, detail; /* each perhaps REPLY_ENHANCED_ANY */
};

struct reply_rule {
    char name[VERDICT_RULE_SIZE]; /* [a-z0-9-]+; unique */
    unsigned stages;              /* set of 1 << enum smtp_stage; 0: any */
    size_t code_count;            /* 0: any */
    struct reply_code_range codes[REPLY_RULE_LIST_MAX];
    size_t enhanced_count; /* 0: any, or none */
    struct reply_enhanced enhanced[REPLY_RULE_LIST_MAX];
    size_t provider_count; /* 0: any, or none */
    char providers[REPLY_RULE_LIST_MAX][VERDICT_PROVIDER_SIZE];
    struct pattern *pattern; /* NULL: any text */
    enum verdict_reason reason;
};

struct reply_rules;

/* An empty set with one reference; NULL when out of memory. */
struct reply_rules *reply_rules_new(void);
struct reply_rules *reply_rules_ref(struct reply_rules *r);
void reply_rules_unref(struct reply_rules **r); /* sets *r to NULL; NULL is allowed */

/*
 * Behind the others; takes over the rule's pattern, also when it fails. Refused, with a message for
 * "rule NAME: message": a name that is none or was given before; a reason that no reply can tell
 * (`pending`, `delivered`, ...); and what must not be said by rule, so that no file makes a good
 * recipient invalid:
 *  - an `invalid` reason that is not bound to stage `rcpt` and to codes of 5yz; but `no_domain` may
 *    have 4yz too, for that is how Postfix denies relaying by default;
 *  - a `valid` reason that is not bound to stage `rcpt`, and to 2yz; `mailbox_full` to 4yz or 5yz.
 */
bool reply_rules_add(struct reply_rules *r, const struct reply_rule *rule, struct error *err);

/* The bounds above, of one reply: may one of this code at this stage tell that? */
bool reply_may_tell(enum smtp_stage stage, uint16_t code, enum verdict_reason reason);

/*
 * The first rule that fits; NULL where none does. `provider` may be "". Of the text the rules see
 * `recipient` (the address asked about, as said; NULL: not known) and every word that holds an @ as
 * "@": an address may be named anything, by anybody.
 */
const struct reply_rule *reply_rules_find(const struct reply_rules *r, enum smtp_stage stage,
                                          const struct smtp_reply *reply, const char *provider,
                                          const struct address *recipient);

size_t reply_rules_count(const struct reply_rules *r);

#endif
