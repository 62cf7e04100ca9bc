/* cache/entry: records of every table as objects, and back. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/entry.h"
#include "callout/destination.h"
#include "callout/domain_fact.h"
#include "callout/record.h"
#include "callout/schedule.h"
#include "entry_rig.h"
#include "suite.h"

#define ROUNDS 1000
#define LAST   INT64_C(253402300799) /* the last second of the year 9999 */

/*
 * Records by chance, always the same ones
 */

static uint64_t state = 1;

static uint64_t any(uint64_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 16) % below;
}

static int64_t any_time(void)
{
    return any(4) == 0 ? 0 : (int64_t)any((uint64_t)LAST + 1);
}

static int64_t any_time_ms(void)
{
    return any(4) == 0 ? 0 : (int64_t)any((uint64_t)LAST * 1000 + 1000);
}

/* Of what people can read; often empty, often as long as can be. */
static void any_text(char *dst, size_t size)
{
    static const char *const pieces[] = {
        "a",     " ",  "\"", "\\", "/", "550", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x93\xa7",
        "<x@y>", "%s", "'"};
    size_t used = 0, most = any(3) == 0 ? 0 : any(2) == 0 ? size - 1 : any(size);

    while (used < most) {
        const char *piece = pieces[any(sizeof(pieces) / sizeof(pieces[0]))];

        if (used + strlen(piece) > most)
            piece = "z";
        used += str_copy(dst + used, size - used, piece) ? strlen(piece) : 0;
    }
    dst[used] = '\0';
}

static struct enhanced_code any_enhanced(void)
{
    static const uint8_t classes[] = {2, 4, 5};

    if (any(2) == 0)
        return (struct enhanced_code){0};
    return (struct enhanced_code){classes[any(3)], (uint16_t)any(1000), (uint16_t)any(1000)};
}

static void any_ip(struct netaddr *out)
{
    memset(out, 0, sizeof(*out));
    out->family = any(3) == 0 ? AF_UNSPEC : any(2) == 0 ? AF_INET : AF_INET6;
    for (size_t i = 0; i < (out->family == AF_INET ? 4U : out->family == AF_INET6 ? 16U : 0); i++)
        out->bytes[i] = (uint8_t)(any(2) == 0 ? 0 : any(256));
}

static void any_address(struct address *out)
{
    static const char *const locals[] = {
        "bob",    "\"a@b\"", "\"a \\\"b\\\\c\"", "b.o+b/=?",        "\"\"", "j\xc3\xbcrgen",
        "\"..\"", "Bob",     "O'Brien",          "\xf0\x9f\x93\xa7"};
    static const char *const domains[] = {"example.com", "a.b.xn--bcher-kva.example", "[192.0.2.1]",
                                          "[IPv6:2001:db8::1]", "example"};
    char text[ADDRESS_TEXT_SIZE];
    const char *why;

    (void)str_format(text, sizeof(text), "%s@%s", locals[any(sizeof(locals) / sizeof(locals[0]))],
                     domains[any(sizeof(domains) / sizeof(domains[0]))]);
    ck_assert(address_parse(text, strlen(text), out, &why));
    if (any(2) == 0)
        address_keep_case(out);
}

static void any_evidence(struct evidence *e)
{
    e->stage = (enum smtp_stage)any(SMTP_STAGE_QUIT + 1);
    e->failure = (enum smtp_failure)any(SMTP_FAILURE_LOCAL + 1);
    e->code = any(3) == 0 ? 0 : (uint16_t)(200 + any(400));
    e->enhanced = any_enhanced();
    any_text(e->text, sizeof(e->text));
    any_text(e->mx, sizeof(e->mx));
    any_ip(&e->ip);
    any_text(e->tls, sizeof(e->tls));
    any_text(e->provider, sizeof(e->provider));
    any_text(e->rule, sizeof(e->rule));
    e->catch_all = (enum catch_all_fact)any(CATCH_ALL_NOT_KNOWN + 1);
}

