/* smtp/address: syntax, limits, IDNA, canonical form, the unquoted form. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/address.h"
#include "suite.h"

#define A10 "abcdefghij"
#define A63 A10 A10 A10 A10 A10 A10 "abc"
#define A64 A63 "d"

static bool parse(const char *text, struct address *a, const char **why)
{
    return address_parse(text, strlen(text), a, why);
}

/* Valid text, and what it becomes. NULL: unchanged. */
static const struct {
    const char *text, *local, *domain, *canonical;
    bool smtputf8;
} good[] = {
    {"alice@example.com", "alice", "example.com", NULL, false},
    {"Alice.Smith+list@Example.COM", "Alice.Smith+list", "example.com",
     "alice.smith+list@example.com", false},
    {"a@b", "a", "b", NULL, false},
    {"!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com", NULL, false},
    {"a.b.c@x-1.y--2.example", "a.b.c", "x-1.y--2.example", NULL, false},
    {"7@7.7", "7", "7.7", NULL, false},
    {"\"alice\"@example.com", "\"alice\"", "example.com", "alice@example.com", false},
    {"\"al\\ice\"@example.com", "\"al\\ice\"", "example.com", "alice@example.com", false},
    {"\"\"@example.com", "\"\"", "example.com", NULL, false},
    {"\"a b\"@example.com", "\"a b\"", "example.com", NULL, false},
    {"\"A\\ b\"@example.com", "\"A\\ b\"", "example.com", "\"a b\"@example.com", false},
    {"\"a@b\"@example.com", "\"a@b\"", "example.com", NULL, false},
    {"\"a\\\"b\\\\\"@example.com", "\"a\\\"b\\\\\"", "example.com", NULL, false},
    {"\"..\"@example.com", "\"..\"", "example.com", NULL, false},
    {"r\xc3\xb6schen@example.com", "r\xc3\xb6schen", "example.com", NULL, true},
    {"\"\xe4\xb8\xad \xe6\x96\x87\"@example.com", "\"\xe4\xb8\xad \xe6\x96\x87\"", "example.com",
     NULL, true},
    {"\xf0\x9f\x98\x80@example.com", "\xf0\x9f\x98\x80", "example.com", NULL, true},
    {"a@B\xc3\xbc"
     "cher.example",
     "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", false},
    {"a@b\xc3\xbc"
     "cher.example",
     "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", false},
    {"a@bu\xcc\x88"
     "cher.example",
     "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", false},
    /* IDNA2008 does not allow it; such domains are registered all the same. */
    {"a@xn--i-7iq.example", "a", "xn--i-7iq.example", NULL, false},
    {"a@XN--BCHER-KVA.Example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", false},
    {"a@stra\xc3\x9f"
     "e.example",
     "a", "xn--strae-oqa.example", "a@xn--strae-oqa.example", false},
    {"a@[192.0.2.1]", "a", "[192.0.2.1]", NULL, false},
    {"a@[192.000.02.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]", false},
    {"a@[IPv6:2001:DB8::1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", false},
    {"a@[ipv6:2001:db8:0:0:0:0:0:1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", false},
    {"a@[IPv6:::ffff:192.0.2.1]", "a", "[IPv6:::ffff:192.0.2.1]", NULL, false},
    {A64 "@example.com", A64, "example.com", NULL, false},
    {"a@" A63 "." A63 "." A63 ".example", "a", A63 "." A63 "." A63 ".example", NULL, false},
};

START_TEST(test_good)
{
    struct address a;
    const char *why = "";
    char text[ADDRESS_TEXT_SIZE], wire[2 * ADDRESS_TEXT_SIZE];

    ck_assert_msg(parse(good[_i].text, &a, &why), "%s: %s", good[_i].text, why);
    ck_assert_str_eq(a.local, good[_i].local);
    ck_assert_str_eq(a.domain, good[_i].domain);
    ck_assert_str_eq(a.canonical, good[_i].canonical != NULL ? good[_i].canonical : good[_i].text);
    ck_assert(a.smtputf8 == good[_i].smtputf8);
    ck_assert((a.literal.family != AF_UNSPEC) == (a.domain[0] == '['));
    address_format(&a, text);
    snprintf(wire, sizeof(wire), "%s@%s", good[_i].local, good[_i].domain);
    ck_assert_str_eq(text, wire);
}
END_TEST

