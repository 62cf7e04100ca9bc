/*
 * What the store wraps every value in: a checksum over key and value, and the expiry time. Pure.
 *
 * Threads: any.
 */
#ifndef STORE_ENVELOPE_H
#define STORE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_SIZE 17 /* bytes put before a value */

/* A run of bytes, borrowed. */
struct bytes {
    const void *data;
    size_t len;
};

enum envelope_result {
    ENVELOPE_OK,
    ENVELOPE_EXPIRED,
    ENVELOPE_BAD, /* too short, of another version, damaged, or another key's */
};

/* Writes ENVELOPE_SIZE + value.len bytes to `out`. `expires`: seconds since the epoch. */
void envelope_seal(struct bytes key, struct bytes value, int64_t expires, uint8_t *out);

/* False when it is damaged, or another key's. */
bool envelope_expires(struct bytes key, struct bytes sealed, int64_t *expires);

/* On ENVELOPE_OK *value points into `sealed`. Expired: `expires` <= `now`. */
enum envelope_result envelope_open(struct bytes key, struct bytes sealed, int64_t now,
                                   struct bytes *value);

#endif
