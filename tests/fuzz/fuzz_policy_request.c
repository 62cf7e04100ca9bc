/* frontend/policy_request: any bytes as a request, with an empty line behind them. */
#include <string.h>

#include "frontend/policy_request.h"
#include "fuzz.h"

static void check_value(const char *value, const uint8_t *data, size_t size)
{
    size_t len = strnlen(value, POLICY_ATTRIBUTE_MAX + 1);

    REQUIRE(len <= POLICY_ATTRIBUTE_MAX);
    REQUIRE(strchr(value, '\n') == NULL);
    REQUIRE(len == 0 || memmem(data, size, value, len) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct policy_request r;
    static char text[POLICY_REQUEST_MAX + 16];
    const char *why = NULL;
    size_t used;

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\n';
    used = policy_request_parse(text, size + 1, &r, &why);
    if (used == 0) {
        REQUIRE(why != NULL && why[0] != '\0');
        return 0;
    }
    REQUIRE(used <= POLICY_REQUEST_MAX && used <= size + 1 && data[used - 2] == '\n');
    REQUIRE(strcmp(r.request, "smtpd_access_policy") == 0);
#define X(name) check_value(r.name, data, size);
    POLICY_ATTRIBUTES(X)
#undef X
    return 0;
}
