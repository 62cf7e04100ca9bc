#include <string.h>

#include "base/str.h"
#include "cache/entry_part.h"
#include "callout/codec.h"
#include "callout/domain_fact.h"

_Static_assert(DOMAIN_FACT_SIZE_MAX <= ENTRY_VALUE_MAX, "a fact is an entry");

/* In the form in which recipients have it. */
static bool is_domain(const char *text)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    const char *why;

    return address_domain_parse(text, strlen(text), domain, &why) && strcmp(domain, text) == 0;
}

static bool read_key(const uint8_t *key, size_t key_len, char domain[ADDRESS_DOMAIN_MAX + 1],
                     uint64_t *host_set)
{
    struct codec_reader r = {.at = key, .left = key_len, .ok = true};
    const uint8_t *nul = memchr(key, '\0', key_len);
    size_t len = nul != NULL ? (size_t)(nul - key) : key_len;

    if (len > ADDRESS_DOMAIN_MAX || key_len != len + 1 + sizeof(*host_set))
        return false;
    codec_get_bytes(&r, domain, len + 1);
    *host_set = codec_get_uint(&r, sizeof(*host_set), UINT64_MAX);
    return r.ok && is_domain(domain);
}

bool entry_domain_put(struct entry_out *out, const uint8_t *key, size_t key_len,
                      const uint8_t *value, size_t value_len)
{
    struct entry_out reply = {.ok = true};
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct domain_fact f;
    uint64_t host_set;

    if (!read_key(key, key_len, domain, &host_set) || !domain_fact_decode(value, value_len, &f))
        return false;
    entry_put_text(out, "domain", domain);
    entry_put_hash(out, "hosts", host_set);
    entry_put_text(out, "catch_all", catch_all_fact_name(f.catch_all));
    entry_put_time(out, "learned_at", f.learned_at);
    entry_put_time(out, "refresh_at", f.refresh_at);
    entry_put_time(out, "expires_at", f.expires_at);
    entry_put_number(out, "asked", f.asked);
    entry_put_number(out, "accepted", f.accepted);
    reply.o = json_object();
    entry_put_reply(&reply, f.code, &f.enhanced, f.text);
    entry_put_inner(out, "reply", &reply);
    entry_put_text(out, "mx", f.mx);
    return true;
}

void entry_domain_get(struct entry_in *in, struct entry *entry)
{
    const char *domain = entry_get_string(in, "domain");
    struct domain_fact f = {0};
    struct entry_in reply;

    entry_check(in, "domain", is_domain(domain), "not a domain as they are kept");
    entry_check(in, "catch_all",
                catch_all_fact_parse(entry_get_string(in, "catch_all"), &f.catch_all),
                "no such fact");
    f.learned_at = entry_get_time(in, "learned_at");
    f.refresh_at = entry_get_time(in, "refresh_at");
    f.expires_at = entry_get_time(in, "expires_at");
    f.asked = (uint8_t)entry_get_number(in, "asked", UINT8_MAX);
    f.accepted = (uint8_t)entry_get_number(in, "accepted", UINT8_MAX);
    reply = entry_enter(in, "reply");
    entry_get_reply(&reply, &f.code, &f.enhanced, f.text, sizeof(f.text));
    entry_leave(in, &reply);
    entry_get_text(in, "mx", f.mx, sizeof(f.mx));
    entry->key_len = domain_fact_key(domain, entry_get_hash(in, "hosts"), entry->key);
    entry->value_len = domain_fact_encode(&f, entry->value, sizeof(entry->value));
    entry->expires = f.expires_at;
}
