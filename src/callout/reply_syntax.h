/*
 * How the small parts of a reply rule are written: stages, codes, enhanced codes, replies in one
 * line. For replies.conf and for calloutctl classify. Pure.
 *
 * Threads: any.
 */
#ifndef CALLOUT_REPLY_SYNTAX_H
#define CALLOUT_REPLY_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "callout/reply_rules.h"
#include "smtp/outcome.h"

/* "rcpt", "mail", ... (SMTP_STAGES); `len` octets that need not be terminated. */
bool reply_stage_parse(const char *name, size_t len, enum smtp_stage *out);

/* "550", or "5yz" for all of them; 200 to 599. On failure err is "is no code: ...". */
bool reply_code_parse(const char *text, struct reply_code_range *out, struct error *err);

/* "5.1.1", "x.1.1", "5.7.*", "x.2.*", or "none". On failure err is "is no enhanced code: ...". */
bool reply_enhanced_parse(const char *text, struct reply_enhanced *out, struct error *err);

/*
 * A whole reply in one line without its end, "550 5.1.1 text" or "550-5.1.1 text", read as
 * smtp/reply reads it from the wire. On failure err is why: "line without a reply code".
 */
bool reply_line_parse(const char *text, size_t len, struct smtp_reply *out, struct error *err);

/*
 * A rule's example: such a reply, perhaps with its stage before it, "mail: 550 5.7.1 text". The
 * stage must be one of the rule's (`stages`: struct reply_rule). Where none is written it is `rcpt`
 * if the rule has that, else the rule's first in the order of the dialogue. On failure err is "is
 * ...".
 */
bool reply_example_parse(const char *text, unsigned stages, enum smtp_stage *stage,
                         struct smtp_reply *out, struct error *err);

#endif
