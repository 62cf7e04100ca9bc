/* callout/record: any bytes as a record. What is taken has one encoding: the input. */
#include <string.h>

#include "callout/record.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct verdict *v;
    uint8_t again[RECORD_SIZE_MAX];
    struct record r;

    if (!record_decode(data, size, &r))
        return 0;
    v = &r.verdict;
    REQUIRE(v->reason < VERDICT_REASON_COUNT && r.noted < VERDICT_REASON_COUNT);
    REQUIRE(v->status == verdict_reason_status(v->reason));
    REQUIRE(strcmp(verdict_source_name(v->source), "?") != 0);
    REQUIRE(v->probed_at >= 0 && v->refresh_at >= 0 && v->expires_at >= 0 && r.retry_at >= 0);
    REQUIRE(strnlen(v->evidence.text, sizeof(v->evidence.text)) < sizeof(v->evidence.text));
    REQUIRE(strnlen(v->evidence.mx, sizeof(v->evidence.mx)) < sizeof(v->evidence.mx));
    REQUIRE(strnlen(v->evidence.tls, sizeof(v->evidence.tls)) < sizeof(v->evidence.tls));
    REQUIRE(record_encode(&r, again, sizeof(again)) == size && memcmp(again, data, size) == 0);
    return 0;
}
