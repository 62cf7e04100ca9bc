/*
 * callout/route: any text as a route's target. What is taken is within its bounds, has what its
 * kind has and nothing else, and is the same server when its name is read again.
 */
#include <string.h>

#include "callout/route.h"
#include "fuzz.h"

#define TEXT_MAX 4096

static void check_name(const struct route_target *t)
{
    struct netaddr ip;

    REQUIRE(!netaddr_parse(t->name, &ip));
    for (const char *p = t->name; *p != '\0'; p++)
        REQUIRE(*p > 0x20 && *p < 0x7f && strchr("[]:@/", *p) == NULL && (*p < 'A' || *p > 'Z'));
}

static void check_kind(const struct route_target *t)
{
    bool is_unix = t->kind == ROUTE_TARGET_UNIX, is_ip = t->kind == ROUTE_TARGET_IP;

    REQUIRE(t->name[0] != '\0' && memchr(t->name, '\0', sizeof(t->name)) != NULL);
    REQUIRE(memchr(t->path, '\0', sizeof(t->path)) != NULL);
    REQUIRE(is_unix ? t->path[0] == '/' && t->port == 0 : t->path[0] == '\0');
    REQUIRE(is_ip == (t->ip.family != AF_UNSPEC));
    if (!is_unix && !is_ip)
        check_name(t);
}

static void check_again(const struct route_target *t)
{
    char text[sizeof(t->name) + 2];
    struct route_target again;
    struct error err = {""};
    size_t len = strlen(t->name), brackets = t->kind == ROUTE_TARGET_HOST;

    memset(text, 0, sizeof(text));
    text[0] = '[';
    memcpy(text + brackets, t->name, len);
    if (brackets > 0)
        text[len + 1] = ']';
    REQUIRE(route_target_parse(text, &again, &err));
    REQUIRE(again.kind == t->kind && strcmp(again.name, t->name) == 0);
    REQUIRE(strcmp(again.path, t->path) == 0 && again.port == 0);
    REQUIRE(t->kind != ROUTE_TARGET_IP || netaddr_equal(&again.ip, &t->ip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct route_target t;
    struct error err = {""};
    char *text;

    if (size > TEXT_MAX)
        return 0;
    text = malloc(size + 1); /* its own block, so that a read behind it is found out */
    REQUIRE(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (route_target_parse(text, &t, &err)) {
        check_kind(&t);
        check_again(&t);
    } else {
        REQUIRE(strncmp(err.text, "is no ", 6) == 0);
    }
    free(text);
    return 0;
}