static void any_record(struct entry *out)
{
    struct address a;
    struct record r;

    memset(&r, 0, sizeof(r));
    verdict_init(&r.verdict, (enum verdict_reason)any(VERDICT_REASON_COUNT),
                 (enum verdict_source)any(SOURCE_OVERLAY + 1));
    r.verdict.has_evidence = any(4) != 0;
    if (r.verdict.has_evidence)
        any_evidence(&r.verdict.evidence);
    r.verdict.probed_at = any_time();
    r.verdict.refresh_at = any_time();
    r.verdict.expires_at = any_time();
    r.retry_at = any_time();
    r.noted = r.retry_at == 0 ? r.verdict.reason : (enum verdict_reason)any(VERDICT_REASON_COUNT);
    any_address(&a);
    out->key_len = record_key(&a, any(2) == 0, out->key);
    out->value_len = record_encode(&r, out->value, sizeof(out->value));
    out->expires = r.verdict.expires_at;
}

static void any_domain(struct entry *out)
{
    struct domain_fact f;
    struct address a;

    memset(&f, 0, sizeof(f));
    f.catch_all = (enum catch_all_fact)(CATCH_ALL_SELECTIVE + any(3));
    f.learned_at = any_time();
    f.refresh_at = any_time();
    f.expires_at = any_time();
    f.asked = (uint8_t)any(256);
    f.accepted = (uint8_t)any(f.asked + 1U);
    f.code = (uint16_t)any(600);
    f.enhanced = any_enhanced();
    any_text(f.text, sizeof(f.text));
    any_text(f.mx, sizeof(f.mx));
    any_address(&a);
    out->key_len =
        domain_fact_key(a.domain, any(4) == 0 ? 0 : UINT64_MAX - any(1U << 31) * 77, out->key);
    out->value_len = domain_fact_encode(&f, out->value, sizeof(out->value));
    out->expires = f.expires_at;
}

static void any_breaker(struct breaker *b)
{
    b->state = any(2) == 0 ? BREAKER_CLOSED : BREAKER_OPEN;
    b->level = (unsigned)any(BREAKER_LEVEL_MAX + 1);
    b->struck = any(2) == 0 ? 0 : any(UINT64_MAX);
    b->opened_at = any_time();
    b->open_until = any_time();
    b->stage = (enum smtp_stage)any(SMTP_STAGE_QUIT + 1);
    b->code = (uint16_t)any(600);
    b->enhanced = any_enhanced();
    any_text(b->text, sizeof(b->text));
    any_text(b->mx, sizeof(b->mx));
}

static void any_destination(struct entry *out)
{
    static const char *const names[] = {"provider/example", "mx/example.com", "ip/2001:db8::1",
                                        "unix/run/lmtp \"x\"", "domain/[192.0.2.1]"};
    const char *name = names[any(sizeof(names) / sizeof(names[0]))];
    struct destination_fact f;

    memset(&f, 0, sizeof(f));
    f.null_sender_refused_at = any_time();
    f.greylist_ms = any(2) == 0 ? 0 : (int64_t)any(INT64_MAX);
    f.greylisted_at = any_time();
    f.level = (unsigned)any(PACE_LEVEL_MAX + 1);
    f.pause_until = any_time();
    if (any(3) != 0)
        any_breaker(&f.breaker);
    f.expires_at = any_time();
    out->key_len = strlen(name);
    memcpy(out->key, name, out->key_len);
    out->value_len = destination_fact_encode(&f, out->value, sizeof(out->value));
    out->expires = f.expires_at;
}

