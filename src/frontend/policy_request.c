#include "frontend/policy_request.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define STRING_OF_(x) #x
#define STRING_OF(x)  STRING_OF_(x)

static const struct attribute {
    const char *name;
    size_t offset; /* in struct policy_request; POLICY_ATTRIBUTE_MAX + 1 bytes there */
    const char *twice;
} attributes[] = {
#define X(id) {#id, offsetof(struct policy_request, id), #id " given twice"},
    POLICY_ATTRIBUTES(X)
#undef X
};

#define ATTRIBUTE_COUNT (sizeof(attributes) / sizeof(attributes[0]))

static const struct attribute *attribute_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        if (strlen(attributes[i].name) == len && memcmp(attributes[i].name, name, len) == 0)
            return &attributes[i];
    return NULL;
}

/* line = name "=" *octet; the name has no "=", the value may. `seen` is a set of attributes. */
static bool line_parse(const char *line, size_t len, struct policy_request *out, unsigned *seen,
                       const char **why)
{
    const char *equals = memchr(line, '=', len);
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
    else if (!str_copyn((char *)out + a->offset, POLICY_ATTRIBUTE_MAX + 1, equals + 1,
                        len - (size_t)(equals - line) - 1))
        out->recipient_cut |= a->offset == offsetof(struct policy_request, recipient);
    *seen |= bit;
    return *why == NULL;
}

bool policy_request_parse(const char *data, size_t len, struct policy_request *out,
                          const char **why)
{
    const char *end = data + len, *newline;
    unsigned seen = 0;

    memset(out, 0, sizeof(*out));
    *why = NULL;
    if (len > POLICY_REQUEST_MAX)
        *why = "request longer than " STRING_OF(POLICY_REQUEST_MAX) " octets";
    else if (len > 0 && memchr(data, '\0', len) != NULL)
        *why = "NUL byte";
    else if (len > 0 && end[-1] != '\n')
        *why = "last line without an end";
    if (*why != NULL)
        return false;
    for (const char *line = data; line < end; line = newline + 1) {
        newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL || !line_parse(line, (size_t)(newline - line), out, &seen, why))
            return false;
    }
    if (strcmp(out->request, "smtpd_access_policy") != 0)
        *why = "not an smtpd_access_policy request";
    return *why == NULL;
}
