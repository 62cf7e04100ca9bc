#include "dns/answer.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define ALIASES_MAX 16
#define SCAN_MAX    1024 /* records of a section looked at */
#define LABEL_MAX   63

const char *dns_type_name(enum dns_type type)
{
    static const char *const names[] = {
#define X(id, name, number) [DNS_##id] = name,
        DNS_TYPES(X)
#undef X
    };

    return names[type];
}

uint16_t dns_type_number(enum dns_type type)
{
    static const uint16_t numbers[] = {
#define X(id, name, number) [DNS_##id] = number,
        DNS_TYPES(X)
#undef X
    };

    return numbers[type];
}

const char *dns_status_name(enum dns_status status)
{
    static const char *const names[] = {
#define X(id, name) [DNS_##id] = name,
        DNS_STATUSES(X)
#undef X
    };

    return names[status];
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_name_clean(const char *name, char out[DNS_NAME_SIZE])
{
    size_t len = strlen(name), label = 0;

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len > DNS_NAME_SIZE - 3)
        return false;
    str_copyn(out, DNS_NAME_SIZE, name, len);
    str_lower(out);
    for (size_t i = 0; i < len; i++) {
        if (out[i] == '.' && label == 0)
            return false;
        label = out[i] == '.' ? 0 : label + 1;
        if (label > LABEL_MAX || (label > 0 && !name_char(out[i])))
            return false;
    }
    return label > 0;
}

/* RFC 2181 section 8: the top bit set means zero. */
static uint32_t ttl_read(uint32_t ttl, uint32_t cap)
{
    if (ttl > INT32_MAX)
        return 0;
    return ttl < cap ? ttl : cap;
}

static void ttl_lower(uint32_t *ttl, uint32_t other)
{
    if (other < *ttl)
        *ttl = other;
}

/* What is read of, and the name looked for as presentation text, folded. */
struct reading {
    ns_msg msg;
    char name[NS_MAXDNAME];
    uint32_t ttl;
    enum dns_type type;
    bool broken; /* a record could not be read: what follows it is lost */
};

static bool section_get(struct reading *r, ns_sect section, int i, ns_rr *rr)
{
    if (i >= SCAN_MAX || i >= ns_msg_count(r->msg, section))
        return false;
    if (ns_parserr(&r->msg, section, i, rr) != 0)
        r->broken = true;
    return !r->broken;
}

static bool owner_is(const ns_rr *rr, const char *name)
{
    char owner[NS_MAXDNAME];

    str_copy(owner, sizeof(owner), ns_rr_name(*rr));
    str_lower(owner);
    return ns_rr_class(*rr) == ns_c_in && strcmp(owner, name) == 0;
}

/* The name inside rdata, from `skip` bytes on to its very end. */
static bool rdata_name(const ns_msg *msg, const ns_rr *rr, size_t skip, char out[NS_MAXDNAME])
{
    const uint8_t *at = ns_rr_rdata(*rr) + skip;
    int used;

    if (ns_rr_rdlen(*rr) <= skip)
        return false;
    used = ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), at, out, NS_MAXDNAME);
    return used > 0 && (size_t)used + skip == ns_rr_rdlen(*rr);
}

/* One step from r->name along a CNAME. `*moved` says whether there was one. */
static bool alias_step(struct reading *r, bool *moved)
{
    ns_rr rr;

    *moved = false;
    for (int i = 0; section_get(r, ns_s_an, i, &rr); i++) {
        if (ns_rr_type(rr) != ns_t_cname || !owner_is(&rr, r->name))
            continue;
        if (!rdata_name(&r->msg, &rr, 0, r->name))
            return false;
        str_lower(r->name);
        ttl_lower(&r->ttl, ttl_read(ns_rr_ttl(rr), DNS_TTL_MAX));
        *moved = true;
        return true;
    }
    return true;
}

/* Leaves the end of the chain in r->name. Resolvers put all of it into the answer section. */
static bool aliases_follow(struct reading *r)
{
    bool moved = true;

    for (int i = 0; moved; i++)
        if (i > ALIASES_MAX || !alias_step(r, &moved))
            return false;
    return true;
}

/* RFC 1035 section 3.3.9: preference, exchange. */
static bool mx_read(const struct reading *r, const ns_rr *rr, struct dns_mx *mx)
{
    char name[NS_MAXDNAME];

    if (!rdata_name(&r->msg, rr, NS_INT16SZ, name))
        return false;
    mx->preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
    mx->name[0] = '\0';
    return name[0] == '\0' || strcmp(name, ".") == 0 || dns_name_clean(name, mx->name);
}

static bool ns_read(const struct reading *r, const ns_rr *rr)
{
    char name[NS_MAXDNAME];

    return rdata_name(&r->msg, rr, 0, name);
}

static bool ip_read(const ns_rr *rr, int family, struct netaddr *ip)
{
    size_t len = family == AF_INET ? NS_INADDRSZ : NS_IN6ADDRSZ;

    if (ns_rr_rdlen(*rr) != len)
        return false;
    memset(ip, 0, sizeof(*ip));
    ip->family = family;
    memcpy(ip->bytes, ns_rr_rdata(*rr), len);
    return true;
}

static bool record_wanted(const struct reading *r, const ns_rr *rr)
{
    return ns_rr_type(*rr) == dns_type_number(r->type) && owner_is(rr, r->name);
}

/* How many there are, but no more than are kept; the TTL is that of all of them. */
static size_t records_count(struct reading *r)
{
    size_t n = 0;
    ns_rr rr;

    for (int i = 0; n < DNS_RECORDS_MAX && section_get(r, ns_s_an, i, &rr); i++) {
        if (!record_wanted(r, &rr))
            continue;
        ttl_lower(&r->ttl, ttl_read(ns_rr_ttl(rr), DNS_TTL_MAX));
        n++;
    }
    return n;
}

