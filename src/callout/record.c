#include "callout/record.h"

#include <string.h>

#include "callout/codec.h"

/*
 * All integers little-endian, times in seconds since the epoch and never negative:
 *
 *   u8 version, u8 reason, u8 source, u8 evidence (0 or 1),
 *   i64 probed_at, i64 refresh_at, i64 expires_at, i64 retry_at, u8 noted,
 *   and where evidence is 1:
 *   u8 stage, u8 failure, u16 code, u8 class, u16 subject, u16 detail,
 *   u8 family (0, 4 or 6), that many octets of address (0, 4 or 16),
 *   u8 catch_all, and text, mx, tls, provider and rule, each u16 length and octets without NUL.
 *
 * The status is not stored: it is the reason's. Every record has one encoding only.
 */

#define X(id, name) +1
enum {
    STAGE_COUNT = 0 SMTP_STAGES(X),
    FAILURE_COUNT = 0 SMTP_FAILURES(X),
    SOURCE_COUNT = 0 VERDICT_SOURCES(X),
    CATCH_ALL_COUNT = 0 CATCH_ALL_FACTS(X),
};
#undef X

static void put_address(struct codec_writer *w, const struct netaddr *ip)
{
    size_t n = ip->family == AF_INET ? 4 : ip->family == AF_INET6 ? 16 : 0;

    codec_put_uint(w, n == 4 ? 4 : n == 16 ? 6 : 0, 1);
    codec_put_bytes(w, ip->bytes, n);
}

static void get_address(struct codec_reader *r, struct netaddr *ip)
{
    switch (codec_get_uint(r, 1, 6)) {
    case 0:
        ip->family = AF_UNSPEC;
        break;
    case 4:
        ip->family = AF_INET;
        codec_get_bytes(r, ip->bytes, 4);
        break;
    case 6:
        ip->family = AF_INET6;
        codec_get_bytes(r, ip->bytes, 16);
        break;
    default:
        r->ok = false;
    }
}

static void put_evidence(struct codec_writer *w, const struct evidence *e)
{
    codec_put_uint(w, e->stage, 1);
    codec_put_uint(w, e->failure, 1);
    codec_put_uint(w, e->code, 2);
    codec_put_enhanced(w, &e->enhanced);
    put_address(w, &e->ip);
    codec_put_uint(w, e->catch_all, 1);
    codec_put_string(w, e->text, sizeof(e->text));
    codec_put_string(w, e->mx, sizeof(e->mx));
    codec_put_string(w, e->tls, sizeof(e->tls));
    codec_put_string(w, e->provider, sizeof(e->provider));
    codec_put_string(w, e->rule, sizeof(e->rule));
}

static void get_evidence(struct codec_reader *r, struct evidence *e)
{
    e->stage = (enum smtp_stage)codec_get_uint(r, 1, STAGE_COUNT - 1);
    e->failure = (enum smtp_failure)codec_get_uint(r, 1, FAILURE_COUNT - 1);
    e->code = (uint16_t)codec_get_uint(r, 2, 599);
    codec_get_enhanced(r, &e->enhanced);
    get_address(r, &e->ip);
    e->catch_all = (enum catch_all_fact)codec_get_uint(r, 1, CATCH_ALL_COUNT - 1);
    codec_get_string(r, e->text, sizeof(e->text));
    codec_get_string(r, e->mx, sizeof(e->mx));
    codec_get_string(r, e->tls, sizeof(e->tls));
    codec_get_string(r, e->provider, sizeof(e->provider));
    codec_get_string(r, e->rule, sizeof(e->rule));
    if ((e->code != 0 && e->code < 200) || e->enhanced.cls == 1 || e->enhanced.cls == 3)
        r->ok = false;
}

size_t record_encode(const struct record *rec, uint8_t *buf, size_t size)
{
    const struct verdict *v = &rec->verdict;
    struct codec_writer w = {.at = buf, .left = size, .ok = true};

    codec_put_uint(&w, RECORD_VERSION, 1);
    codec_put_uint(&w, v->reason, 1);
    codec_put_uint(&w, v->source, 1);
    codec_put_uint(&w, v->has_evidence, 1);
    codec_put_uint(&w, (uint64_t)v->probed_at, 8);
    codec_put_uint(&w, (uint64_t)v->refresh_at, 8);
    codec_put_uint(&w, (uint64_t)v->expires_at, 8);
    codec_put_uint(&w, (uint64_t)rec->retry_at, 8);
    codec_put_uint(&w, rec->noted, 1);
    if (v->has_evidence)
        put_evidence(&w, &v->evidence);
    return w.ok ? size - w.left : 0;
}

bool record_decode(const uint8_t *buf, size_t len, struct record *out)
{
    struct verdict *v = &out->verdict;
    struct codec_reader r = {.at = buf, .left = len, .ok = true};

    memset(out, 0, sizeof(*out));
    if (codec_get_uint(&r, 1, UINT8_MAX) != RECORD_VERSION)
        return false;
    v->reason = (enum verdict_reason)codec_get_uint(&r, 1, VERDICT_REASON_COUNT - 1);
    v->status = verdict_reason_status(v->reason);
    v->source = (enum verdict_source)codec_get_uint(&r, 1, SOURCE_COUNT - 1);
    v->has_evidence = codec_get_uint(&r, 1, 1) == 1;
    v->probed_at = codec_get_time(&r);
    v->refresh_at = codec_get_time(&r);
    v->expires_at = codec_get_time(&r);
    out->retry_at = codec_get_time(&r);
    out->noted = (enum verdict_reason)codec_get_uint(&r, 1, VERDICT_REASON_COUNT - 1);
    if (v->has_evidence)
        get_evidence(&r, &v->evidence);
    return r.ok && r.left == 0;
}

size_t record_key(const struct address *a, bool null_sender, uint8_t buf[RECORD_KEY_SIZE])
{
    size_t domain_len = strlen(a->domain);
    size_t local_len = strlen(a->canonical) - domain_len - 1;
    size_t len = domain_len + 1 + local_len;

    memcpy(buf, a->domain, domain_len + 1);
    memcpy(buf + domain_len + 1, a->canonical, local_len);
    if (null_sender)
        buf[len++] = '\0';
    return len;
}
