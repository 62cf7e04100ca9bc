#include "callout/codec.h"

#include <endian.h>
#include <string.h>

#define ENHANCED_PART_MAX 999 /* RFC 3463 section 2 */

void codec_put_bytes(struct codec_writer *w, const void *src, size_t n)
{
    if (!w->ok || n > w->left) {
        w->ok = false;
        return;
    }
    memcpy(w->at, src, n);
    w->at += n;
    w->left -= n;
}

void codec_put_uint(struct codec_writer *w, uint64_t value, size_t octets)
{
    uint8_t le[8];

    for (size_t i = 0; i < octets; i++)
        le[i] = (uint8_t)(value >> (8 * i));
    codec_put_bytes(w, le, octets);
}

void codec_put_enhanced(struct codec_writer *w, const struct enhanced_code *e)
{
    codec_put_uint(w, e->cls, 1);
    codec_put_uint(w, e->subject, 2);
    codec_put_uint(w, e->detail, 2);
}

void codec_put_string(struct codec_writer *w, const char *s, size_t size)
{
    size_t n = strnlen(s, size - 1);

    codec_put_uint(w, n, 2);
    codec_put_bytes(w, s, n);
}

void codec_get_bytes(struct codec_reader *r, void *dst, size_t n)
{
    if (!r->ok || n > r->left) {
        r->ok = false;
        return;
    }
    memcpy(dst, r->at, n);
    r->at += n;
    r->left -= n;
}

uint64_t codec_get_uint(struct codec_reader *r, size_t octets, uint64_t max)
{
    uint64_t value = 0;

    r->ok = r->ok && octets <= r->left;
    if (!r->ok)
        return 0;
    for (size_t i = octets; i-- > 0;)
        value = value << 8 | r->at[i];
    r->at += octets;
    r->left -= octets;
    r->ok = value <= max;
    return r->ok ? value : 0;
}

int64_t codec_get_time(struct codec_reader *r)
{
    uint64_t le;

    r->ok = r->ok && sizeof(le) <= r->left;
    if (!r->ok)
        return 0;
    memcpy(&le, r->at, sizeof(le));
    r->at += sizeof(le);
    r->left -= sizeof(le);
    r->ok = le64toh(le) <= INT64_MAX;
    return r->ok ? (int64_t)le64toh(le) : 0;
}

void codec_get_enhanced(struct codec_reader *r, struct enhanced_code *out)
{
    out->cls = (uint8_t)codec_get_uint(r, 1, 5);
    out->subject = (uint16_t)codec_get_uint(r, 2, ENHANCED_PART_MAX);
    out->detail = (uint16_t)codec_get_uint(r, 2, ENHANCED_PART_MAX);
}

void codec_get_string(struct codec_reader *r, char *dst, size_t size)
{
    size_t n = (size_t)codec_get_uint(r, 2, size - 1);

    codec_get_bytes(r, dst, n);
    if (r->ok && memchr(dst, '\0', n) != NULL)
        r->ok = false;
    if (r->ok)
        dst[n] = '\0';
}
