#include "cache/entry_part.h"

#include <string.h>

#include "base/rfc3339.h"
#include "base/str.h"

#define TEXT_SIZE   1024 /* of the longest text there is, and more */
#define HASH_DIGITS 16

/*
 * Written
 */

void entry_put(struct entry_out *out, const char *name, json_t *value)
{
    if (json_object_set_new(out->o, name, value) != 0)
        out->ok = false;
}

void entry_put_text(struct entry_out *out, const char *name, const char *text)
{
    char safe[TEXT_SIZE];

    if (text[0] == '\0')
        return;
    str_readable(safe, sizeof(safe), text, strlen(text));
    entry_put(out, name, json_string(safe));
}

void entry_put_number(struct entry_out *out, const char *name, int64_t n)
{
    if (n != 0)
        entry_put(out, name, json_integer(n));
}

/* As text: JSON has no such numbers. */
void entry_put_hash(struct entry_out *out, const char *name, uint64_t hash)
{
    static const char digits[] = "0123456789abcdef";
    char text[HASH_DIGITS + 1] = "";

    if (hash == 0)
        return;
    for (size_t i = HASH_DIGITS; i > 0; hash >>= 4)
        text[--i] = digits[hash & 15];
    entry_put(out, name, json_string(text));
}

void entry_put_flag(struct entry_out *out, const char *name, bool flag)
{
    if (flag)
        entry_put(out, name, json_true());
}

void entry_put_time(struct entry_out *out, const char *name, int64_t at)
{
    char text[RFC3339_SIZE];

    if (at == 0)
        return;
    out->ok &= rfc3339_format(at, text)[0] != '\0';
    entry_put(out, name, json_string(text));
}

void entry_put_time_ms(struct entry_out *out, const char *name, int64_t at_ms)
{
    char text[RFC3339_SIZE];

    if (at_ms == 0)
        return;
    out->ok &= rfc3339_format_ms(at_ms, text)[0] != '\0';
    entry_put(out, name, json_string(text));
}

void entry_put_ip(struct entry_out *out, const char *name, const struct netaddr *ip)
{
    char text[NETADDR_TEXT_MAX];

    entry_put_text(out, name, netaddr_format(ip, text));
}

void entry_put_reply(struct entry_out *out, uint16_t code, const struct enhanced_code *enhanced,
                     const char *text)
{
    char dotted[32] = "";

    if (enhanced->cls != 0)
        (void)str_format(dotted, sizeof(dotted), "%u.%u.%u", enhanced->cls, enhanced->subject,
                         enhanced->detail);
    entry_put_number(out, "code", code);
    entry_put_text(out, "enhanced", dotted);
    entry_put_text(out, "text", text);
}

void entry_put_inner(struct entry_out *out, const char *name, struct entry_out *inner)
{
    out->ok &= inner->ok;
    if (inner->o != NULL && json_object_size(inner->o) == 0)
        json_decref(inner->o);
    else
        entry_put(out, name, inner->o);
    inner->o = NULL;
}

/*
 * Read
 */

bool entry_has(const struct entry_in *in, const char *name)
{
    return json_object_get(in->o, name) != NULL;
}

void entry_check(struct entry_in *in, const char *name, bool ok, const char *why)
{
    if (ok || !in->ok)
        return;
    in->ok = false;
    error_set(in->err, "%s%s%s: %s", in->within, in->within[0] != '\0' ? "." : "", name,
              entry_has(in, name) ? why : "missing");
}

const char *entry_get_string(struct entry_in *in, const char *name)
{
    const json_t *value = json_object_get(in->o, name);

    entry_check(in, name, value == NULL || json_is_string(value), "must be a string");
    return json_is_string(value) ? json_string_value(value) : "";
}

void entry_get_text(struct entry_in *in, const char *name, char *dst, size_t size)
{
    entry_check(in, name, str_copy(dst, size, entry_get_string(in, name)), "too long");
}

int64_t entry_get_number(struct entry_in *in, const char *name, int64_t max)
{
    const json_t *value = json_object_get(in->o, name);
    int64_t n = json_integer_value(value);

    entry_check(in, name, value == NULL || json_is_integer(value), "must be an integer");
    entry_check(in, name, n >= 0 && n <= max, "out of its range");
    return in->ok ? n : 0;
}

uint64_t entry_get_hash(struct entry_in *in, const char *name)
{
    static const char digits[] = "0123456789abcdef";
    const char *text = entry_get_string(in, name);
    size_t len = strlen(text);
    uint64_t hash = 0;

    if (!entry_has(in, name))
        return 0;
    entry_check(in, name, len == HASH_DIGITS && strspn(text, digits) == len,
                "must be 16 hexadecimal digits");
    for (size_t i = 0; in->ok && i < len; i++)
        hash = hash << 4 | (uint64_t)(strchr(digits, text[i]) - digits);
    return hash;
}

bool entry_get_flag(struct entry_in *in, const char *name)
{
    const json_t *value = json_object_get(in->o, name);

    entry_check(in, name, value == NULL || json_is_true(value), "must be true, or not there");
    return json_is_true(value);
}

int64_t entry_get_time(struct entry_in *in, const char *name)
{
    int64_t at = 0;

    if (entry_has(in, name))
        entry_check(in, name, rfc3339_parse(entry_get_string(in, name), &at),
                    "must be a time like \"2026-03-01T12:00:00Z\"");
    return at;
}

int64_t entry_get_time_ms(struct entry_in *in, const char *name)
{
    int64_t at_ms = 0;

    if (entry_has(in, name))
        entry_check(in, name, rfc3339_parse_ms(entry_get_string(in, name), &at_ms),
                    "must be a time like \"2026-03-01T12:00:00.000Z\"");
    return at_ms;
}

void entry_get_ip(struct entry_in *in, const char *name, struct netaddr *out)
{
    out->family = AF_UNSPEC;
    if (entry_has(in, name))
        entry_check(in, name, netaddr_parse(entry_get_string(in, name), out),
                    "must be an IP address");
}

/* A number of three digits at most, and what ends it. */
static const char *scan_part(const char *text, char end, uint16_t *out)
{
    size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 3 || text[len] != end)
        return NULL;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = (uint16_t)(*out * 10 + (text[i] - '0'));
    return text + len + 1;
}

static bool scan_enhanced(const char *text, struct enhanced_code *out)
{
    uint16_t cls = 0;

    text = scan_part(text, '.', &cls);
    if (text != NULL)
        text = scan_part(text, '.', &out->subject);
    if (text != NULL)
        text = scan_part(text, '\0', &out->detail);
    out->cls = (uint8_t)cls;
    return text != NULL && cls >= 1 && cls <= 5;
}

void entry_get_reply(struct entry_in *in, uint16_t *code, struct enhanced_code *enhanced,
                     char *text, size_t size)
{
    *code = (uint16_t)entry_get_number(in, "code", 599);
    if (entry_has(in, "enhanced"))
        entry_check(in, "enhanced", scan_enhanced(entry_get_string(in, "enhanced"), enhanced),
                    "must be an enhanced code like \"5.1.1\"");
    entry_get_text(in, "text", text, size);
}

struct entry_in entry_enter(struct entry_in *in, const char *name)
{
    const json_t *value = json_object_get(in->o, name);

    entry_check(in, name, value == NULL || json_is_object(value), "must be an object");
    return (struct entry_in){.o = value, .within = name, .err = in->err, .ok = in->ok};
}

void entry_leave(struct entry_in *in, const struct entry_in *inner)
{
    in->ok = inner->ok;
}