/* The canonical form is itself an address, and its own canonical form. */
START_TEST(test_canonical_is_stable)
{
    struct address a, b;
    const char *why = "";

    ck_assert(parse(good[_i].text, &a, &why));
    ck_assert_msg(parse(a.canonical, &b, &why), "%s: %s", a.canonical, why);
    ck_assert_str_eq(b.canonical, a.canonical);
    ck_assert_str_eq(b.domain, a.domain);
}
END_TEST

static const struct {
    const char *text, *why;
} bad[] = {
    {"", "empty"},
    {"alice", "no @"},
    {"\"alice\"", "no @"},
    {"@example.com", "empty local part"},
    {"alice@", "empty domain"},
    {".alice@example.com", "misplaced dot in local part"},
    {"alice.@example.com", "misplaced dot in local part"},
    {"ali..ce@example.com", "misplaced dot in local part"},
    {"al ice@example.com", "character in local part"},
    {"alice @example.com", "character in local part"},
    {"<alice@example.com>", "character in local part"},
    {"ali(x)ce@example.com", "character in local part"},
    {"al\"i\"ce@example.com", "character in local part"},
    {"al\\ice@example.com", "character in local part"},
    {"al\tice@example.com", "character in local part"},
    {"al\x7fice@example.com", "character in local part"},
    {"\"alice@example.com", "unterminated quoted local part"},
    {"\"alice\\", "unterminated quoted local part"},
    {"\"alice\\\"@example.com", "unterminated quoted local part"},
    {"\"alice\"x@example.com", "text after the quoted local part"},
    {"\"a\".\"b\"@example.com", "text after the quoted local part"},
    {"\"a\tb\"@example.com", "character in quoted local part"},
    {"\"a\\\tb\"@example.com", "character in quoted local part"},
    {"\"a\\\xc3\xb6\"@example.com", "character in quoted local part"},
    {"al\xc3@example.com", "local part is not UTF-8"},
    {"al\xc0\xafice@example.com", "local part is not UTF-8"},
    {"al\xe0\x80\xafice@example.com", "local part is not UTF-8"},
    {"al\xed\xa0\x80ice@example.com", "local part is not UTF-8"},
    {"al\xf4\x90\x80\x80ice@example.com", "local part is not UTF-8"},
    {"al\xf5\x80\x80\x80ice@example.com", "local part is not UTF-8"},
    {"al\xe2\x82@example.com", "local part is not UTF-8"},
    {"\x80@example.com", "local part is not UTF-8"},
    {A64 "x@example.com", "local part longer than 64 octets"},
    {"a@b@example.com", "character in domain"},
    {"a@exa_mple.com", "character in domain"},
    {"a@exam ple.com", "character in domain"},
    {"a@example.com ", "character in domain"},
    {"a@.example.com", "empty label in domain"},
    {"a@example..com", "empty label in domain"},
    {"a@example.com.", "dot at the end of the domain"},
    {"a@.", "dot at the end of the domain"},
    {"a@-example.com", "hyphen at the edge of a label"},
    {"a@example-.com", "hyphen at the edge of a label"},
    {"a@" A64 ".com", "label longer than 63 octets"},
    {"a@" A63 "." A63 "." A63 "." A63 "." A10, "domain longer than 255 octets"},
    {"a@" A63 "." A63 "." A63 "." A63, "address longer than 254 octets"},
    {A64 "@" A63 "." A63 "." A63, "address longer than 254 octets"},
    {"a@\xe2\x98\x83.example", "label that IDNA2008 does not allow"},
    {"a@a\xe3\x80\x82"
     "b.example",
     "character in domain"},
    {"a@-\xc3\xbc.example", "label that IDNA2008 does not allow"},
    {"a@\xc3\xbc_x.example", "character in domain"},
    {"a@\xff.example", "label that IDNA2008 does not allow"},
    {"a@[]", "broken address literal"},
    {"a@[", "broken address literal"},
    {"a@[192.0.2.1", "broken address literal"},
    {"a@[192.0.2.1]x", "broken address literal"},
    {"a@[192.0.2]", "broken address literal"},
    {"a@[192.0.2.1.1]", "broken address literal"},
    {"a@[192.0.2.256]", "broken address literal"},
    {"a@[192.0.2.0001]", "broken address literal"},
    {"a@[192.0..1]", "broken address literal"},
    {"a@[ 192.0.2.1]", "broken address literal"},
    {"a@[2001:db8::1]", "broken address literal"},
    {"a@[X-tag:text]", "broken address literal"},
    {"a@[IPv6:192.0.2.1]", "broken IPv6 address literal"},
    {"a@[IPv6:]", "broken IPv6 address literal"},
    {"a@[IPv6:2001:db8::1::2]", "broken IPv6 address literal"},
    {"a@[IPv6:fe80::1%eth0]", "broken IPv6 address literal"},
    {"a@[IPv6:1:2:3:4:5:6:7]", "broken IPv6 address literal"},
};

