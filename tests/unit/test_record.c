/* callout/record: round trips, and everything that is no record. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "callout/record.h"
#include "store/store.h"
#include "suite.h"

#define HEAD_SIZE 37 /* of a record without evidence: 4 + 4 * 8 + 1 */

static void fill_bytes(char *dst, size_t size)
{
    memset(dst, 'x', size - 1);
    dst[size - 1] = '\0';
}

static void sample(struct record *r)
{
    struct evidence *e = &r->verdict.evidence;

    memset(r, 0, sizeof(*r));
    verdict_init(&r->verdict, REASON_NO_MAILBOX, SOURCE_PROBE);
    r->verdict.has_evidence = true;
    e->stage = SMTP_STAGE_RCPT;
    e->code = 550;
    e->enhanced = (struct enhanced_code){5, 1, 999};
    (void)str_copy(e->text, sizeof(e->text), "no such user h\xc3\xa8re");
    (void)str_copy(e->mx, sizeof(e->mx), "mx1.example.net");
    (void)str_copy(e->tls, sizeof(e->tls), "TLSv1.3");
    (void)str_copy(e->provider, sizeof(e->provider), "example");
    (void)str_copy(e->rule, sizeof(e->rule), "no-mailbox");
    e->catch_all = CATCH_ALL_SELECTIVE;
    ck_assert(netaddr_parse("2001:db8::25", &e->ip));
    r->verdict.probed_at = 1700000000;
    r->verdict.refresh_at = 1700000001;
    r->verdict.expires_at = INT64_MAX;
    r->retry_at = 1700000002;
    r->noted = REASON_LOCAL_FAULT;
}

static void check_round_trip(const struct record *r)
{
    uint8_t buf[RECORD_SIZE_MAX], again[RECORD_SIZE_MAX];
    struct record out;
    size_t n = record_encode(r, buf, sizeof(buf));

    ck_assert_uint_gt(n, 0);
    memset(&out, 0x5a, sizeof(out));
    ck_assert(record_decode(buf, n, &out));
    ck_assert_int_eq(out.verdict.reason, r->verdict.reason);
    ck_assert_int_eq(out.verdict.status, r->verdict.status);
    ck_assert_int_eq(out.verdict.source, r->verdict.source);
    ck_assert_int_eq(out.verdict.has_evidence, r->verdict.has_evidence);
    ck_assert_int_eq(out.verdict.probed_at, r->verdict.probed_at);
    ck_assert_int_eq(out.verdict.refresh_at, r->verdict.refresh_at);
    ck_assert_int_eq(out.verdict.expires_at, r->verdict.expires_at);
    ck_assert_int_eq(out.verdict.ms, 0);
    ck_assert_int_eq(out.retry_at, r->retry_at);
    ck_assert_int_eq(out.noted, r->noted);
    ck_assert_int_eq(out.verdict.evidence.stage, r->verdict.evidence.stage);
    ck_assert_int_eq(out.verdict.evidence.failure, r->verdict.evidence.failure);
    ck_assert_int_eq(out.verdict.evidence.code, r->verdict.evidence.code);
    ck_assert_int_eq(out.verdict.evidence.enhanced.cls, r->verdict.evidence.enhanced.cls);
    ck_assert_int_eq(out.verdict.evidence.enhanced.subject, r->verdict.evidence.enhanced.subject);
    ck_assert_int_eq(out.verdict.evidence.enhanced.detail, r->verdict.evidence.enhanced.detail);
    ck_assert_str_eq(out.verdict.evidence.text, r->verdict.evidence.text);
    ck_assert_str_eq(out.verdict.evidence.mx, r->verdict.evidence.mx);
    ck_assert_str_eq(out.verdict.evidence.tls, r->verdict.evidence.tls);
    ck_assert_str_eq(out.verdict.evidence.provider, r->verdict.evidence.provider);
    ck_assert_str_eq(out.verdict.evidence.rule, r->verdict.evidence.rule);
    ck_assert_int_eq(out.verdict.evidence.catch_all, r->verdict.evidence.catch_all);
    ck_assert(memcmp(&out.verdict.evidence.ip, &r->verdict.evidence.ip,
                     sizeof(out.verdict.evidence.ip)) == 0);
    ck_assert_uint_eq(record_encode(&out, again, sizeof(again)), n);
    ck_assert(memcmp(buf, again, n) == 0);
}

START_TEST(test_round_trip)
{
    struct record r;

    sample(&r);
    check_round_trip(&r);
    ck_assert(netaddr_parse("192.0.2.25", &r.verdict.evidence.ip));
    r.verdict.evidence.failure = SMTP_FAILURE_TIMEOUT;
    r.verdict.evidence.code = 0;
    r.verdict.evidence.enhanced = (struct enhanced_code){0, 0, 0};
    check_round_trip(&r);
    memset(&r.verdict.evidence.ip, 0, sizeof(r.verdict.evidence.ip));
    check_round_trip(&r);
}
END_TEST

START_TEST(test_round_trip_of_every_reason)
{
    struct record r = {0};

    verdict_init(&r.verdict, (enum verdict_reason)_i, SOURCE_DNS);
    check_round_trip(&r);
}
END_TEST

START_TEST(test_largest_fits)
{
    struct record r;

    sample(&r);
    fill_bytes(r.verdict.evidence.text, sizeof(r.verdict.evidence.text));
    fill_bytes(r.verdict.evidence.mx, sizeof(r.verdict.evidence.mx));
    fill_bytes(r.verdict.evidence.tls, sizeof(r.verdict.evidence.tls));
    fill_bytes(r.verdict.evidence.provider, sizeof(r.verdict.evidence.provider));
    fill_bytes(r.verdict.evidence.rule, sizeof(r.verdict.evidence.rule));
    check_round_trip(&r);
}
END_TEST

