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

/* line = name "=" *octet; the name has no "=", the value may. `seen` is a set of attributes. */
static bool line_parse(char *line, size_t len, struct policy_request *out, unsigned *seen,
                       const char **why)
{
    char *equals = memchr(line, '=', len);
    const struct attribute *a;
    unsigned bit;

    *why = NULL;
    if (equals == NULL)
        *why = "line without =";
    else if (equals == line)
        *why = "line without a name";
    if (*why != NULL)
        return false;
    a = attribute_find(line, (size_t)(equals - line));
    if (a == NULL)
        return true;
    bit = 1U << (a - attributes);
    if (*seen & bit)
        *why = a->twice;
    else if (keep_value(equals + 1, len - (size_t)(equals - line) - 1, out, a))
        out->recipient_cut |= a->offset == offsetof(struct policy_request, recipient);
    *seen |= bit;
    return *why == NULL;
}

bool policy_request_parse(char *data, size_t len, struct policy_request *out, const char **why)
{
    static const struct policy_request empty = {
#define X(id) .id = "",
        POLICY_ATTRIBUTES(X)
#undef X
    };
    const char *end = data + len;
    char *newline;
    unsigned seen = 0;

    *out = empty;
    *why = NULL;
    if (len > POLICY_REQUEST_MAX)
        *why = "request longer than " STRING_OF(POLICY_REQUEST_MAX) " octets";
    else if (len > 0 && memchr(data, '\0', len) != NULL)
        *why = "NUL byte";
    else if (len > 0 && end[-1] != '\n')
        *why = "last line without an end";
    if (*why != NULL)
        return false;
    for (char *line = data; line < end; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL || !line_parse(line, (size_t)(newline - line), out, &seen, why))
            return false;
    }
    if (strcmp(out->request, "smtpd_access_policy") != 0)
        *why = "not an smtpd_access_policy request";
    return *why == NULL;
}
