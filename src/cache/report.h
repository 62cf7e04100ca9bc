/*
 * How the store is, as the control API and `calloutctl cache stats` say it.
 *
 *   {"entries": {"address": n, "domain": n, …}, "size", "used", "file", "next_expiry"?, "commits",
 *    "committed", "failed", "swept", "evicted", "failing"?}
 *
 * The members of struct store_report; `failing` is the text of store_failing().
 *
 * Threads: any. Ownership: the caller owns the object (json_decref).
 */
#ifndef CACHE_REPORT_H
#define CACHE_REPORT_H

#include <jansson.h>

#include "store/store.h"

/* NULL when the store failed, or out of memory. */
json_t *cache_report(struct store *s);

#endif
