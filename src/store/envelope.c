/*
 * sealed  = checksum version expires value
 * checksum: 8 octets, XXH3 of all that follows, seeded with the XXH3 of the key, so that a value
 *           that surfaces under another key is no value
 * version : 1 octet
 * expires : 8 octets, two's complement
 * Numbers are little-endian: a store may move to another machine.
 */
#include "store/envelope.h"

#include <endian.h>
#include <string.h>
#include <xxhash.h>

#include "store/store.h"

#define ENVELOPE_VERSION 1
#define AT_VERSION       8
#define AT_EXPIRES       9

static void put_le64(uint8_t *out, uint64_t n)
{
    n = htole64(n);
    memcpy(out, &n, sizeof(n));
}

static uint64_t get_le64(const uint8_t *in)
{
    uint64_t n;

    memcpy(&n, in, sizeof(n));
    return le64toh(n);
}

static uint64_t checksum(struct bytes key, const uint8_t *sealed, size_t len)
{
    return XXH3_64bits_withSeed(sealed + AT_VERSION, len - AT_VERSION,
                                XXH3_64bits(key.data, key.len));
}

void envelope_seal(struct bytes key, struct bytes value, int64_t expires, uint8_t *out)
{
    out[AT_VERSION] = ENVELOPE_VERSION;
    put_le64(out + AT_EXPIRES, (uint64_t)expires);
    if (value.len > 0)
        memcpy(out + ENVELOPE_SIZE, value.data, value.len);
    put_le64(out, checksum(key, out, ENVELOPE_SIZE + value.len));
}

bool envelope_expires(struct bytes key, struct bytes sealed, int64_t *expires)
{
    const uint8_t *in = sealed.data;

    if (sealed.len < ENVELOPE_SIZE || sealed.len > ENVELOPE_SIZE + STORE_VALUE_MAX ||
        in[AT_VERSION] != ENVELOPE_VERSION || get_le64(in) != checksum(key, in, sealed.len))
        return false;
    *expires = (int64_t)get_le64(in + AT_EXPIRES);
    return true;
}

enum envelope_result envelope_open(struct bytes key, struct bytes sealed, int64_t now,
                                   struct bytes *value)
{
    int64_t expires;

    if (!envelope_expires(key, sealed, &expires))
        return ENVELOPE_BAD;
    if (expires <= now)
        return ENVELOPE_EXPIRED;
    *value =
        (struct bytes){(const uint8_t *)sealed.data + ENVELOPE_SIZE, sealed.len - ENVELOPE_SIZE};
    return ENVELOPE_OK;
}