static void any_due(struct entry *out)
{
    struct schedule_entry e;
    struct address a;

    memset(&e, 0, sizeof(e));
    any_address(&a);
    address_format(&a, e.recipient);
    e.apart = any(2) == 0;
    e.null_sender = any(2) == 0;
    e.want_catch_all = any(2) == 0;
    e.said_so = any(2) == 0;
    e.confirm = any(2) == 0;
    any_text(e.sender, sizeof(e.sender));
    any_text(e.helo, sizeof(e.helo));
    any_ip(&e.source);
    e.first_at = any_time_ms();
    e.due = any_time_ms();
    e.last_due = any_time_ms();
    e.learned_ms = any(2) == 0 ? 0 : (int64_t)any(INT64_MAX);
    e.step = (unsigned)any(UINT64_C(1) << 32);
    out->key_len = record_key(&a, e.apart, out->key);
    out->value_len = schedule_entry_encode(&e, out->value, sizeof(out->value));
    out->expires = schedule_entry_expires(&e);
}

static void (*const any_of[STORE_TABLE_COUNT])(struct entry *out) = {
    [STORE_TABLE_ADDRESS] = any_record,
    [STORE_TABLE_DOMAIN] = any_domain,
    [STORE_TABLE_DESTINATION] = any_destination,
    [STORE_TABLE_DUE] = any_due,
};

/*
 * There and back
 */

static void check_same(const struct entry *a, const struct entry *b)
{
    ck_assert_int_eq(a->table, b->table);
    ck_assert_uint_eq(a->key_len, b->key_len);
    ck_assert_mem_eq(a->key, b->key, a->key_len);
    ck_assert_uint_eq(a->value_len, b->value_len);
    ck_assert_mem_eq(a->value, b->value, a->value_len);
    ck_assert_int_eq(a->expires, b->expires);
}

START_TEST(test_any_record_is_the_same_again)
{
    struct entry entry = {.table = (enum store_table)_i}, back;
    struct error err;

    for (int i = 0; i < ROUNDS; i++) {
        char *text;

        any_of[_i](&entry);
        ck_assert_uint_gt(entry.value_len, 0);
        text = entry_dump(&entry);
        ck_assert_msg(entry_load(text, &back, &err), "%s: %s", err.text, text);
        check_same(&entry, &back);
        free(text);
    }
}
END_TEST

/* Every octet of key and value changed: none of them, or one that can be read again. */
START_TEST(test_any_damage_is_nothing_or_the_same_again)
{
    struct entry entry = {.table = (enum store_table)_i}, back;
    struct error err;

    any_of[_i](&entry);
    for (size_t i = 0; i < (entry.key_len + entry.value_len) * 8; i++) {
        size_t at = i / 8;
        uint8_t *octet = at < entry.key_len ? entry.key + at : entry.value + at - entry.key_len;
        json_t *o;

        *octet ^= (uint8_t)(1U << i % 8);
        o = entry_to_json(entry.table, entry.key, entry.key_len, entry.value, entry.value_len);
        ck_assert_msg(o == NULL || entry_from_json(o, &back, &err), "octet %zu: %s", at, err.text);
        json_decref(o);
        *octet ^= (uint8_t)(1U << i % 8);
    }
    for (size_t n = 0; n < entry.value_len; n++)
        ck_assert_ptr_null(entry_to_json(entry.table, entry.key, entry.key_len, entry.value, n));
}
END_TEST

/*
 * As it is written
 */

START_TEST(test_line)
{
    struct entry entry;
    struct error err;
    char *text;

    ck_assert_msg(entry_load(entry_lines[_i], &entry, &err), "%s", err.text);
    ck_assert_int_eq(entry.table, _i);
    ck_assert_int_gt(entry.expires, 0);
    text = entry_dump(&entry);
    ck_assert_str_eq(text, entry_lines[_i]);
    free(text);
}
END_TEST

START_TEST(test_expiry)
{
    struct entry entry;
    struct error err;

    for (int i = STORE_TABLE_ADDRESS; i < STORE_TABLE_DUE; i++) {
        ck_assert(entry_load(entry_lines[i], &entry, &err));
        ck_assert_int_eq(entry.expires, 1772971200); /* 2026-03-08T12:00:00Z */
    }
    ck_assert(entry_load(entry_lines[STORE_TABLE_DUE], &entry, &err));
    ck_assert_int_eq(entry.expires, 1772388001 + 86400); /* 18:00:00.003, rounded up, and a day */
}
END_TEST

