#include "conf/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "smtp/address.h"

#define RATE_MILLI_MAX 1000000

struct unit {
    const char *name;
    uint64_t factor;
};

/* Each list from the smallest unit to the largest. */
static const struct unit durations[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1},
                                    {"KiB", UINT64_C(1) << 10},
                                    {"MiB", UINT64_C(1) << 20},
                                    {"GiB", UINT64_C(1) << 30},
                                    {"TiB", UINT64_C(1) << 40},
                                    {NULL, 0}};
static const struct unit plain[] = {{"", 1}, {NULL, 0}};

/* Digits, then a unit of the list; false on anything else, or overflow. */
static bool with_unit(const char *text, const struct unit *units, uint64_t *out)
{
    char *end;
    unsigned long long n;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    n = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    for (; units->name != NULL; units++)
        if (strcmp(end, units->name) == 0)
            return !__builtin_mul_overflow(n, units->factor, out);
    return false;
}

/* In the largest unit that leaves no rest; of nothing there is no unit. */
static void print_with_unit(char *buf, size_t size, uint64_t n, const struct unit *units)
{
    const struct unit *best = units;

    if (n == 0) {
        (void)str_copy(buf, size, "0");
        return;
    }
    for (; units->name != NULL; units++)
        if (n % units->factor == 0)
            best = units;
    (void)str_format(buf, size, "%llu%s", (unsigned long long)(n / best->factor), best->name);
}

static bool within(uint64_t n, uint64_t min, uint64_t max, const struct unit *units,
                   struct error *err)
{
    char low[32], high[32];

    if (n >= min && n <= max)
        return true;
    print_with_unit(low, sizeof(low), min, units);
    print_with_unit(high, sizeof(high), max, units);
    error_set(err, "is not from %s to %s", low, high);
    return false;
}

bool value_duration(const char *text, int64_t min, int64_t max, int64_t *ms, struct error *err)
{
    uint64_t n;

    if (!with_unit(text, durations, &n)) {
        error_set(err, "is no duration (a number and ms, s, m, h or d, as in 90s)");
        return false;
    }
    *ms = (int64_t)n;
    return within(n, (uint64_t)min, (uint64_t)max, durations, err);
}

bool value_size(const char *text, uint64_t min, uint64_t max, uint64_t *size, struct error *err)
{
    if (with_unit(text, sizes, size))
        return within(*size, min, max, sizes, err);
    error_set(err, "is no size (a number and KiB, MiB, GiB or TiB, as in 4GiB)");
    return false;
}

bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *n, struct error *err)
{
    if (with_unit(text, plain, n))
        return within(*n, min, max, plain, err);
    error_set(err, "is no number");
    return false;
}

bool value_bool(const char *text, bool *out, struct error *err)
{
    static const struct value_word words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0},
                                              {"on", 1},   {"off", 0},   {NULL, 0}};
    int n;

    if (!value_word(text, words, &n, err))
        return false;
    *out = n == 1;
    return true;
}

bool value_rate(const char *text, unsigned *milli, struct error *err)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"/s", 1}, {"/m", 60}, {"/h", 3600}};
    const char *unit = text + strspn(text, "0123456789");
    char digits[16];
    uint64_t n = 0, seconds = 0;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(unit, units[i].unit) == 0)
            seconds = units[i].seconds;
    if (seconds == 0 || !str_copyn(digits, sizeof(digits), text, (size_t)(unit - text)) ||
        !with_unit(digits, plain, &n)) {
        error_set(err, "is no rate (a number and /s, /m or /h, as in 2/s)");
        return false;
    }
    n = n * 1000 / seconds;
    if (n < 1 || n > RATE_MILLI_MAX) {
        error_set(err, "is not from 4/h to %d/s", RATE_MILLI_MAX / 1000);
        return false;
    }
    *milli = (unsigned)n;
    return true;
}

bool value_mode(const char *text, unsigned *mode, struct error *err)
{
    char *end;
    unsigned long n = strtoul(text, &end, 8);

    if (text[0] < '0' || text[0] > '7' || *end != '\0' || n > 0777) {
        error_set(err, "is no file mode from 0 to 0777, in octal");
        return false;
    }
    *mode = (unsigned)n;
    return true;
}

/* Splits "ADDRESS:PORT" and "[ADDRESS]:PORT"; a bare address has no port. */
static bool split_port(const char *text, char ip[NETADDR_TEXT_MAX], const char **port)
{
    const char *end = strrchr(text, ':');

    *port = NULL;
    if (text[0] == '[') {
        end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return false;
        *port = end[1] == ':' ? end + 2 : NULL;
        return str_copyn(ip, NETADDR_TEXT_MAX, text + 1, (size_t)(end - text - 1));
    }
    if (end == NULL || strchr(text, ':') != end) /* no port, or a bare IPv6 address */
        return str_copy(ip, NETADDR_TEXT_MAX, text);
    *port = end + 1;
    return str_copyn(ip, NETADDR_TEXT_MAX, text, (size_t)(end - text));
}

bool value_server(const char *text, struct resolver_server *out, struct error *err)
{
    char ip[NETADDR_TEXT_MAX];
    const char *port;
    uint64_t n = 53;

    if (!split_port(text, ip, &port) || !netaddr_parse(ip, &out->ip)) {
        error_set(err, "is no address of a DNS server (192.0.2.53, or [2001:db8::53]:5353)");
        return false;
    }
    if (port != NULL && !value_number(port, 1, 65535, &n, err))
        return false;
    out->port = (uint16_t)n;
    return true;
}

bool value_domain(const char *text, char *out, size_t size, struct error *err)
{
    char text_address[ADDRESS_TEXT_SIZE];
    struct address a;
    const char *why = "longer than 255 octets";
    bool parsed;

    /* The address parser knows what a domain is, and turns U-labels into A-labels. */
    parsed = str_format(text_address, sizeof(text_address), "a@%s", text) &&
             address_parse(text_address, strlen(text_address), &a, &why);
    if (parsed && a.literal.family == AF_UNSPEC)
        return str_copy(out, size, a.domain);
    error_set(err, "is no domain: %s", parsed ? "an address literal" : why);
    return false;
}

bool value_word(const char *text, const struct value_word *words, int *out, struct error *err)
{
    char all[128] = "";
    size_t len = 0;

    for (; words->name != NULL; words++) {
        if (strcmp(text, words->name) == 0) {
            *out = words->value;
            return true;
        }
        (void)str_format(all + len, sizeof(all) - len, "%s%s", len > 0 ? ", " : "", words->name);
        len += strlen(all + len);
    }
    error_set(err, "is none of: %s", all);
    return false;
}

bool value_text(const char *text, char *out, size_t size, struct error *err)
{
    if (str_copy(out, size, text))
        return true;
    error_set(err, "is longer than %zu octets", size - 1);
    return false;
}
