/* callout/schedule: any bytes as an entry. What is taken has one encoding: the input. */
#include <string.h>

#include "callout/schedule.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[SCHEDULE_ENTRY_SIZE_MAX];
    struct schedule_entry e;

    if (!schedule_entry_decode(data, size, &e))
        return 0;
    REQUIRE(e.first_at >= 0 && e.due >= 0 && e.last_due >= 0 && e.learned_ms >= 0);
    REQUIRE(e.source.family == AF_UNSPEC || e.source.family == AF_INET ||
            e.source.family == AF_INET6);
    REQUIRE(strnlen(e.recipient, sizeof(e.recipient)) < sizeof(e.recipient));
    REQUIRE(strnlen(e.sender, sizeof(e.sender)) < sizeof(e.sender));
    REQUIRE(strnlen(e.helo, sizeof(e.helo)) < sizeof(e.helo));
    REQUIRE(schedule_entry_encode(&e, again, sizeof(again)) == size &&
            memcmp(again, data, size) == 0);
    return 0;
}
