#include <string.h>

#include "base/str.h"
#include "cache/entry_part.h"
#include "callout/record.h"

_Static_assert(RECORD_SIZE_MAX <= ENTRY_VALUE_MAX, "a record is an entry");

bool entry_address_parse(const char *text, struct address *out, const char **why)
{
    if (!address_parse(text, strlen(text), out, why))
        return false;
    if (strcmp(out->canonical, text) == 0)
        return true;
    address_keep_case(out);
    *why = "not in the form in which addresses are kept";
    return strcmp(out->canonical, text) == 0;
}

bool entry_address_text(const uint8_t *key, size_t key_len, bool *null_sender,
                        char text[ADDRESS_TEXT_SIZE])
{
    const uint8_t *nul = memchr(key, '\0', key_len);
    uint8_t again[RECORD_KEY_SIZE];
    size_t domain_len, local_len;
    struct address a;
    const char *why;

    if (nul == NULL || key_len > RECORD_KEY_SIZE)
        return false;
    domain_len = (size_t)(nul - key);
    local_len = key_len - domain_len - 1;
    *null_sender = local_len > 0 && key[key_len - 1] == '\0';
    return str_format(text, ADDRESS_TEXT_SIZE, "%.*s@%s", (int)(local_len - *null_sender),
                      (const char *)nul + 1, (const char *)key) &&
           entry_address_parse(text, &a, &why) && record_key(&a, *null_sender, again) == key_len &&
           memcmp(again, key, key_len) == 0;
}

static void put_evidence(struct entry_out *out, const struct evidence *e)
{
    struct entry_out reply = {.o = json_object(), .ok = true};

    entry_put_text(&reply, "stage", smtp_stage_name(e->stage));
    if (e->failure != SMTP_FAILURE_NONE)
        entry_put_text(&reply, "failure", smtp_failure_name(e->failure));
    entry_put_reply(&reply, e->code, &e->enhanced, e->text);
    entry_put_text(&reply, "rule", e->rule);
    entry_put_inner(out, "reply", &reply);
    entry_put_text(out, "mx", e->mx);
    entry_put_ip(out, "ip", &e->ip);
    entry_put_text(out, "tls", e->tls);
    entry_put_text(out, "provider", e->provider);
    if (e->catch_all != CATCH_ALL_UNTESTED)
        entry_put_text(out, "catch_all", catch_all_fact_name(e->catch_all));
}

bool entry_address_put(struct entry_out *out, const uint8_t *key, size_t key_len,
                       const uint8_t *value, size_t value_len)
{
    char address[ADDRESS_TEXT_SIZE];
    const struct verdict *v;
    struct record r;
    bool null_sender;

    if (!entry_address_text(key, key_len, &null_sender, address) ||
        !record_decode(value, value_len, &r))
        return false;
    v = &r.verdict;
    entry_put(out, "address", json_string(address));
    entry_put_flag(out, "null_sender", null_sender);
    entry_put_text(out, "status", verdict_status_name(v->status));
    entry_put_text(out, "reason", verdict_reason_name(v->reason));
    entry_put_text(out, "source", verdict_source_name(v->source));
    entry_put_time(out, "probed_at", v->probed_at);
    entry_put_time(out, "refresh_at", v->refresh_at);
    entry_put_time(out, "expires_at", v->expires_at);
    entry_put_time(out, "retry_at", r.retry_at);
    if (r.retry_at != 0 || r.noted != v->reason)
        entry_put_text(out, "noted", verdict_reason_name(r.noted));
    if (v->has_evidence)
        put_evidence(out, &v->evidence);
    return true;
}

static void get_evidence(struct entry_in *in, struct evidence *e)
{
    struct entry_in reply = entry_enter(in, "reply");

    entry_check(&reply, "stage", smtp_stage_parse(entry_get_string(&reply, "stage"), &e->stage),
                "no such stage");
    if (entry_has(&reply, "failure"))
        entry_check(&reply, "failure",
                    smtp_failure_parse(entry_get_string(&reply, "failure"), &e->failure),
                    "no such failure");
    entry_get_reply(&reply, &e->code, &e->enhanced, e->text, sizeof(e->text));
    entry_get_text(&reply, "rule", e->rule, sizeof(e->rule));
    entry_leave(in, &reply);
    entry_get_text(in, "mx", e->mx, sizeof(e->mx));
    entry_get_ip(in, "ip", &e->ip);
    entry_get_text(in, "tls", e->tls, sizeof(e->tls));
    entry_get_text(in, "provider", e->provider, sizeof(e->provider));
    if (entry_has(in, "catch_all"))
        entry_check(in, "catch_all",
                    catch_all_fact_parse(entry_get_string(in, "catch_all"), &e->catch_all),
                    "no such fact");
}

static void get_verdict(struct entry_in *in, struct verdict *v)
{
    enum verdict_reason reason = REASON_MAILBOX_EXISTS;
    enum verdict_source source = SOURCE_STORE;

    entry_check(in, "reason", verdict_reason_parse(entry_get_string(in, "reason"), &reason),
                "no such reason");
    entry_check(in, "source", verdict_source_parse(entry_get_string(in, "source"), &source),
                "no such source");
    verdict_init(v, reason, source);
    v->probed_at = entry_get_time(in, "probed_at");
    v->refresh_at = entry_get_time(in, "refresh_at");
    v->expires_at = entry_get_time(in, "expires_at");
    v->has_evidence = entry_has(in, "reply");
    if (v->has_evidence)
        get_evidence(in, &v->evidence);
}

void entry_address_get(struct entry_in *in, struct entry *entry)
{
    struct record r = {0};
    const char *why = "";
    struct address a;

    get_verdict(in, &r.verdict);
    r.retry_at = entry_get_time(in, "retry_at");
    r.noted = r.verdict.reason;
    if (entry_has(in, "noted"))
        entry_check(in, "noted", verdict_reason_parse(entry_get_string(in, "noted"), &r.noted),
                    "no such reason");
    if (entry_address_parse(entry_get_string(in, "address"), &a, &why))
        entry->key_len = record_key(&a, entry_get_flag(in, "null_sender"), entry->key);
    entry_check(in, "address", entry->key_len > 0, why);
    entry->value_len = record_encode(&r, entry->value, sizeof(entry->value));
    entry->expires = r.verdict.expires_at;
}
