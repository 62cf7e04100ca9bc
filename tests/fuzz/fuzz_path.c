/*
 * smtp/path: any bytes as a path. An address out of it is one by itself and comes out the same in
 * brackets; of a bad one there is a reason, and a domain in bounds.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "smtp/path.h"

static void check_address(const struct address *a)
{
    char text[ADDRESS_TEXT_SIZE], path[ADDRESS_TEXT_SIZE + 2];
    struct address again;
    const char *why;
    size_t len;

    address_format(a, text);
    len = strlen(text);
    path[0] = '<';
    memcpy(path + 1, text, len);
    path[len + 1] = '>';
    REQUIRE(path_parse(path, len + 2, &again, &why) == PATH_ADDRESS);
    REQUIRE(strcmp(again.local, a->local) == 0 && strcmp(again.domain, a->domain) == 0);
    REQUIRE(strcmp(again.canonical, a->canonical) == 0);
}

/* Nothing but blanks and brackets is left out. */
static bool is_around(const char *from, const char *end)
{
    for (; from < end; from++)
        if (memchr(" \t<>", *from, 5) == NULL)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *inside = text, *why = NULL;
    struct address a;
    enum path_kind kind = path_parse(text, size, &a, &why);
    size_t len = path_inside(&inside, size);

    REQUIRE(inside >= text && inside + len <= text + size);
    REQUIRE(is_around(text, inside) && is_around(inside + len, text + size));
    REQUIRE(size != 0 || kind == PATH_NULL);
    if (kind == PATH_ADDRESS)
        check_address(&a);
    if (kind == PATH_BAD) {
        REQUIRE(why != NULL && why[0] != '\0');
        REQUIRE(memchr(a.domain, '\0', sizeof(a.domain)) != NULL);
    }
    return 0;
}
