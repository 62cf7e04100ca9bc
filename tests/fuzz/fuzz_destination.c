/* callout/destination: any bytes as a fact. What is taken has one encoding, and is that, unless it
   is of an older version. */
#include <string.h>

#include "callout/destination.h"
#include "fuzz.h"

#define FACT_VERSION 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[DESTINATION_FACT_SIZE_MAX];
    struct destination_fact f, g;
    size_t n;

    if (!destination_fact_decode(data, size, &f))
        return 0;
    REQUIRE(f.null_sender_refused_at >= 0 && f.greylist_ms >= 0 && f.greylisted_at >= 0);
    REQUIRE(f.pause_until >= 0 && f.expires_at >= 0 && f.level <= PACE_LEVEL_MAX);
    REQUIRE(f.breaker.state != BREAKER_TRIAL && f.breaker.level <= BREAKER_LEVEL_MAX);
    REQUIRE(strnlen(f.breaker.text, sizeof(f.breaker.text)) < sizeof(f.breaker.text));
    REQUIRE(strnlen(f.breaker.mx, sizeof(f.breaker.mx)) < sizeof(f.breaker.mx));
    n = destination_fact_encode(&f, again, sizeof(again));
    REQUIRE(n > 0 && destination_fact_decode(again, n, &g));
    REQUIRE(g.null_sender_refused_at == f.null_sender_refused_at && g.expires_at == f.expires_at);
    REQUIRE(data[0] != FACT_VERSION || (n == size && memcmp(again, data, size) == 0));
    return 0;
}
