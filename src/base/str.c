#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool copy(char *dst, size_t size, const char *src, size_t len)
{
    bool fits = len < size;

    if (!fits)
        len = size - 1;
    memcpy(dst, src, len);
    dst[len] = '\0';
    return fits;
}

bool str_copyn(char *dst, size_t size, const char *src, size_t len)
{
    return copy(dst, size, src, strnlen(src, len));
}

bool str_copy(char *dst, size_t size, const char *src)
{
    return copy(dst, size, src, strlen(src));
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

size_t str_utf8_length(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t len;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (n < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* Of a multibyte character that controls nothing; 0 for anything else. */
static size_t readable_length(const unsigned char *p, size_t n)
{
    size_t len = str_utf8_length(p, n);
    bool control = p[0] == 0xc2 && len == 2 && p[1] < 0xa0; /* U+0080 to U+009F */

    return len > 1 && !control ? len : 0;
}

/* How many octets of `src` are printable ASCII: most of nearly every line. */
static size_t plain_span(const char *src, size_t len)
{
    size_t n = 0;

    while (n < len && src[n] >= 0x20 && src[n] <= 0x7e)
        n++;
    return n;
}

void str_readable(char *dst, size_t size, const char *src, size_t len)
{
    size_t used = plain_span(src, len < size ? len : size - 1);

    memcpy(dst, src, used);
    for (size_t i = used, n; i < len; i += n) {
        size_t kept = readable_length((const unsigned char *)src + i, len - i);

        n = kept > 0 ? kept : 1;
        if (used + n >= size)
            break;
        if (kept > 0)
            memcpy(dst + used, src + i, n);
        else
            str_printable(dst + used, 2, src + i, 1);
        used += n;
    }
    dst[used] = '\0';
}

size_t str_find(const char *const *names, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i;
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

size_t str_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

const char *str_put(char **at, const char *text)
{
    char *put = *at;
    size_t size = str_size(text);

    if (size == 0)
        return NULL;
    memcpy(put, text, size);
    *at += size;
    return put;
}
