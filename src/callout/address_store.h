/*
 * Address records in the store: what store/store keeps as bytes, as records.
 *
 * Threads: any; the store has its own locks. A NULL store is empty and takes nothing.
 */
#ifndef CALLOUT_ADDRESS_STORE_H
#define CALLOUT_ADDRESS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/recall.h"
#include "callout/record.h"
#include "smtp/address.h"
#include "store/store.h"

/* False when there is none that lives at `now`. A damaged record is none, and a log line. For
   `null_sender` see record_key(). */
bool address_store_get(struct store *s, const struct address *a, bool null_sender, int64_t now,
                       struct record *out);

/* As store_put(); the record lives until its verdict's expires_at. */
bool address_store_put(struct store *s, const struct address *a, bool null_sender,
                       const struct record *r, store_done done, void *arg);

/* Get and recall_judge() in one: what the store answers for an address now. */
enum recall address_store_recall(struct store *s, const struct address *a, bool null_sender,
                                 uint64_t stale_ok, bool want_catch_all, struct verdict *out);

#endif
