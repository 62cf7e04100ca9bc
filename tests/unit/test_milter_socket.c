/* frontend/milter_socket: libmilter's socket syntax. */
#include <check.h>
#include <string.h>

#include "base/netaddr.h"
#include "frontend/milter_socket.h"
#include "suite.h"

struct good {
    const char *text, *ip, *path;
    uint16_t port;
};

static const struct good goods[] = {
    {"inet:8894@127.0.0.1", "127.0.0.1", "", 8894},
    {"INET:1@[192.0.2.1]", "192.0.2.1", "", 1},
    {"inet:65535", "0.0.0.0", "", 65535},
    {"inet6:8894@::1", "::1", "", 8894},
    {"inet6:8894@[2001:db8::1]", "2001:db8::1", "", 8894},
    {"inet6:8894", "::", "", 8894},
    {"inet:8894@localhost", "127.0.0.1", "", 8894},
    {"inet6:8894@LocalHost", "::1", "", 8894},
    {"unix:/run/calloutd/milter", NULL, "/run/calloutd/milter", 0},
    {"local:/m", NULL, "/m", 0},
};

START_TEST(good)
{
    const struct good *g = &goods[_i];
    char ip[NETADDR_TEXT_MAX];
    struct listen_spec spec;
    struct error err = {""};

    ck_assert_msg(milter_socket_parse(g->text, &spec, &err), "%s: %s", g->text, err.text);
    ck_assert_str_eq(spec.text, g->text);
    ck_assert_str_eq(spec.path, g->path);
    ck_assert_uint_eq(spec.port, g->port);
    if (g->ip == NULL)
        ck_assert_int_eq(spec.ip.family, AF_UNSPEC);
    else
        ck_assert_str_eq(netaddr_format(&spec.ip, ip), g->ip);
}
END_TEST

static const char *const bads[] = {
    "",
    "8894",
    "inet:",
    "inet:0",
    "inet:65536",
    "inet:88x@127.0.0.1",
    "inet:8894@",
    "inet:8894@::1",
    "inet6:8894@127.0.0.1",
    "inet:8894@[127.0.0.1",
    "inet:8894@[localhost]",
    "inet:8894@a b",
    "inet:8894@mail.example.com",
    "inet:127.0.0.1:8894",
    "unix:",
    "unix:relative",
    "/run/milter",
    "tcp:1@::1",
    ("unix:/a/very/long/path/that/no/unix/socket/can/have/because/its/address/has/room/for/no/more/"
     "than/one/hundred/and/seven/octets"),
};

START_TEST(bad)
{
    struct listen_spec spec;
    struct error err = {""};

    ck_assert_msg(!milter_socket_parse(bads[_i], &spec, &err), "%s", bads[_i]);
    ck_assert_msg(strstr(err.text, "is no milter socket") != NULL, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("milter_socket");
    TCase *t = tcase_create("syntax");

    tcase_add_loop_test(t, good, 0, sizeof(goods) / sizeof(goods[0]));
    tcase_add_loop_test(t, bad, 0, sizeof(bads) / sizeof(bads[0]));
    suite_add_tcase(s, t);
    return suite_run(s);
}
