#include "callout/record.h"

#include <string.h>

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

#define ENHANCED_PART_MAX 999 /* RFC 3463 section 2 */

#define X(id, name) +1
enum {
    STAGE_COUNT = 0 SMTP_STAGES(X),
    FAILURE_COUNT = 0 SMTP_FAILURES(X),
    SOURCE_COUNT = 0 VERDICT_SOURCES(X),
    CATCH_ALL_COUNT = 0 CATCH_ALL_FACTS(X),
};
#undef X

struct writer {
    uint8_t *at;
    size_t left;
    bool ok;
};

struct reader {
    const uint8_t *at;
    size_t left;
    bool ok;
};

static void put_bytes(struct writer *w, const void *src, size_t n)
{
    if (!w->ok || n > w->left) {
        w->ok = false;
        return;
    }
    memcpy(w->at, src, n);
    w->at += n;
    w->left -= n;
}

static void put_uint(struct writer *w, uint64_t value, size_t octets)
{
    uint8_t le[8];

    for (size_t i = 0; i < octets; i++)
        le[i] = (uint8_t)(value >> (8 * i));
    put_bytes(w, le, octets);
}

static void put_string(struct writer *w, const char *s, size_t size)
{
    size_t n = strnlen(s, size - 1);

    put_uint(w, n, 2);
    put_bytes(w, s, n);
}

static void get_bytes(struct reader *r, void *dst, size_t n)
{
    if (!r->ok || n > r->left) {
        r->ok = false;
        return;
    }
    memcpy(dst, r->at, n);
    r->at += n;
    r->left -= n;
}

/* A value of `octets` octets, at most `max`; 0 when there is none. */
static uint64_t get_uint(struct reader *r, size_t octets, uint64_t max)
{
    uint8_t le[8] = {0};
    uint64_t value = 0;

    get_bytes(r, le, octets);
    for (size_t i = 0; i < octets; i++)
        value |= (uint64_t)le[i] << (8 * i);
    if (value > max)
        r->ok = false;
    return r->ok ? value : 0;
}

static int64_t get_time(struct reader *r)
{
    return (int64_t)get_uint(r, 8, INT64_MAX);
}

static void get_string(struct reader *r, char *dst, size_t size)
{
    size_t n = (size_t)get_uint(r, 2, size - 1);

    get_bytes(r, dst, n);
    if (r->ok && memchr(dst, '\0', n) != NULL)
        r->ok = false;
    if (r->ok)
        dst[n] = '\0';
}

static void put_address(struct writer *w, const struct netaddr *ip)
{
    size_t n = ip->family == AF_INET ? 4 : ip->family == AF_INET6 ? 16 : 0;

    put_uint(w, n == 4 ? 4 : n == 16 ? 6 : 0, 1);
    put_bytes(w, ip->bytes, n);
}

static void get_address(struct reader *r, struct netaddr *ip)
{
    switch (get_uint(r, 1, 6)) {
    case 0:
        ip->family = AF_UNSPEC;
        break;
    case 4:
        ip->family = AF_INET;
        get_bytes(r, ip->bytes, 4);
        break;
    case 6:
        ip->family = AF_INET6;
        get_bytes(r, ip->bytes, 16);
        break;
    default:
        r->ok = false;
    }
}

static void put_evidence(struct writer *w, const struct evidence *e)
{
    put_uint(w, e->stage, 1);
    put_uint(w, e->failure, 1);
    put_uint(w, e->code, 2);
    put_uint(w, e->enhanced.cls, 1);
    put_uint(w, e->enhanced.subject, 2);
    put_uint(w, e->enhanced.detail, 2);
    put_address(w, &e->ip);
    put_uint(w, e->catch_all, 1);
    put_string(w, e->text, sizeof(e->text));
    put_string(w, e->mx, sizeof(e->mx));
    put_string(w, e->tls, sizeof(e->tls));
    put_string(w, e->provider, sizeof(e->provider));
    put_string(w, e->rule, sizeof(e->rule));
}

static void get_evidence(struct reader *r, struct evidence *e)
{
    e->stage = (enum smtp_stage)get_uint(r, 1, STAGE_COUNT - 1);
    e->failure = (enum smtp_failure)get_uint(r, 1, FAILURE_COUNT - 1);
    e->code = (uint16_t)get_uint(r, 2, 599);
    e->enhanced.cls = (uint8_t)get_uint(r, 1, 5);
    e->enhanced.subject = (uint16_t)get_uint(r, 2, ENHANCED_PART_MAX);
    e->enhanced.detail = (uint16_t)get_uint(r, 2, ENHANCED_PART_MAX);
    get_address(r, &e->ip);
    e->catch_all = (enum catch_all_fact)get_uint(r, 1, CATCH_ALL_COUNT - 1);
    get_string(r, e->text, sizeof(e->text));
    get_string(r, e->mx, sizeof(e->mx));
    get_string(r, e->tls, sizeof(e->tls));
    get_string(r, e->provider, sizeof(e->provider));
    get_string(r, e->rule, sizeof(e->rule));
    if ((e->code != 0 && e->code < 200) || e->enhanced.cls == 1 || e->enhanced.cls == 3)
        r->ok = false;
}

size_t record_encode(const struct record *rec, uint8_t *buf, size_t size)
{
    const struct verdict *v = &rec->verdict;
    struct writer w = {.at = buf, .left = size, .ok = true};

    put_uint(&w, RECORD_VERSION, 1);
    put_uint(&w, v->reason, 1);
    put_uint(&w, v->source, 1);
    put_uint(&w, v->has_evidence, 1);
    put_uint(&w, (uint64_t)v->probed_at, 8);
    put_uint(&w, (uint64_t)v->refresh_at, 8);
    put_uint(&w, (uint64_t)v->expires_at, 8);
    put_uint(&w, (uint64_t)rec->retry_at, 8);
    put_uint(&w, rec->noted, 1);
    if (v->has_evidence)
        put_evidence(&w, &v->evidence);
    return w.ok ? size - w.left : 0;
}

bool record_decode(const uint8_t *buf, size_t len, struct record *out)
{
    struct verdict *v = &out->verdict;
    struct reader r = {.at = buf, .left = len, .ok = true};

    memset(out, 0, sizeof(*out));
    if (get_uint(&r, 1, UINT8_MAX) != RECORD_VERSION)
        return false;
    v->reason = (enum verdict_reason)get_uint(&r, 1, VERDICT_REASON_COUNT - 1);
    v->status = verdict_reason_status(v->reason);
    v->source = (enum verdict_source)get_uint(&r, 1, SOURCE_COUNT - 1);
    v->has_evidence = get_uint(&r, 1, 1) == 1;
    v->probed_at = get_time(&r);
    v->refresh_at = get_time(&r);
    v->expires_at = get_time(&r);
    out->retry_at = get_time(&r);
    out->noted = (enum verdict_reason)get_uint(&r, 1, VERDICT_REASON_COUNT - 1);
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