START_TEST(test_bad)
{
    struct address a;
    const char *why = NULL;

    ck_assert_msg(!parse(bad[_i].text, &a, &why), "%s is taken", bad[_i].text);
    ck_assert_str_eq(why, bad[_i].why);
}
END_TEST

START_TEST(test_length_counts_not_the_terminator)
{
    static const char nul_local[] = "a\0b@example.com", nul_domain[] = "a@exam\0ple.com",
                      nul_literal[] = "a@[192.0.2.1\0]", nul_quoted[] = "\"a\0b\"@example.com";
    struct address a;
    const char *why;

    ck_assert(!address_parse(nul_local, sizeof(nul_local) - 1, &a, &why));
    ck_assert(!address_parse(nul_domain, sizeof(nul_domain) - 1, &a, &why));
    ck_assert(!address_parse(nul_literal, sizeof(nul_literal) - 1, &a, &why));
    ck_assert(!address_parse(nul_quoted, sizeof(nul_quoted) - 1, &a, &why));
    ck_assert(address_parse("a@example.com trailing", 13, &a, &why));
    ck_assert_str_eq(a.canonical, "a@example.com");
}
END_TEST

/* Every shortened form of the longest addresses is handled within bounds, whatever the verdict. */
START_TEST(test_longest_and_one_more)
{
    char text[600];
    struct address a;
    const char *why;

    for (size_t label = 1; label <= 63; label++) {
        int n = snprintf(text, sizeof(text), "%s@%s.%s.%.*s", A64, A63, A63, (int)label, A63);

        ck_assert(address_parse(text, (size_t)n, &a, &why) == (n <= ADDRESS_MAX));
        if (n <= ADDRESS_MAX)
            ck_assert_str_eq(a.canonical, text);
    }
}
END_TEST

static const struct {
    const char *text, *local, *domain; /* local NULL: bad */
} internal[] = {
    {"alice@example.com", "alice", "example.com"},
    {"alice@Example.com.", "alice", "example.com"},
    {"a b@example.com", "\"a b\"", "example.com"},
    {"a@b@example.com", "\"a@b\"", "example.com"},
    {"a..b@example.com", "\"a..b\"", "example.com"},
    {"a\"b@example.com", "\"a\\\"b\"", "example.com"},
    {"a\\b@example.com", "\"a\\\\b\"", "example.com"},
    {"\"a\"@example.com", "\"\\\"a\\\"\"", "example.com"},
    {"@example.com", "\"\"", "example.com"},
    {"a@[192.0.2.1]", "a", "[192.0.2.1]"},
    {"r\xc3\xb6schen@example.com", "r\xc3\xb6schen", "example.com"},
    {"r\xc3\xb6 schen@example.com", "\"r\xc3\xb6 schen\"", "example.com"},
    {A64 "@example.com", A64, "example.com"},
    {"alice", NULL, NULL},
    {"", NULL, NULL},
    {"alice@", NULL, NULL},
    {"alice@.", NULL, NULL},
    {"alice@example.com..", NULL, NULL},
    {"al\tice@example.com", NULL, NULL},
    {"al\xc3@example.com", NULL, NULL},
    {"al\x01 ice@example.com", NULL, NULL},
    {A64 "x@example.com", NULL, NULL},
    {A63 " @example.com", NULL, NULL},
    {"alice@exa_mple.com", NULL, NULL},
};

