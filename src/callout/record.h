/*
 * What the store keeps of an address, as bytes: a verdict with its evidence and times, versioned
 * and bounds-checked. Pure. The checksum is the store's.
 *
 * Threads: any.
 */
#ifndef CALLOUT_RECORD_H
#define CALLOUT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callout/verdict.h"
#include "smtp/address.h"

#define RECORD_VERSION  2 /* another one is a miss, so what was known is asked again */
#define RECORD_SIZE_MAX 2048

struct record {
    struct verdict verdict; /* source is as it was learned (probe, dns, ...), ms not stored */
    /*
     * A refresh that failed, or that is yet to be confirmed, leaves the verdict as it is and is
     * noted here: no new attempt before retry_at; `noted` is what that attempt came to. retry_at 0:
     * none, and `noted` is the verdict's reason.
     */
    int64_t retry_at;
    enum verdict_reason noted;
};

/* Encodes; returns the length, or 0 when `size` is too small (RECORD_SIZE_MAX always suffices). */
size_t record_encode(const struct record *r, uint8_t *buf, size_t size);

/* False for anything that is not a whole, well-formed record of a known version. */
bool record_decode(const uint8_t *buf, size_t len, struct record *out);

/*
 * The store key of an address: domain, NUL, the canonical form's local part, so that one domain is
 * one range; one more NUL where it was asked about with the null sender though that is not the
 * usual one, for then the answer may be another. Returns its length, far below STORE_KEY_MAX. `buf`
 * holds RECORD_KEY_SIZE bytes.
 */
#define RECORD_KEY_SIZE (ADDRESS_MAX + 1)
size_t record_key(const struct address *a, bool null_sender, uint8_t buf[RECORD_KEY_SIZE]);

#endif
