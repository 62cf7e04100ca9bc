#include "cache/key.h"

#include <string.h>

static unsigned keys_of_form(const struct address *a, struct cache_key out[2])
{
    out[0].len = record_key(a, false, out[0].bytes);
    out[1].len = record_key(a, true, out[1].bytes);
    return 2;
}

unsigned cache_keys(const struct address *a, struct cache_key out[CACHE_KEYS_MAX])
{
    struct address kept = *a;
    unsigned count = keys_of_form(a, out);

    address_keep_case(&kept);
    if (strcmp(kept.canonical, a->canonical) != 0)
        count += keys_of_form(&kept, out + count);
    return count;
}
