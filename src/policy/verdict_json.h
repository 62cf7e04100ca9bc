/*
 * A verdict as the JSON object of the HTTP API and of `calloutctl check --json`. Absent facts are
 * left out, never invented. Times are RFC 3339 UTC; remote text is printable ASCII.
 *
 * Threads: any. Ownership: the caller owns the object (json_decref).
 */
#ifndef POLICY_VERDICT_JSON_H
#define POLICY_VERDICT_JSON_H

#include <jansson.h>

#include "callout/verdict.h"
#include "policy/policy.h"

/*
 * `asked` is what was asked about, `address` NULL where that has no valid syntax, `detail` a reason
 * for that or NULL. NULL when out of memory.
 */
json_t *verdict_json(const struct policy_opts *opts, const char *asked,
                     const struct address *address, const char *detail, const struct verdict *v);

/* Puts a time, in seconds since the epoch, into `o`, if it is one: 0 is none. */
void verdict_json_time(json_t *o, const char *key, int64_t at);

#endif
