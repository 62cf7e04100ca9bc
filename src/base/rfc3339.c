#include "base/rfc3339.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define LAST INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* Up to the seconds, without what ends it. */
static bool format_seconds(int64_t at, char out[RFC3339_SIZE])
{
    time_t t = (time_t)at;
    struct tm tm;

    out[0] = '\0';
    return at >= 0 && at <= LAST && gmtime_r(&t, &tm) != NULL &&
           strftime(out, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm) > 0;
}

const char *rfc3339_format(int64_t at, char out[RFC3339_SIZE])
{
    char text[RFC3339_SIZE];

    if (format_seconds(at, text))
        (void)str_format(out, RFC3339_SIZE, "%sZ", text);
    else
        out[0] = '\0';
    return out;
}

const char *rfc3339_format_ms(int64_t at_ms, char out[RFC3339_SIZE])
{
    char text[RFC3339_SIZE];

    if (at_ms >= 0 && format_seconds(at_ms / 1000, text))
        (void)str_format(out, RFC3339_SIZE, "%s.%03dZ", text, (int)(at_ms % 1000));
    else
        out[0] = '\0';
    return out;
}

/* Digits, as many as `pattern` has of '0', and its other characters as they are; each row of digits
   becomes a number. Returns what follows, NULL where it is not like that. */
static const char *scan(const char *text, const char *pattern, int *numbers)
{
    for (; *pattern != '\0'; pattern++, text++) {
        if (*pattern != '0' && *text != *pattern)
            return NULL;
        if (*pattern == '0' && (*text < '0' || *text > '9'))
            return NULL;
        if (*pattern == '0')
            *numbers = *numbers * 10 + (*text - '0');
        else
            numbers++;
    }
    return text;
}

/* Days and hours that there are not come out as others: so it is written again to see. */
static const char *scan_seconds(const char *text, int64_t *at)
{
    static const char pattern[] = "0000-00-00T00:00:00";
    char again[RFC3339_SIZE];
    int n[6] = {0};
    const char *rest = scan(text, pattern, n);
    struct tm tm = {.tm_year = n[0] - 1900,
                    .tm_mon = n[1] - 1,
                    .tm_mday = n[2],
                    .tm_hour = n[3],
                    .tm_min = n[4],
                    .tm_sec = n[5]};

    if (rest == NULL)
        return NULL;
    *at = (int64_t)timegm(&tm);
    if (!format_seconds(*at, again) || strncmp(again, text, strlen(pattern)) != 0)
        return NULL;
    return rest;
}

bool rfc3339_parse(const char *text, int64_t *at)
{
    int64_t seconds = 0;
    const char *rest = scan_seconds(text, &seconds);

    if (rest == NULL || strcmp(rest, "Z") != 0)
        return false;
    *at = seconds;
    return true;
}

bool rfc3339_parse_ms(const char *text, int64_t *at_ms)
{
    int64_t seconds = 0;
    const char *rest = scan_seconds(text, &seconds);
    int n[2] = {0}; /* before the dot, and behind it */

    if (rest != NULL && *rest == '.')
        rest = scan(rest, ".000", n);
    if (rest == NULL || strcmp(rest, "Z") != 0)
        return false;
    *at_ms = seconds * 1000 + n[1];
    return true;
}
