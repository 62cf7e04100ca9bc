/*
 * Bounded string helpers. Nothing here allocates or keeps state.
 *
 * Threads: any.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* Copies NUL-terminated `src`, cutting what does not fit; false when it was cut. size >= 1. */
bool str_copy(char *dst, size_t size, const char *src);

/* The same for `len` bytes that need not be terminated; stops at a NUL byte. */
bool str_copyn(char *dst, size_t size, const char *src, size_t len);

/* snprintf that says whether everything fitted. */
bool str_format(char *dst, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Reduces remote text to one line of printable ASCII: every byte outside 0x20..0x7e becomes '?',
 * tabs and line ends a space. Cut to `size` - 1 bytes. For logs and replies to clients.
 */
void str_printable(char *dst, size_t size, const char *src, size_t len);

/* ASCII case folding in place, independent of the locale. */
void str_lower(char *s);

/* ASCII case-insensitive suffix test: "a.example" ends with ".example". */
bool str_has_suffix(const char *s, const char *suffix);

#endif
