/*
 * smtp/address: any bytes as an address in both forms. What is taken has to be within its bounds,
 * and has to come out the same when it is read again.
 */
#include <string.h>

#include "smtp/address.h"
#include "fuzz.h"

static void check_bounds(const struct address *a)
{
    size_t local = strnlen(a->local, sizeof(a->local));
    size_t domain = strnlen(a->domain, sizeof(a->domain));

    REQUIRE(local >= 1 && local <= ADDRESS_LOCAL_MAX);
    REQUIRE(domain >= 1 && local + 1 + domain <= ADDRESS_MAX);
    REQUIRE(strnlen(a->canonical, sizeof(a->canonical)) <= local + 1 + domain);
    REQUIRE(strcmp(a->canonical + strlen(a->canonical) - domain, a->domain) == 0);
    REQUIRE((a->domain[0] == '[') == (a->literal.family != AF_UNSPEC));
    for (const char *p = a->local; *p != '\0'; p++)
        REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
    for (const char *p = a->domain; *p != '\0'; p++)
        REQUIRE(*p > 0x20 && *p < 0x7f && *p != '@');
}

static void check_address(const struct address *a)
{
    struct address again;
    char text[ADDRESS_TEXT_SIZE];
    const char *why;

    check_bounds(a);
    address_format(a, text);
    REQUIRE(address_parse(text, strlen(text), &again, &why));
    REQUIRE(strcmp(again.local, a->local) == 0 && strcmp(again.domain, a->domain) == 0);
    REQUIRE(strcmp(again.canonical, a->canonical) == 0 && again.smtputf8 == a->smtputf8);
    REQUIRE(address_parse(a->canonical, strlen(a->canonical), &again, &why));
    REQUIRE(strcmp(again.canonical, a->canonical) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *why = NULL;
    struct address a;

    if (address_parse(text, size, &a, &why))
        check_address(&a);
    else
        REQUIRE(why != NULL && why[0] != '\0');
    if (address_from_internal(text, size, &a, &why))
        check_address(&a);
    else
        REQUIRE(why != NULL && why[0] != '\0');
    return 0;
}
