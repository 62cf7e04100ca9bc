/*
 * policy/exempt: any bytes as a map of either kind. It is taken, or refused with a line that it has
 * and a message; looking up in it does no harm; a taken map takes its text twice over.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "policy/exempt.h"

static struct exempt *parse(enum exempt_kind kind, const char *text, size_t len)
{
    struct error err = {""};
    unsigned line, lines = 1;
    struct exempt *e = exempt_parse(kind, text, len, &line, &err);

    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    REQUIRE(line <= lines);
    REQUIRE(e != NULL || (line >= 1 && err.text[0] != '\0'));
    return e;
}

static void look_up(const struct exempt *e, const char *text, size_t len)
{
    struct address a;
    const char *why;
    bool whole = memchr(text, '\n', len) == NULL && memchr(text, '#', len) == NULL;

    (void)exempt_has_address(e, NULL);
    if (!address_parse(text, len, &a, &why))
        return;
    REQUIRE(!whole || exempt_has_address(e, &a)); /* the map is this address */
}

static void parse_twice(enum exempt_kind kind, const char *text, size_t len)
{
    char *twice = malloc(2 * len + 1);
    struct exempt *e;

    REQUIRE(twice != NULL);
    memcpy(twice, text, len);
    twice[len] = '\n';
    memcpy(twice + len + 1, text, len);
    e = parse(kind, twice, 2 * len + 1);
    REQUIRE(e != NULL);
    exempt_free(&e);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;

    for (int kind = EXEMPT_ADDRESSES; kind <= EXEMPT_CLIENTS; kind++) {
        struct exempt *e = parse((enum exempt_kind)kind, text, size);

        if (e == NULL)
            continue;
        if (kind == EXEMPT_ADDRESSES)
            look_up(e, text, size);
        (void)exempt_has_client(e, "192.0.2.1");
        exempt_free(&e);
        parse_twice((enum exempt_kind)kind, text, size);
    }
    return 0;
}
