#include "policy/template.h"

#include <string.h>

#include "base/str.h"

static const char *const names[TEMPLATE_VARIABLE_COUNT] = {
#define X(id, name) [TEMPLATE_##id] = name,
    TEMPLATE_VARIABLES(X)
#undef X
};

/*
 * One piece of a template: text, or a variable. `text` is at its first octet; returns where the
 * next begins, with the piece in *from, *len and *variable (-1: it is text; -2: no such variable).
 */
static const char *piece(const char *text, const char **from, size_t *len, int *variable)
{
    const char *end;

    *variable = -1;
    *from = text;
    *len = strcspn(text, "%");
    if (*len > 0 || text[0] == '\0')
        return text + *len;
    *len = 1;
    if (text[1] != '{') /* "%%", or a percent sign by itself */
        return text + (text[1] == '%' ? 2 : 1);
    end = strchr(text, '}');
    *variable = -2;
    *from = text + 2;
    *len = end != NULL ? (size_t)(end - text - 2) : strlen(text + 2);
    for (int i = 0; end != NULL && i < TEMPLATE_VARIABLE_COUNT; i++)
        if (strlen(names[i]) == *len && strncmp(names[i], *from, *len) == 0)
            *variable = i;
    return end != NULL ? end + 1 : text + strlen(text);
}

bool template_check(const char *text, struct error *err)
{
    const char *from;
    size_t len;
    int variable;

    if (text[strspn(text, " ")] == '\0') {
        error_set(err, "is empty");
        return false;
    }
    if (strlen(text) > TEMPLATE_MAX) {
        error_set(err, "is longer than %d octets", TEMPLATE_MAX);
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~') {
            error_set(err, "is not printable ASCII");
            return false;
        }
    }
    while (*text != '\0') {
        text = piece(text, &from, &len, &variable);
        if (variable == -2) {
            error_set(err, "has no such variable: \"%.*s\"", (int)len, from);
            return false;
        }
    }
    return true;
}

void template_expand(const char *text, const char *const values[TEMPLATE_VARIABLE_COUNT], char *out,
                     size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    while (*text != '\0' && used + 1 < size) {
        const char *from;
        size_t len;
        int variable;

        text = piece(text, &from, &len, &variable);
        if (variable >= 0) {
            from = values[variable] != NULL ? values[variable] : "";
            len = strlen(from);
        }
        if (len > size - used - 1)
            len = size - used - 1;
        str_printable(out + used, size - used, from, len);
        used += strlen(out + used);
    }
}
