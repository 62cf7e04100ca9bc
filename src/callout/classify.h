/*
 * Reading: outcome -> reason. Pure. Order of trust: stage, enhanced code, text, basic code; doubt
 * falls towards `unknown`, never towards `invalid`. Only a reply about the recipient, at RCPT,
 * makes `invalid`. RFC 5321 section 4.2, RFC 3463, RFC 5248 and the IANA enhanced status code
 * registry.
 *
 * Threads: any.
 */
#ifndef CALLOUT_CLASSIFY_H
#define CALLOUT_CLASSIFY_H

#include "callout/verdict.h"
#include "smtp/outcome.h"

enum verdict_reason classify_outcome(const struct outcome *o);

#endif
