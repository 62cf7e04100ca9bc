/*
 * What is kept of domains and destinations: the store, and before it what was kept lately, so that
 * it is known at once and not only when it is committed, and that something is known where there is
 * no store.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_KEEP_H
#define CALLOUT_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define KEEP_KEY_MAX   300
#define KEEP_VALUE_MAX 1024

struct keep;

/* `store` is borrowed, and may be NULL. Of what was kept lately at most `max`, the oldest make
   room. NULL: out of memory. */
struct keep *keep_new(struct store *store, unsigned max);
void keep_free(struct keep **k); /* sets *k to NULL; NULL is allowed */

/* As store_put(), at most of the lengths above; what does not fit is not kept. */
void keep_put(struct keep *k, enum store_table table, const void *key, size_t key_len,
              const void *value, size_t value_len, int64_t expires);

/* Copies the value into buf, which holds KEEP_VALUE_MAX. False when there is none that lives at
   `now`. */
bool keep_get(struct keep *k, enum store_table table, const void *key, size_t key_len, int64_t now,
              void *buf, size_t *len);

/* What is kept in memory of keys that begin with `prefix` is read from the store again. */
void keep_reread(struct keep *k, enum store_table table, const void *prefix, size_t prefix_len);

#endif