START_TEST(test_small_buffers_and_cut_records)
{
    uint8_t buf[RECORD_SIZE_MAX], cut[RECORD_SIZE_MAX];
    struct record r, out;
    size_t n;

    sample(&r);
    n = record_encode(&r, buf, sizeof(buf));
    for (size_t size = 0; size < n; size++) {
        ck_assert_uint_eq(record_encode(&r, cut, size), 0);
        ck_assert(!record_decode(buf, size, &out));
    }
    ck_assert_uint_eq(record_encode(&r, cut, n), n);
    buf[n] = 0;
    ck_assert(!record_decode(buf, n + 1, &out));
}
END_TEST

/* Octets of the sample that have few allowed values: where, and the first that is not. */
static const struct {
    size_t at;
    uint8_t value;
} broken[] = {
    {0, RECORD_VERSION + 1},
    {0, 0},
    {1, VERDICT_REASON_COUNT},
    {1, 255},
    {2, SOURCE_OVERLAY + 1},
    {3, 2},
    {11, 0x80}, /* a negative time */
    {36, VERDICT_REASON_COUNT},
    {HEAD_SIZE, SMTP_STAGE_QUIT + 1},
    {HEAD_SIZE + 1, SMTP_FAILURE_LOCAL + 1},
    {HEAD_SIZE + 3, 0}, /* code 38 */
    {HEAD_SIZE + 3, 3}, /* code 806 */
    {HEAD_SIZE + 4, 3}, /* class 3 */
    {HEAD_SIZE + 4, 6},
    {HEAD_SIZE + 6, 4}, /* subject 1025 */
    {HEAD_SIZE + 8, 4}, /* detail 1255 */
    {HEAD_SIZE + 9, 5}, /* no such family */
    {HEAD_SIZE + 26, CATCH_ALL_NOT_KNOWN + 1},
    {HEAD_SIZE + 27, 0}, /* text shorter than it is */
    {HEAD_SIZE + 28, 9}, /* and longer than it may be */
    {HEAD_SIZE + 30, 0}, /* a NUL inside */
};

START_TEST(test_broken)
{
    uint8_t buf[RECORD_SIZE_MAX];
    struct record r, out;
    size_t n;

    sample(&r);
    n = record_encode(&r, buf, sizeof(buf));
    ck_assert(record_decode(buf, n, &out));
    ck_assert_uint_ne(buf[broken[_i].at], broken[_i].value);
    buf[broken[_i].at] = broken[_i].value;
    ck_assert(!record_decode(buf, n, &out));
}
END_TEST

START_TEST(test_encoding_is_fixed)
{
    static const uint8_t expected[] = {
        2, 4, 1, 0, 0x04, 0x03, 0x02, 0x01, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0,  0,
        0, 6, 0, 0, 0,    0,    0,    0,    0, 7, 0, 0, 0, 0, 0, 0, 0, 26,
    };
    struct record r = {0};
    uint8_t buf[RECORD_SIZE_MAX];

    verdict_init(&r.verdict, REASON_NO_MAILBOX, SOURCE_PROBE);
    r.verdict.probed_at = 0x01020304;
    r.verdict.refresh_at = 5;
    r.verdict.expires_at = 6;
    r.retry_at = 7;
    r.noted = REASON_TIMEOUT;
    ck_assert_uint_eq(record_encode(&r, buf, sizeof(buf)), sizeof(expected));
    ck_assert(memcmp(buf, expected, sizeof(expected)) == 0);
}
END_TEST

static size_t key_of(const char *text, bool null_sender, uint8_t buf[RECORD_KEY_SIZE])
{
    struct address a;
    const char *why;

    ck_assert(address_parse(text, strlen(text), &a, &why));
    return record_key(&a, null_sender, buf);
}

START_TEST(test_key)
{
    uint8_t a[RECORD_KEY_SIZE], b[RECORD_KEY_SIZE];
    size_t n = key_of("Alice@Example.COM", false, a);

    ck_assert_uint_eq(n, 17);
    ck_assert(memcmp(a, "example.com\0alice", n) == 0);
    ck_assert_uint_eq(key_of("\"alice\"@example.com", false, b), n);
    ck_assert(memcmp(a, b, n) == 0);
    n = key_of("\"a@b\"@example.com", false, a);
    ck_assert(memcmp(a, "example.com\0\"a@b\"", n) == 0);
    ck_assert_uint_eq(n, 17);
    ck_assert_uint_eq(key_of("alice@example.com", true, a), 18);
    ck_assert(memcmp(a, "example.com\0alice\0", 18) == 0);
    ck_assert_uint_le(RECORD_KEY_SIZE, STORE_KEY_MAX);
    ck_assert_uint_le(RECORD_SIZE_MAX, STORE_VALUE_MAX);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("record");
    TCase *t = tcase_create("record");

    tcase_add_test(t, test_round_trip);
    tcase_add_loop_test(t, test_round_trip_of_every_reason, 0, VERDICT_REASON_COUNT);
    tcase_add_test(t, test_largest_fits);
    tcase_add_test(t, test_small_buffers_and_cut_records);
    tcase_add_loop_test(t, test_broken, 0, (int)(sizeof(broken) / sizeof(broken[0])));
    tcase_add_test(t, test_encoding_is_fixed);
    tcase_add_test(t, test_key);
    suite_add_tcase(s, t);
    return suite_run(s);
}
