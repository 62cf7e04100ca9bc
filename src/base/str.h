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

/*
 * Length of the UTF-8 character at `p`, of which `n` >= 1 bytes are there; 0 when it is none: RFC
 * 3629 section 4, which leaves out overlong forms, surrogates and what is above U+10FFFF.
 */
size_t str_utf8_length(const unsigned char *p, size_t n);

/*
 * The same reduction for what people are to read in their own script: UTF-8 characters stay, but
 * for control characters. For logs and terminals; a cut falls between characters.
 */
void str_readable(char *dst, size_t size, const char *src, size_t len);

/* Where `name` stands in a list of names; `count` when it does not. */
size_t str_find(const char *const *names, size_t count, const char *name);

/* ASCII case folding in place, independent of the locale. */
void str_lower(char *s);

/* ASCII case-insensitive suffix test: "a.example" ends with ".example". */
bool str_has_suffix(const char *s, const char *suffix);

/* For texts that are kept in one piece: what one takes, with its end (0 for NULL); and its copy at
 *at, which is moved behind it (NULL for NULL). */
size_t str_size(const char *text);
const char *str_put(char **at, const char *text);

#endif
