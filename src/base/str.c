#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool str_copyn(char *dst, size_t size, const char *src, size_t len)
{
    size_t n = strnlen(src, len);
    bool fits = n < size;

    if (!fits)
        n = size - 1;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return fits;
}

bool str_copy(char *dst, size_t size, const char *src)
{
    return str_copyn(dst, size, src, strlen(src));
}

bool str_format(char *dst, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(dst, size, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < size;
}

void str_printable(char *dst, size_t size, const char *src, size_t len)
{
    size_t n = len < size ? len : size - 1;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)src[i];

        if (c == '\t' || c == '\r' || c == '\n')
            dst[i] = ' ';
        else
            dst[i] = c >= 0x20 && c <= 0x7e ? (char)c : '?';
    }
    dst[n] = '\0';
}

void str_lower(char *s)
{
    for (; *s != '\0'; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s = (char)(*s - 'A' + 'a');
}

bool str_has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && strcasecmp(s + n - m, suffix) == 0;
}
