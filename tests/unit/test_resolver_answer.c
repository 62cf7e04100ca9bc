/* dns/answer: reading messages. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"
#include "dns_fixture.h"
#include "suite.h"

static uint8_t message[4096];
static struct dns_answer *answer;

static void read_rule(const struct fixture_rule *rule)
{
    size_t len = fixture_message(rule, 7, message, sizeof(message));

    dns_answer_unref(&answer);
    answer = dns_answer_parse(message, len, rule->name, rule->type);
    ck_assert_ptr_nonnull(answer);
}

static void teardown(void)
{
    dns_answer_unref(&answer);
}

static void assert_ip(size_t i, const char *text)
{
    struct netaddr ip;

    ck_assert_uint_lt(i, answer->count);
    ck_assert(netaddr_parse(text, &ip));
    ck_assert(netaddr_equal(&answer->ips[i], &ip));
}

START_TEST(addresses_with_least_ttl)
{
    struct fixture_rule rule = {"a.test", DNS_A,
                                .rrs = {A("a.test", 300, "192.0.2.1"),
                                        A("A.TEST", 200, "192.0.2.2"), A("b.test", 10, "192.0.2.3"),
                                        AAAA("a.test", 9, "::1")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_OK);
    ck_assert_uint_eq(answer->ttl, 200);
    ck_assert_uint_eq(answer->count, 2);
    assert_ip(0, "192.0.2.1");
    assert_ip(1, "192.0.2.2");
}
END_TEST

START_TEST(ipv6_addresses)
{
    struct fixture_rule rule = {"a.test", DNS_AAAA, .rrs = {AAAA("a.test", 300, "2001:db8::1")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_OK);
    assert_ip(0, "2001:db8::1");
}
END_TEST

START_TEST(mail_exchangers)
{
    struct fixture_rule rule = {"a.test", DNS_MX,
                                .rrs = {MX("a.test", 300, 20, "MX2.a.test"),
                                        MX("a.test", 300, 10, "mx1.a.test."),
                                        MX("a.test", 300, 0, ".")}};

    read_rule(&rule);
    ck_assert_uint_eq(answer->count, 3);
    ck_assert_str_eq(answer->mxs[0].name, "mx2.a.test");
    ck_assert_uint_eq(answer->mxs[0].preference, 20);
    ck_assert_str_eq(answer->mxs[1].name, "mx1.a.test");
    ck_assert_str_eq(answer->mxs[2].name, "");
}
END_TEST

START_TEST(odd_names_are_left_out)
{
    struct fixture_rule rule = {
        "a.test", DNS_MX,
        .rrs = {MX("a.test", 300, 1, "a\\000b.test"), MX("a.test", 300, 2, "a\\046b.test"),
                MX("a.test", 300, 3, "[192\\0460\\0462\\0461]"),
                MX("a.test", 300, 4, "sp\\032ace.test"), MX("a.test", 300, 5, "\\195\\164.test"),
                MX("a.test", 300, 6, "192.0.2.1"), MX("a.test", 300, 7, "under_score.test")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_OK);
    ck_assert_uint_eq(answer->unusable, 5);
    ck_assert_uint_eq(answer->count, 2);
    ck_assert_str_eq(answer->mxs[0].name, "192.0.2.1");
    ck_assert_str_eq(answer->mxs[1].name, "under_score.test");
}
END_TEST

/* MX records are there, so the domain's own address must not step in. */
START_TEST(only_odd_names_is_not_nodata)
{
    struct fixture_rule rule = {"a.test", DNS_MX, .rrs = {MX("a.test", 300, 1, "a\\032b.test")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_OK);
    ck_assert_uint_eq(answer->count, 0);
    ck_assert_uint_eq(answer->unusable, 1);
}
END_TEST

START_TEST(aliases_are_followed)
{
    struct fixture_rule rule = {
        "a.test", DNS_MX,
        .rrs = {MX("c.test", 300, 10, "mx.c.test"), CNAME("b.test", 30, "C.test"),
                CNAME("a.test", 60, "b.test"), MX("a.test", 300, 10, "not.this.test")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_OK);
    ck_assert_uint_eq(answer->ttl, 30);
    ck_assert_uint_eq(answer->count, 1);
    ck_assert_str_eq(answer->mxs[0].name, "mx.c.test");
}
END_TEST

START_TEST(aliases_without_end)
{
    struct fixture_rule rule = {
        "a.test", DNS_A, .rrs = {CNAME("a.test", 60, "b.test"), CNAME("b.test", 60, "a.test")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_SERVFAIL);
}
END_TEST

START_TEST(negative_by_soa)
{
    struct fixture_rule rule = {"a.test", DNS_A, .rrs = {SOA("test", 900, 120)}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_NODATA);
    ck_assert_uint_eq(answer->ttl, 120);
    rule.rrs[0].number = 7200;
    read_rule(&rule);
    ck_assert_uint_eq(answer->ttl, 900);
    rule.rrs[0].ttl = 86400;
    rule.rcode = RCODE_NXDOMAIN;
    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_NXDOMAIN);
    ck_assert_uint_eq(answer->ttl, DNS_NEGATIVE_TTL_MAX);
}
END_TEST

START_TEST(negative_of_an_alias)
{
    struct fixture_rule rule = {"a.test", DNS_A,
                                .rrs = {CNAME("a.test", 20, "b.test"), SOA("test", 900, 120)}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_NODATA);
    ck_assert_uint_eq(answer->ttl, 20);
    rule.rcode = RCODE_NXDOMAIN;
    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_NXDOMAIN);
}
END_TEST

START_TEST(negative_without_soa)
{
    struct fixture_rule rule = {"a.test", DNS_A, .rcode = RCODE_NXDOMAIN};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_NXDOMAIN);
    ck_assert_uint_eq(answer->ttl, 0);
    rule.rcode = RCODE_OK;
    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_NODATA);
    ck_assert_uint_eq(answer->ttl, 0);
    rule.not_recursive = true;
    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_SERVFAIL);
}
END_TEST

