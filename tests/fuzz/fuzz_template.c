/*
 * policy/template: the first line as a template, the rest as what its variables stand for. What is
 * taken comes to one line of printable ASCII, in any size of buffer, and a smaller one has its
 * beginning.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "policy/template.h"

static void check_expansion(const char *text, const char *value)
{
    const char *values[TEMPLATE_VARIABLE_COUNT];
    char whole[4 * TEMPLATE_MAX], part[TEMPLATE_MAX + 1];

    for (int i = 0; i < TEMPLATE_VARIABLE_COUNT; i++)
        values[i] = i == TEMPLATE_MX ? NULL : value;
    template_expand(text, values, whole, sizeof(whole));
    REQUIRE(strlen(whole) < sizeof(whole));
    for (const char *p = whole; *p != '\0'; p++)
        REQUIRE(*p >= ' ' && *p <= '~');
    for (size_t size = 1; size <= sizeof(part); size += 57) {
        template_expand(text, values, part, size);
        REQUIRE(strlen(part) < size && strncmp(part, whole, strlen(part)) == 0);
        REQUIRE(strlen(part) + 1 == size || strcmp(part, whole) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *value;
    struct error err = {""};

    REQUIRE(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    value = strchr(text, '\n');
    if (value != NULL)
        *value++ = '\0';
    if (template_check(text, &err))
        check_expansion(text, value != NULL ? value : "");
    else
        REQUIRE(err.text[0] != '\0');
    free(text);
    return 0;
}
