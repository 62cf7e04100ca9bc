/*
 * Records as bytes, field by field: integers little-endian, times in seconds since the epoch and
 * never negative, enhanced codes as u8 class, u16 subject, u16 detail, strings with a u16 of length
 * before them and without NUL. What does not fit or is not there is remembered, and told once by
 * `ok`.
 *
 * Threads: plain values.
 */
#ifndef CALLOUT_CODEC_H
#define CALLOUT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/reply.h"

struct codec_writer {
    uint8_t *at;
    size_t left;
    bool ok;
};

struct codec_reader {
    const uint8_t *at;
    size_t left;
    bool ok;
};

void codec_put_bytes(struct codec_writer *w, const void *src, size_t n);
void codec_put_uint(struct codec_writer *w, uint64_t value, size_t octets);
void codec_put_enhanced(struct codec_writer *w, const struct enhanced_code *e);

/* At most size - 1 octets of `s`. */
void codec_put_string(struct codec_writer *w, const char *s, size_t size);

void codec_get_bytes(struct codec_reader *r, void *dst, size_t n);

/* A value of `octets` octets, at most `max`; 0 when there is none. */
uint64_t codec_get_uint(struct codec_reader *r, size_t octets, uint64_t max);

int64_t codec_get_time(struct codec_reader *r);
void codec_get_enhanced(struct codec_reader *r, struct enhanced_code *out);

/* Into `dst` of `size`. */
void codec_get_string(struct codec_reader *r, char *dst, size_t size);

#endif