START_TEST(referral_says_nothing)
{
    struct fixture_rule rule = {"a.test", DNS_A, .rrs = {NS("test", 900, "ns.test")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_SERVFAIL);
}
END_TEST

START_TEST(ttl_caps)
{
    struct fixture_rule rule = {"a.test", DNS_A, .rrs = {A("a.test", 604800, "192.0.2.1")}};

    read_rule(&rule);
    ck_assert_uint_eq(answer->ttl, DNS_TTL_MAX);
    rule.rrs[0].ttl = 0x80000000U;
    read_rule(&rule);
    ck_assert_uint_eq(answer->ttl, 0);
}
END_TEST

START_TEST(errors_of_the_server)
{
    struct fixture_rule rule = {"a.test", DNS_A, .rcode = RCODE_SERVFAIL,
                                .rrs = {A("a.test", 300, "192.0.2.1")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_SERVFAIL);
    ck_assert_uint_eq(answer->count, 0);
    rule.rcode = RCODE_REFUSED;
    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_SERVFAIL);
}
END_TEST

/* What is cut short anywhere, or has one byte too many, is no answer at all. */
START_TEST(cut_messages)
{
    struct fixture_rule rule = {"a.test", DNS_MX,
                                .rrs = {MX("a.test", 300, 10, "mx.a.test"), SOA("test", 900, 120)}};
    size_t whole = fixture_message(&rule, 7, message, sizeof(message));

    for (size_t len = 0; len <= whole + 1; len++) {
        dns_answer_unref(&answer);
        answer = dns_answer_parse(message, len, "a.test", DNS_MX);
        ck_assert_int_eq(answer->status, len == whole ? DNS_OK : DNS_SERVFAIL);
    }
}
END_TEST

START_TEST(not_a_response_and_still_truncated)
{
    struct fixture_rule rule = {"a.test", DNS_A, .rrs = {A("a.test", 300, "192.0.2.1")}};
    size_t len = fixture_message(&rule, 7, message, sizeof(message));

    message[2] |= 2;
    answer = dns_answer_parse(message, len, "a.test", DNS_A);
    ck_assert_int_eq(answer->status, DNS_SERVFAIL);
    dns_answer_unref(&answer);
    message[2] = (uint8_t)(message[2] & ~0x82);
    answer = dns_answer_parse(message, len, "a.test", DNS_A);
    ck_assert_int_eq(answer->status, DNS_SERVFAIL);
}
END_TEST

/* An address of four bytes said to be one of sixteen. */
START_TEST(bad_rdata_length)
{
    struct fixture_rule rule = {
        "a.test", DNS_AAAA,
        .rrs = {AAAA("a.test", 300, "192.0.2.1"), AAAA("a.test", 300, "2001:db8::1")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_OK);
    ck_assert_uint_eq(answer->unusable, 1);
    ck_assert_uint_eq(answer->count, 1);
    assert_ip(0, "2001:db8::1");
}
END_TEST

START_TEST(clean_names)
{
    static const char *const bad[] = {"",    ".",     "..",     "a..b", ".a",          "a..",
                                      "a b", "a\\.b", "ä.test", "a/b",  "[192.0.2.1]", "a\n"};
    char out[DNS_NAME_SIZE], label[65], name[300];

    ck_assert(dns_name_clean("MX.Example.COM.", out));
    ck_assert_str_eq(out, "mx.example.com");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!dns_name_clean(bad[i], out), "%s", bad[i]);
    memset(label, 'a', 64);
    label[64] = '\0';
    ck_assert(!dns_name_clean(label, out));
    ck_assert(dns_name_clean(label + 1, out));
    for (size_t i = 0; i < 300; i++)
        name[i] = i % 2 ? '.' : 'a';
    name[254] = '\0';
    ck_assert(dns_name_clean(name, out)); /* 253 and a trailing dot */
    name[254] = 'a';
    name[255] = '\0';
    ck_assert(!dns_name_clean(name, out));
}
END_TEST

/* Of the root: the records are counted, whatever they say. */
START_TEST(name_servers)
{
    struct fixture_rule rule = {"", DNS_NS,
                                .rrs = {{.owner = "", .type = RR_NS, .ttl = 300, .data = "a.test"},
                                        {.owner = "", .type = RR_NS, .ttl = 200, .data = "b.test"},
                                        {.owner = "test", .type = RR_NS, .data = "c.test"},
                                        A("", 300, "192.0.2.1")}};

    read_rule(&rule);
    ck_assert_int_eq(answer->status, DNS_OK);
    ck_assert_uint_eq(answer->ttl, 200);
    ck_assert_uint_eq(answer->count, 2);
    ck_assert(answer->ips == NULL && answer->mxs == NULL);
    ck_assert_uint_eq(dns_answer_size(answer), sizeof(*answer));
    ck_assert(answer->heard == 0);
}
END_TEST

START_TEST(name_server_with_a_bad_name)
{
    struct fixture_rule rule = {
        "", DNS_NS, .rrs = {{.owner = "", .type = RR_NS, .ttl = 300, .data = "a.test"}}};
    size_t len = fixture_message(&rule, 7, message, sizeof(message));

    message[len - 1] = 0xc0; /* half a pointer in the place of the end */
    answer = dns_answer_parse(message, len, "", DNS_NS);
    ck_assert_uint_eq(answer->count, 0);
    ck_assert_uint_eq(answer->unusable, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resolver_answer");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, addresses_with_least_ttl);
    tcase_add_test(t, ipv6_addresses);
    tcase_add_test(t, mail_exchangers);
    tcase_add_test(t, odd_names_are_left_out);
    tcase_add_test(t, only_odd_names_is_not_nodata);
    tcase_add_test(t, aliases_are_followed);
    tcase_add_test(t, aliases_without_end);
    tcase_add_test(t, negative_by_soa);
    tcase_add_test(t, negative_of_an_alias);
    tcase_add_test(t, negative_without_soa);
    tcase_add_test(t, referral_says_nothing);
    tcase_add_test(t, ttl_caps);
    tcase_add_test(t, errors_of_the_server);
    tcase_add_test(t, cut_messages);
    tcase_add_test(t, not_a_response_and_still_truncated);
    tcase_add_test(t, bad_rdata_length);
    tcase_add_test(t, clean_names);
    tcase_add_test(t, name_servers);
    tcase_add_test(t, name_server_with_a_bad_name);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
