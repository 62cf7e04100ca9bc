#include "callout/domain_fact.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "callout/codec.h"

/*
 * u8 version, u8 catch_all, i64 learned_at, i64 refresh_at, i64 expires_at, u8 asked, u8 accepted,
 * u16 code, u8 class, u16 subject, u16 detail, text, mx.
 */
#define FACT_VERSION 1

void domain_fact_set(struct domain_fact *f, enum catch_all_fact what, const struct outcome *o,
                     const char *mx, int64_t now, const struct lifetime *life)
{
    f->catch_all = what;
    f->learned_at = now;
    f->refresh_at = now + life->refresh;
    f->expires_at = now + life->forget;
    f->code = o->reply.code;
    f->enhanced = o->reply.enhanced;
    (void)str_copy(f->text, sizeof(f->text), o->reply.code != 0 ? o->reply.text : o->detail);
    (void)str_copy(f->mx, sizeof(f->mx), mx);
}

size_t domain_fact_encode(const struct domain_fact *f, uint8_t *buf, size_t size)
{
    struct codec_writer w = {.at = buf, .left = size, .ok = true};

    codec_put_uint(&w, FACT_VERSION, 1);
    codec_put_uint(&w, f->catch_all, 1);
    codec_put_uint(&w, (uint64_t)f->learned_at, 8);
    codec_put_uint(&w, (uint64_t)f->refresh_at, 8);
    codec_put_uint(&w, (uint64_t)f->expires_at, 8);
    codec_put_uint(&w, f->asked, 1);
    codec_put_uint(&w, f->accepted, 1);
    codec_put_uint(&w, f->code, 2);
    codec_put_enhanced(&w, &f->enhanced);
    codec_put_string(&w, f->text, sizeof(f->text));
    codec_put_string(&w, f->mx, sizeof(f->mx));
    return w.ok ? size - w.left : 0;
}

bool domain_fact_decode(const uint8_t *buf, size_t len, struct domain_fact *out)
{
    struct codec_reader r = {.at = buf, .left = len, .ok = true};

    memset(out, 0, sizeof(*out));
    if (codec_get_uint(&r, 1, UINT8_MAX) != FACT_VERSION)
        return false;
    out->catch_all = (enum catch_all_fact)codec_get_uint(&r, 1, CATCH_ALL_NOT_KNOWN);
    out->learned_at = codec_get_time(&r);
    out->refresh_at = codec_get_time(&r);
    out->expires_at = codec_get_time(&r);
    out->asked = (uint8_t)codec_get_uint(&r, 1, UINT8_MAX);
    out->accepted = (uint8_t)codec_get_uint(&r, 1, out->asked);
    out->code = (uint16_t)codec_get_uint(&r, 2, 599);
    codec_get_enhanced(&r, &out->enhanced);
    codec_get_string(&r, out->text, sizeof(out->text));
    codec_get_string(&r, out->mx, sizeof(out->mx));
    return r.ok && r.left == 0 && out->catch_all != CATCH_ALL_UNTESTED;
}

size_t domain_fact_key(const char *domain, uint64_t host_set, uint8_t key[DOMAIN_FACT_KEY_SIZE])
{
    struct codec_writer w = {.at = key, .left = DOMAIN_FACT_KEY_SIZE, .ok = true};

    codec_put_bytes(&w, domain, strnlen(domain, ADDRESS_DOMAIN_MAX));
    codec_put_uint(&w, 0, 1);
    codec_put_uint(&w, host_set, 8);
    return DOMAIN_FACT_KEY_SIZE - w.left;
}

bool domain_fact_get(struct keep *k, const char *domain, uint64_t host_set, int64_t now,
                     struct domain_fact *out)
{
    uint8_t key[DOMAIN_FACT_KEY_SIZE], value[KEEP_VALUE_MAX];
    size_t len = 0, key_len = domain_fact_key(domain, host_set, key);

    if (!keep_get(k, STORE_TABLE_DOMAIN, key, key_len, now, value, &len))
        return false;
    if (domain_fact_decode(value, len, out))
        return true;
    log_warning("store: damaged record ignored: domain=%s", domain);
    return false;
}

void domain_fact_put(struct keep *k, const char *domain, uint64_t host_set,
                     const struct domain_fact *f)
{
    uint8_t key[DOMAIN_FACT_KEY_SIZE], value[DOMAIN_FACT_SIZE_MAX];
    size_t key_len = domain_fact_key(domain, host_set, key),
           len = domain_fact_encode(f, value, sizeof(value));

    keep_put(k, STORE_TABLE_DOMAIN, key, key_len, value, len, f->expires_at);
}
