/* callout/route: which route a domain has, and how targets are written. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "callout/route.h"
#include "suite.h"

static struct route_table *table;

static void add(const char *domain)
{
    ck_assert_ptr_nonnull(route_table_add(table, domain));
}

static void setup(void)
{
    table = route_table_new();
    add("example.com");
    add("*.example.com");
    add("*.deep.example.com");
    add("one.deep.example.com");
}

static void teardown(void)
{
    route_table_unref(&table);
    ck_assert_ptr_null(table);
    route_table_unref(&table);
}

static const char *found(const char *domain)
{
    const struct route *r = route_find(table, domain);

    return r != NULL ? r->domain : "none";
}

START_TEST(the_longest_wins)
{
    ck_assert_str_eq(found("example.com"), "example.com");
    ck_assert_str_eq(found("a.example.com"), "*.example.com");
    ck_assert_str_eq(found("a.b.c.example.com"), "*.example.com");
    ck_assert_str_eq(found("deep.example.com"), "*.example.com");
    ck_assert_str_eq(found("a.b.deep.example.com"), "*.deep.example.com");
    ck_assert_str_eq(found("one.deep.example.com"), "one.deep.example.com");
    ck_assert_str_eq(found("com"), "none");
    ck_assert_str_eq(found("example.org"), "none");
    ck_assert_str_eq(found("badexample.com"), "none");
    ck_assert_str_eq(found("[192.0.2.1]"), "none");
    ck_assert_str_eq(found(""), "none");
    ck_assert_ptr_null(route_find(NULL, "example.com"));
}
END_TEST

START_TEST(once_a_domain)
{
    ck_assert_ptr_null(route_table_add(table, "example.com"));
}
END_TEST

START_TEST(references)
{
    struct route_table *second = route_table_ref(table);

    route_table_unref(&table);
    table = second;
    ck_assert_str_eq(found("example.com"), "example.com");
    ck_assert_ptr_null(route_table_ref(NULL));
}
END_TEST

struct good {
    const char *text;
    enum route_target_kind kind;
    const char *name, *ip, *path;
    uint16_t port;
};

static const struct good goods[] = {
    {"[10.0.0.5]:25", ROUTE_TARGET_IP, "[10.0.0.5]", "10.0.0.5", "", 25},
    {"[10.0.0.5]", ROUTE_TARGET_IP, "[10.0.0.5]", "10.0.0.5", "", 0},
    {"[2001:db8::1]:65535", ROUTE_TARGET_IP, "[2001:db8::1]", "2001:db8::1", "", 65535},
    {"[Mail.Example.COM]:2525", ROUTE_TARGET_HOST, "mail.example.com", "", "", 2525},
    {"[b\xc3\xbc"
     "cher.example]",
     ROUTE_TARGET_HOST, "xn--bcher-kva.example", "", "", 0},
    {"[backend]:24", ROUTE_TARGET_HOST, "backend", "", "", 24},
    {"example.com", ROUTE_TARGET_MX, "example.com", "", "", 0},
    {"Example.com:26", ROUTE_TARGET_MX, "example.com", "", "", 26},
    {"unix:/run/dovecot/lmtp", ROUTE_TARGET_UNIX, "unix:/run/dovecot/lmtp", "", "/run/dovecot/lmtp",
     0},
};

START_TEST(good_targets)
{
    const struct good *g = &goods[_i];
    char ip[NETADDR_TEXT_MAX];
    struct route_target t;
    struct error err = {""};

    ck_assert_msg(route_target_parse(g->text, &t, &err), "%s: %s", g->text, err.text);
    ck_assert_int_eq((int)t.kind, (int)g->kind);
    ck_assert_str_eq(t.name, g->name);
    ck_assert_str_eq(t.path, g->path);
    ck_assert_str_eq(netaddr_format(&t.ip, ip), g->ip);
    ck_assert_uint_eq(t.port, g->port);
}
END_TEST

static const char *const bads[] = {
    "[10.0.0.500]:25",
    "300.1.1.1",
    "[10]",
    "",
    "[]",
    "[10.0.0.5",
    "10.0.0.5",
    "10.0.0.5:25",
    "[10.0.0.5]25",
    "[10.0.0.5]:",
    "[10.0.0.5]:0",
    "[10.0.0.5]:65536",
    "[10.0.0.5]:2x",
    "[10.0.0.5]:-1",
    "2001:db8::1",
    "[[10.0.0.5]]",
    "a b",
    "a@b",
    "[a@b]",
    "-",
    "example..com",
    "example.com:",
    "unix:",
    "unix:run/lmtp",
    "[unix:/x]",
    "[\xef\xbc\x91.2.3.4]", /* a digit from elsewhere */
    "\xef\xbc\x91.2.3.4",
    ("unix:/a/very/long/path/that/no/unix/socket/can/have/because/its/address/has/room/for/no/more/"
     "than/one/hundred/and/seven/octets"),
};

START_TEST(bad_targets)
{
    struct route_target t;
    struct error err = {""};

    ck_assert_msg(!route_target_parse(bads[_i], &t, &err), "\"%s\"", bads[_i]);
    ck_assert_msg(strstr(err.text, "is no server") != NULL, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("route");
    TCase *t = tcase_create("table");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_longest_wins);
    tcase_add_test(t, once_a_domain);
    tcase_add_test(t, references);
    suite_add_tcase(s, t);
    t = tcase_create("targets");
    tcase_add_loop_test(t, good_targets, 0, sizeof(goods) / sizeof(goods[0]));
    tcase_add_loop_test(t, bad_targets, 0, sizeof(bads) / sizeof(bads[0]));
    suite_add_tcase(s, t);
    return suite_run(s);
}
