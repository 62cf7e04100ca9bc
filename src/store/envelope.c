#include "store/envelope.h"

#include <string.h>
#include <xxhash.h>

#define ENVELOPE_FORMAT 1

static void put_le64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

size_t envelope_seal(uint8_t *buf, const void *payload, size_t len, int64_t expires)
{
    buf[0] = ENVELOPE_FORMAT;
    put_le64(buf + 1, (uint64_t)expires);
    memcpy(buf + 9, payload, len);
    put_le64(buf + 9 + len, XXH3_64bits(buf, 9 + len));
    return len + ENVELOPE_OVERHEAD;
}

bool envelope_open(const uint8_t *buf, size_t size, const uint8_t **payload, size_t *len,
                   int64_t *expires)
{
    if (size < ENVELOPE_OVERHEAD || buf[0] != ENVELOPE_FORMAT ||
        get_le64(buf + size - 8) != XXH3_64bits(buf, size - 8))
        return false;
    *expires = (int64_t)get_le64(buf + 1);
    *payload = buf + 9;
    *len = size - ENVELOPE_OVERHEAD;
    return true;
}