static void record_add(const struct reading *r, const ns_rr *rr, struct dns_answer *a)
{
    bool usable;

    if (a->mxs != NULL)
        usable = mx_read(r, rr, &a->mxs[a->count]);
    else if (a->ips != NULL)
        usable = ip_read(rr, r->type == DNS_A ? AF_INET : AF_INET6, &a->ips[a->count]);
    else
        usable = ns_read(r, rr);
    if (usable)
        a->count++;
    else
        a->unusable++;
}

static bool records_alloc(const struct reading *r, struct dns_answer *a, size_t n)
{
    if (r->type == DNS_NS)
        return true;
    if (r->type == DNS_MX) {
        a->mxs = calloc(n, sizeof(*a->mxs));
        return a->mxs != NULL;
    }
    a->ips = calloc(n, sizeof(*a->ips));
    return a->ips != NULL;
}

static void records_free(struct dns_answer *a)
{
    free(a->mxs);
    free(a->ips);
    a->mxs = NULL;
    a->ips = NULL;
    a->count = 0;
}

/* False when out of memory. */
static bool records_collect(struct reading *r, struct dns_answer *a)
{
    size_t n = records_count(r);
    ns_rr rr;

    if (n == 0)
        return true;
    if (!records_alloc(r, a, n))
        return false;
    for (int i = 0; a->count + a->unusable < n && section_get(r, ns_s_an, i, &rr); i++)
        if (record_wanted(r, &rr))
            record_add(r, &rr, a);
    return true;
}

/*
 * RFC 2308 section 5: the lesser of the SOA's own TTL and its last field, the minimum. Without an
 * SOA "no" is not to be kept, and section 2.2: NS records in its place make it a referral, which
 * says nothing; nor does the silence of a server that does not recurse.
 */
static bool negative_ttl(struct reading *r)
{
    bool recursive = ns_msg_getflag(r->msg, ns_f_ra) != 0, referral = false;
    ns_rr rr;

    for (int i = 0; section_get(r, ns_s_ns, i, &rr); i++) {
        size_t len = ns_rr_rdlen(rr);

        if (ns_rr_type(rr) == ns_t_ns)
            referral = true;
        if (ns_rr_type(rr) != ns_t_soa || len < 2 + 5 * NS_INT32SZ)
            continue;
        ttl_lower(&r->ttl, ttl_read(ns_rr_ttl(rr), DNS_NEGATIVE_TTL_MAX));
        ttl_lower(&r->ttl, ttl_read((uint32_t)ns_get32(ns_rr_rdata(rr) + len - NS_INT32SZ),
                                    DNS_NEGATIVE_TTL_MAX));
        return true;
    }
    r->ttl = 0;
    return recursive && !referral;
}

/* Everything but the memory for it; false: SERVFAIL. */
static bool reading_start(struct reading *r, const uint8_t *msg, size_t len)
{
    int rcode;

    if (len > NS_MAXMSG || ns_initparse(msg, (int)len, &r->msg) != 0)
        return false;
    rcode = ns_msg_getflag(r->msg, ns_f_rcode);
    return ns_msg_getflag(r->msg, ns_f_qr) != 0 && ns_msg_getflag(r->msg, ns_f_tc) == 0 &&
           (rcode == ns_r_noerror || rcode == ns_r_nxdomain) && aliases_follow(r);
}

static enum dns_status status_decide(struct reading *r, bool exists, const struct dns_answer *a)
{
    bool sure;

    if (a->count + a->unusable > 0)
        return r->broken ? DNS_SERVFAIL : DNS_OK;
    sure = negative_ttl(r);
    if (r->broken || (exists && !sure))
        return DNS_SERVFAIL;
    return exists ? DNS_NODATA : DNS_NXDOMAIN;
}

struct dns_answer *dns_answer_parse(const uint8_t *msg, size_t len, const char *name,
                                    enum dns_type type)
{
    struct dns_answer *a = dns_answer_empty(DNS_SERVFAIL);
    struct reading r = {.ttl = DNS_TTL_MAX, .type = type};
    bool exists;

    if (a == NULL)
        return NULL;
    str_copy(r.name, sizeof(r.name), name[0] != '\0' ? name : "."); /* as ns_rr_name() has it */
    if (!reading_start(&r, msg, len))
        return a;
    exists = ns_msg_getflag(r.msg, ns_f_rcode) == ns_r_noerror;
    if (exists && !records_collect(&r, a)) {
        dns_answer_unref(&a);
        return NULL;
    }
    a->status = status_decide(&r, exists, a);
    if (a->status == DNS_SERVFAIL)
        records_free(a);
    else
        a->ttl = r.ttl;
    return a;
}

struct dns_answer *dns_answer_empty(enum dns_status status)
{
    struct dns_answer *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->status = status;
    a->refs = 1;
    return a;
}

size_t dns_answer_size(const struct dns_answer *a)
{
    size_t mxs = a->mxs != NULL ? a->count : 0, ips = a->ips != NULL ? a->count : 0;

    return sizeof(*a) + mxs * sizeof(*a->mxs) + ips * sizeof(*a->ips);
}

struct dns_answer *dns_answer_ref(struct dns_answer *a)
{
    a->refs++;
    return a;
}

void dns_answer_unref(struct dns_answer **ap)
{
    struct dns_answer *a = *ap;

    *ap = NULL;
    if (a == NULL || --a->refs > 0)
        return;
    records_free(a);
    free(a);
}