/*
 * Texts, times and names
 */

/* A record with a remote text of any octets. */
static void with_text(const char *text, struct entry *out)
{
    struct record r;

    *out = (struct entry){.table = STORE_TABLE_ADDRESS, .key_len = 17};
    memcpy(out->key, "example.com\0alice", 17);
    memset(&r, 0, sizeof(r));
    verdict_init(&r.verdict, REASON_NO_MAILBOX, SOURCE_PROBE);
    r.verdict.has_evidence = true;
    r.noted = r.verdict.reason;
    ck_assert(str_copy(r.verdict.evidence.text, sizeof(r.verdict.evidence.text), text));
    out->value_len = record_encode(&r, out->value, sizeof(out->value));
}

START_TEST(test_octets_are_reduced_once)
{
    struct entry entry, reduced, again;
    struct error err;
    struct record r;
    char *text;

    with_text("\x80"
              "8-bit \xff, \xc3(, a\ttab, \x1b[31m, \xc2\x9b and \xc3\xa9",
              &entry);
    text = entry_dump(&entry);
    ck_assert_msg(entry_load(text, &reduced, &err), "%s", err.text);
    free(text);
    ck_assert(record_decode(reduced.value, reduced.value_len, &r));
    ck_assert_str_eq(r.verdict.evidence.text, "?8-bit ?, ?(, a tab, ?[31m, ?? and \xc3\xa9");
    text = entry_dump(&reduced);
    ck_assert_msg(entry_load(text, &again, &err), "%s", err.text);
    free(text);
    check_same(&reduced, &again);
}
END_TEST

START_TEST(test_longest_text)
{
    struct entry entry, back;
    char longest[512];
    struct error err;
    char *text;

    memset(longest, '"', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    with_text(longest, &entry);
    text = entry_dump(&entry);
    ck_assert_msg(entry_load(text, &back, &err), "%s", err.text);
    check_same(&entry, &back);
    free(text);
}
END_TEST

START_TEST(test_time_that_has_no_text)
{
    struct entry entry = {.table = STORE_TABLE_ADDRESS, .key_len = 17};
    struct record r;

    memcpy(entry.key, "example.com\0alice", 17);
    memset(&r, 0, sizeof(r));
    verdict_init(&r.verdict, REASON_NO_MAILBOX, SOURCE_PROBE);
    r.verdict.expires_at = LAST + 1;
    entry.value_len = record_encode(&r, entry.value, sizeof(entry.value));
    ck_assert_ptr_null(
        entry_to_json(entry.table, entry.key, entry.key_len, entry.value, entry.value_len));
}
END_TEST

START_TEST(test_table_names)
{
    enum store_table table = STORE_TABLE_ADDRESS;

    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        ck_assert(entry_table_parse(entry_table_name((enum store_table)i), &table));
        ck_assert_int_eq(table, i);
    }
    ck_assert(!entry_table_parse("meta", &table));
    ck_assert(!entry_table_parse("", &table));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("entry");
    TCase *t = tcase_create("entry");

    tcase_add_loop_test(t, test_any_record_is_the_same_again, 0, STORE_TABLE_COUNT);
    tcase_add_loop_test(t, test_any_damage_is_nothing_or_the_same_again, 0, STORE_TABLE_COUNT);
    tcase_add_loop_test(t, test_line, 0, STORE_TABLE_COUNT);
    tcase_add_test(t, test_expiry);
    tcase_add_test(t, test_octets_are_reduced_once);
    tcase_add_test(t, test_longest_text);
    tcase_add_test(t, test_time_that_has_no_text);
    tcase_add_test(t, test_table_names);
    suite_add_tcase(s, t);
    return suite_run(s);
}
