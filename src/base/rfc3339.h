/*
 * Times as text: RFC 3339, in UTC ("2026-03-01T12:00:00Z").
 *
 * Threads: any.
 */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

#define RFC3339_SIZE 32

/* Seconds since the epoch, of the years 1970 to 9999. "" for any other. Returns `out`. */
const char *rfc3339_format(int64_t at, char out[RFC3339_SIZE]);

/* The same in milliseconds, always with three digits of them. */
const char *rfc3339_format_ms(int64_t at_ms, char out[RFC3339_SIZE]);

/* Reads what these write, and no other: "Z" only, no leap seconds. The fraction may be there or
   not; rfc3339_parse() takes none. False, and *at untouched, for everything else. */
bool rfc3339_parse(const char *text, int64_t *at);
bool rfc3339_parse_ms(const char *text, int64_t *at_ms);

#endif
