#include "ctl/text.h"

#include <string.h>

#include "base/rfc3339.h"
#include "base/str.h"

const char *ctl_text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text != NULL ? text : "";
}

bool ctl_text_is_dns(const json_t *reply)
{
    return strcmp(ctl_text_of(reply, "stage"), "connect") == 0 &&
           json_object_get(reply, "code") == NULL && json_object_get(reply, "failure") == NULL;
}

void ctl_text_reply(const json_t *reply, char *buf, size_t size)
{
    const char *text = ctl_text_of(reply, "text"), *enhanced = ctl_text_of(reply, "enhanced");
    const char *stage = ctl_text_of(reply, "stage");
    json_int_t code = json_integer_value(json_object_get(reply, "code"));
    char prefix[64];

    (void)str_format(prefix, sizeof(prefix), "%s%s", stage, stage[0] != '\0' ? ": " : "");
    if (ctl_text_is_dns(reply))
        (void)str_format(buf, size, "dns: %s", text);
    else if (code == 0)
        (void)str_format(buf, size, "%s%s%s%s", prefix, ctl_text_of(reply, "failure"),
                         text[0] != '\0' ? " " : "", text);
    else
        (void)str_format(buf, size, "%s%lld %s%s%s", prefix, (long long)code, enhanced,
                         enhanced[0] != '\0' ? " " : "", text);
}

size_t ctl_text_cut(const char *text, int width)
{
    size_t len = 0;

    for (; text[len] != '\0'; len++)
        if (((unsigned char)text[len] & 0xc0) != 0x80 && width-- == 0)
            break;
    return len;
}

size_t ctl_text_line(const char *text, int width)
{
    size_t len = ctl_text_cut(text, width);

    if (text[len] == '\0')
        return len;
    for (size_t i = len; i > 0; i--)
        if (text[i] == ' ')
            return i;
    return len;
}

int ctl_text_width(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

const char *ctl_text_span(int64_t seconds, char buf[CTL_TEXT_SPAN_SIZE])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t n = seconds < 0 ? 0 : seconds, rest;
    size_t i = 0;

    while (units[i].seconds > 1 && n < units[i].seconds)
        i++;
    rest = units[i].seconds > 1 ? n % units[i].seconds / units[i + 1].seconds : 0;
    if (rest == 0)
        (void)str_format(buf, CTL_TEXT_SPAN_SIZE, "%lld %s", (long long)(n / units[i].seconds),
                         units[i].name);
    else
        (void)str_format(buf, CTL_TEXT_SPAN_SIZE, "%lld %s %lld %s",
                         (long long)(n / units[i].seconds), units[i].name, (long long)rest,
                         units[i + 1].name);
    return buf;
}

const char *ctl_text_bytes(json_int_t bytes, char buf[CTL_TEXT_BYTES_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t i = 0;

    while (n >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
        n /= 1024;
        i++;
    }
    (void)str_format(buf, CTL_TEXT_BYTES_SIZE, i == 0 ? "%.0f %s" : "%.1f %s", n, units[i]);
    return buf;
}

const char *ctl_text_when(const char *text, int64_t now, char buf[CTL_TEXT_SPAN_SIZE])
{
    char span[CTL_TEXT_SPAN_SIZE];
    int64_t at_ms;

    buf[0] = '\0';
    if (!rfc3339_parse_ms(text, &at_ms))
        return buf;
    if (at_ms / 1000 > now)
        (void)str_format(buf, CTL_TEXT_SPAN_SIZE, " (in %s)",
                         ctl_text_span(at_ms / 1000 - now, span));
    else
        (void)str_format(buf, CTL_TEXT_SPAN_SIZE, " (%s ago)",
                         ctl_text_span(now - at_ms / 1000, span));
    return buf;
}
