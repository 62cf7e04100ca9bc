/* base/netaddr and base/str: parsing, matching, scopes. */
#include <check.h>
#include <stdlib.h>

#include "base/netaddr.h"
#include "base/str.h"
#include "suite.h"

static const struct {
    const char *text;
    enum netaddr_scope scope;
} scopes[] = {
    {"192.0.2.1", NETADDR_GLOBAL},
    {"8.8.8.8", NETADDR_GLOBAL},
    {"0.0.0.0", NETADDR_UNSPECIFIED},
    {"127.0.0.1", NETADDR_LOOPBACK},
    {"127.255.0.9", NETADDR_LOOPBACK},
    {"169.254.1.1", NETADDR_LINK_LOCAL},
    {"10.1.2.3", NETADDR_PRIVATE},
    {"172.16.0.1", NETADDR_PRIVATE},
    {"172.31.255.255", NETADDR_PRIVATE},
    {"172.32.0.1", NETADDR_GLOBAL},
    {"192.168.0.1", NETADDR_PRIVATE},
    {"100.64.0.1", NETADDR_PRIVATE},
    {"100.128.0.1", NETADDR_GLOBAL},
    {"224.0.0.1", NETADDR_MULTICAST},
    {"255.255.255.255", NETADDR_MULTICAST},
    {"::", NETADDR_UNSPECIFIED},
    {"::1", NETADDR_LOOPBACK},
    {"::2", NETADDR_GLOBAL},
    {"fe80::1", NETADDR_LINK_LOCAL},
    {"fd00::1", NETADDR_PRIVATE},
    {"fec0::1", NETADDR_PRIVATE},
    {"ff02::1", NETADDR_MULTICAST},
    {"2001:db8::1", NETADDR_GLOBAL},
    {"::ffff:127.0.0.1", NETADDR_LOOPBACK},
    {"::ffff:192.0.2.1", NETADDR_GLOBAL},
    {"64:ff9b::a00:1", NETADDR_PRIVATE},
    {"2002:7f00:1::", NETADDR_LOOPBACK},
    {"2002:c000:201::1", NETADDR_GLOBAL},
};

START_TEST(scope_of_addresses)
{
    struct netaddr a;

    ck_assert(netaddr_parse(scopes[_i].text, &a));
    ck_assert_msg(netaddr_scope(&a) == scopes[_i].scope, "%s", scopes[_i].text);
}
END_TEST

static const struct {
    const char *net, *addr;
    bool parses, contains;
} networks[] = {
    {"192.0.2.0/24", "192.0.2.255", true, true},
    {"192.0.2.0/24", "192.0.3.0", true, false},
    {"192.0.2.128/25", "192.0.2.127", true, false},
    {"192.0.2.1", "192.0.2.1", true, true},
    {"0.0.0.0/0", "203.0.113.9", true, true},
    {"0.0.0.0/0", "2001:db8::1", true, false},
    {"10.0.0.0/8", "::ffff:10.9.8.7", true, true},
    {"2001:db8::/33", "2001:db8:8000::1", true, false},
    {"2001:db8::/33", "2001:db8:7fff::1", true, true},
    {"192.0.2.1/24", "192.0.2.1", false, false},
    {"192.0.2.0/33", "192.0.2.1", false, false},
    {"192.0.2.0/", "192.0.2.1", false, false},
    {"192.0.2.0/+8", "192.0.2.1", false, false},
    {"192.0.2.0/8x", "192.0.2.1", false, false},
    {"192.0.2/24", "192.0.2.1", false, false},
    {"2001:db8::/129", "::1", false, false},
    {"", "::1", false, false},
    {"fe80::1%lo", "::1", false, false},
};

START_TEST(networks_match)
{
    struct cidr net;
    struct netaddr a;

    ck_assert(netaddr_parse(networks[_i].addr, &a));
    ck_assert_msg(cidr_parse(networks[_i].net, &net) == networks[_i].parses, "%s",
                  networks[_i].net);
    if (networks[_i].parses)
        ck_assert_msg(cidr_contains(&net, &a) == networks[_i].contains, "%s in %s",
                      networks[_i].addr, networks[_i].net);
}
END_TEST

START_TEST(sockaddr_round_trip)
{
    static const char *const texts[] = {"203.0.113.7", "2001:db8::25"};
    struct netaddr a, b;
    struct sockaddr_storage ss;
    char text[NETADDR_TEXT_MAX];

    ck_assert(netaddr_parse(texts[_i], &a));
    ck_assert_uint_gt(netaddr_to_sockaddr(&a, 25, &ss), 0);
    ck_assert(netaddr_from_sockaddr((struct sockaddr *)&ss, &b));
    ck_assert(netaddr_equal(&a, &b));
    ck_assert_str_eq(netaddr_format(&b, text), texts[_i]);
}
END_TEST

START_TEST(strings_are_bounded)
{
    char buf[5];

    ck_assert(str_copy(buf, sizeof(buf), "abcd"));
    ck_assert(!str_copy(buf, sizeof(buf), "abcde"));
    ck_assert_str_eq(buf, "abcd");
    ck_assert(!str_format(buf, sizeof(buf), "%d", 123456));
    ck_assert_str_eq(buf, "1234");
    str_printable(buf, sizeof(buf), "a\r\x80\0b", 5);
    ck_assert_str_eq(buf, "a ??");
    ck_assert(str_has_suffix("mx.Example", ".example"));
    ck_assert(!str_has_suffix("e", ".example"));
}
END_TEST

START_TEST(readable_is_utf8_without_controls)
{
    static const struct {
        const char *text, *shown;
    } texts[] = {
        {"a\t\r\n\x7f", "a   ?"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xc2\x9b[1m\xc2\xa0", "??[1m\xc2\xa0"}, /* U+009B is CSI */
        {"\xfc\xe4\xbd|\xc0\xaf|\xed\xa0\x80",
         "???|??|???"}, /* neither cut, overlong nor surrogate */
        {"\xf0\x9f\x93\xa8", "\xf0\x9f\x93\xa8"},
    };
    char buf[32];

    str_readable(buf, sizeof(buf), texts[_i].text, strlen(texts[_i].text));
    ck_assert_str_eq(buf, texts[_i].shown);
}
END_TEST

START_TEST(readable_is_cut_between_characters)
{
    char buf[4];

    str_readable(buf, sizeof(buf), "\xc3\xbc\xc3\x9f", 4);
    ck_assert_str_eq(buf, "\xc3\xbc");
    str_readable(buf, sizeof(buf), "abcd", 4);
    ck_assert_str_eq(buf, "abc");
    str_readable(buf, 1, "a", 1);
    ck_assert_str_eq(buf, "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("netaddr");
    TCase *t = tcase_create("core");

    tcase_add_loop_test(t, scope_of_addresses, 0, (int)(sizeof(scopes) / sizeof(scopes[0])));
    tcase_add_loop_test(t, networks_match, 0, (int)(sizeof(networks) / sizeof(networks[0])));
    tcase_add_loop_test(t, sockaddr_round_trip, 0, 2);
    tcase_add_test(t, strings_are_bounded);
    tcase_add_loop_test(t, readable_is_utf8_without_controls, 0, 5);
    tcase_add_test(t, readable_is_cut_between_characters);
    suite_add_tcase(s, t);
    return suite_run(s);
}
