#include "frontend/policy_request.h"

#include <stddef.h>
#include <string.h>

#define STRING_OF_(x) #x
#define STRING_OF(x)  STRING_OF_(x)

enum attribute_id {
#define X(id) ATTRIBUTE_##id,
    POLICY_ATTRIBUTES(X)
#undef X
};

static const struct attribute {
    size_t offset; /* of the value in struct policy_request */
    const char *twice;
} attributes[] = {
#define X(id) [ATTRIBUTE_##id] = {offsetof(struct policy_request, id), #id " given twice"},
    POLICY_ATTRIBUTES(X)
#undef X
};

static const struct attribute *attribute_find(const char *name, size_t len)
{
#define X(id) \
    if (len == sizeof(#id) - 1 && memcmp(name, #id, sizeof(#id) - 1) == 0) \
        return &attributes[ATTRIBUTE_##id];
    POLICY_ATTRIBUTES(X)
#undef X
    return NULL;
}

/* Ends the value in its place: where its line ends, or before, and then it is true. */
static bool keep_value(char *value, size_t len, struct policy_request *out,
                       const struct attribute *a)
{
    bool cut = len > POLICY_ATTRIBUTE_MAX;

    value[cut ? POLICY_ATTRIBUTE_MAX : len] = '\0';
    *(const char **)((char *)out + a->offset) = value;
    return cut;
}

/* line = name "=" *octet; the name has no "=", the value may. `seen` is a set of attributes.
   Returns what is wrong with it, or NULL. */
static const char *line_parse(char *line, size_t len, struct policy_request *out, unsigned *seen)
{
    char *equals = memchr(line, '=', len);
    const struct attribute *a;
    unsigned bit;

    if (equals == NULL)
        return "line without =";
    if (equals == line)
        return "line without a name";
    a = attribute_find(line, (size_t)(equals - line));
    if (a == NULL)
        return NULL;
    bit = 1U << (a - attributes);
    if (*seen & bit)
        return a->twice;
    *seen |= bit;
    if (keep_value(equals + 1, len - (size_t)(equals - line) - 1, out, a))
        out->recipient_cut |= a->offset == offsetof(struct policy_request, recipient);
    return NULL;
}

/* request = *(line LF) LF, *used octets: 0 where its end is not here. Returns what is wrong with a
   line, or NULL. */
static const char *lines_parse(char *data, size_t len, struct policy_request *out, size_t *used)
{
    const char *end = data + len, *why = NULL;
    char *line = data, *newline;
    unsigned seen = 0;

    *used = 0;
    for (; why == NULL; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL)
            return NULL;
        if (newline == line) {
            *used = (size_t)(newline + 1 - data);
            return NULL;
        }
        why = line_parse(line, (size_t)(newline - line), out, &seen);
    }
    return why;
}

/* Of one whose end is not in the `clean` octets before a NUL, of `len`. */
static const char *why_unended(size_t clean, size_t len)
{
    if (clean == POLICY_REQUEST_MAX)
        return "request longer than " STRING_OF(POLICY_REQUEST_MAX) " octets";
    return clean < len ? "NUL byte" : "no empty line";
}

size_t policy_request_parse(char *data, size_t len, struct policy_request *out, const char **why)
{
    static const struct policy_request empty = {
#define X(id) .id = "",
        POLICY_ATTRIBUTES(X)
#undef X
    };
    size_t clean = strnlen(data, len < POLICY_REQUEST_MAX ? len : POLICY_REQUEST_MAX), used;

    *out = empty;
    *why = lines_parse(data, clean, out, &used);
    if (*why == NULL && used == 0)
        *why = why_unended(clean, len);
    else if (*why == NULL && strcmp(out->request, "smtpd_access_policy") != 0)
        *why = "not an smtpd_access_policy request";
    return *why == NULL ? used : 0;
}
