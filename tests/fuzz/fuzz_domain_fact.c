/* callout/domain_fact: any bytes as a fact. What is taken has one encoding: the input. */
#include <string.h>

#include "callout/domain_fact.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[DOMAIN_FACT_SIZE_MAX];
    struct domain_fact f;

    if (!domain_fact_decode(data, size, &f))
        return 0;
    REQUIRE(f.catch_all != CATCH_ALL_UNTESTED && f.catch_all <= CATCH_ALL_NOT_KNOWN);
    REQUIRE(f.accepted <= f.asked);
    REQUIRE(f.learned_at >= 0 && f.refresh_at >= 0 && f.expires_at >= 0);
    REQUIRE(strnlen(f.text, sizeof(f.text)) < sizeof(f.text));
    REQUIRE(strnlen(f.mx, sizeof(f.mx)) < sizeof(f.mx));
    REQUIRE(domain_fact_encode(&f, again, sizeof(again)) == size && memcmp(again, data, size) == 0);
    return 0;
}
