/*
 * A fast hash of bytes: for keys and checksums, not for secrets. XXH3; its values may be stored.
 *
 * Threads: any.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t len);

#endif
