/*
 * What surrounds a value on disk: format, expiry and a checksum over all of it. Pure.
 *
 *   value = format (1 octet) | expires (8, seconds, little-endian) | payload | XXH3-64 (8, l.-e.)
 *
 * Threads: any.
 */
#ifndef STORE_ENVELOPE_H
#define STORE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_OVERHEAD 17

/* Writes the enveloped payload to `buf`, which holds len + ENVELOPE_OVERHEAD octets. */
size_t envelope_seal(uint8_t *buf, const void *payload, size_t len, int64_t expires);

/* False when damaged. *payload points into `buf`. */
bool envelope_open(const uint8_t *buf, size_t size, const uint8_t **payload, size_t *len,
                   int64_t *expires);

#endif
