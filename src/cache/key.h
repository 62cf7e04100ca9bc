/*
 * The keys that tables `address` and `due` have of one address.
 *
 * Threads: any.
 */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "callout/record.h"
#include "smtp/address.h"

struct cache_key {
    size_t len;
    uint8_t bytes[RECORD_KEY_SIZE];
};

/* With the usual sender and with the null sender, and the same where capitals tell addresses apart
   and it has some. Returns how many. */
#define CACHE_KEYS_MAX 4
unsigned cache_keys(const struct address *a, struct cache_key out[CACHE_KEYS_MAX]);

#endif