START_TEST(test_host)
{
    static const struct {
        const char *text, *host; /* NULL: none */
    } hosts[] = {
        {"MX1.Example.ORG", "mx1.example.org"},
        {"m\xc3\xbcnchen.example", "xn--mnchen-3ya.example"},
        {"localhost", "localhost"},
        {"192.0.2.1", NULL},
        {"10.0.0.500", NULL},
        {"[192.0.2.1]", NULL},
        {"a@example.org", NULL},
        {"example.org.", NULL},
        {"a b", NULL},
        {"", NULL},
    };
    char out[ADDRESS_DOMAIN_MAX + 1];

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        bool ok = address_host_parse(hosts[i].text, strlen(hosts[i].text), out);

        ck_assert_msg(ok == (hosts[i].host != NULL), "%s", hosts[i].text);
        if (ok)
            ck_assert_str_eq(out, hosts[i].host);
    }
    ck_assert(address_host_parse("example.org:25", 11, out)); /* as far as it is told */
}
END_TEST

START_TEST(test_domain)
{
    static const struct {
        const char *text, *domain; /* NULL: none */
    } domains[] = {
        {"Example.ORG", "example.org"},
        {"m\xc3\xbcnchen.example", "xn--mnchen-3ya.example"},
        {"10.0.0.1", "10.0.0.1"},
        {"[192.0.2.1]", "[192.0.2.1]"},
        {"[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]"},
        {"[192.0.2.1", NULL},
        {"a@example.org", NULL},
        {"example.org.", NULL},
        {"a b", NULL},
        {"", NULL},
    };
    char out[ADDRESS_DOMAIN_MAX + 1];

    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        const char *why = "";
        bool ok = address_domain_parse(domains[i].text, strlen(domains[i].text), out, &why);

        ck_assert_msg(ok == (domains[i].domain != NULL), "%s", domains[i].text);
        if (ok)
            ck_assert_str_eq(out, domains[i].domain);
        else
            ck_assert_str_ne(why, "");
    }
}
END_TEST

START_TEST(test_internal)
{
    const char *text = internal[_i].text, *why = NULL;
    struct address a, again;
    char wire[ADDRESS_TEXT_SIZE];
    bool ok = address_from_internal(text, strlen(text), &a, &why);

    ck_assert_msg(ok == (internal[_i].local != NULL), "%s: %s", text, why);
    if (!ok) {
        ck_assert_str_ne(why, "");
        return;
    }
    ck_assert_str_eq(a.local, internal[_i].local);
    ck_assert_str_eq(a.domain, internal[_i].domain);
    address_format(&a, wire);
    ck_assert_msg(parse(wire, &again, &why), "%s: %s", wire, why);
    ck_assert_str_eq(again.canonical, a.canonical);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("address");
    TCase *t = tcase_create("address");

    tcase_add_loop_test(t, test_good, 0, (int)(sizeof(good) / sizeof(good[0])));
    tcase_add_loop_test(t, test_canonical_is_stable, 0, (int)(sizeof(good) / sizeof(good[0])));
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_loop_test(t, test_internal, 0, (int)(sizeof(internal) / sizeof(internal[0])));
    tcase_add_test(t, test_host);
    tcase_add_test(t, test_domain);
    tcase_add_test(t, test_length_counts_not_the_terminator);
    tcase_add_test(t, test_longest_and_one_more);
    suite_add_tcase(s, t);
    return suite_run(s);
}
