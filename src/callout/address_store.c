#include "callout/address_store.h"

#include "base/clock.h"
#include "base/log.h"

bool address_store_get(struct store *s, const struct address *a, bool null_sender, int64_t now,
                       struct record *out)
{
    uint8_t key[RECORD_KEY_SIZE], value[RECORD_SIZE_MAX];
    size_t len = 0, key_len = record_key(a, null_sender, key);

    if (s == NULL)
        return false;
    if (store_get(s, STORE_TABLE_ADDRESS, key, key_len, now, value, sizeof(value), &len) !=
        STORE_OK)
        return false;
    if (record_decode(value, len, out))
        return true;
    log_warning("store: damaged record ignored: address=<%s>", a->canonical);
    return false;
}

bool address_store_put(struct store *s, const struct address *a, bool null_sender,
                       const struct record *r, store_done done, void *arg)
{
    uint8_t key[RECORD_KEY_SIZE], value[RECORD_SIZE_MAX];
    size_t key_len = record_key(a, null_sender, key), len = record_encode(r, value, sizeof(value));

    return s != NULL && len > 0 &&
           store_put(s, STORE_TABLE_ADDRESS, key, key_len, value, len, r->verdict.expires_at, done,
                     arg);
}

enum recall address_store_recall(struct store *s, const struct address *a, bool null_sender,
                                 uint64_t stale_ok, bool want_catch_all, struct verdict *out)
{
    int64_t now = clock_wall();
    struct record r;

    if (!address_store_get(s, a, null_sender, now, &r) ||
        (want_catch_all && recall_untested(&r) && now >= r.retry_at))
        return RECALL_ASK;
    return recall_judge(&r, now, stale_ok, out);
}
