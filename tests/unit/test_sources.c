/* callout/sources: who is picked, who rests, what is remembered, and which the host has. */
#include <check.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"
#include "callout/sources.h"
#include "suite.h"

#define MAX   20
#define PLACE "mx/example.net"

static struct sources *s;

static void add(struct sources_opts *o, const char *text)
{
    ck_assert(netaddr_parse(text, &o->list[o->count++]));
}

/* Three of IPv4; none of IPv6. */
static struct sources_opts pool_v4(void)
{
    struct sources_opts o = {0};

    add(&o, "192.0.2.1");
    add(&o, "192.0.2.2");
    add(&o, "192.0.2.3");
    return o;
}

static void setup(void)
{
    struct sources_opts o = pool_v4();

    s = sources_new(&o, MAX);
    ck_assert_ptr_nonnull(s);
}

static void teardown(void)
{
    sources_free(&s);
    ck_assert_ptr_null(s);
    sources_free(&s);
}

static struct netaddr ip_of(const char *text)
{
    struct netaddr ip;

    ck_assert(netaddr_parse(text, &ip));
    return ip;
}

/* The one that is picked, as text. */
static const char *pick(const char *domain, int64_t now)
{
    static char text[NETADDR_TEXT_MAX];
    struct netaddr ip;

    ck_assert_int_eq(sources_pick(s, AF_INET, PLACE, domain, now, &ip), SOURCES_ONE);
    ck_assert(sources_usable(s, &ip, PLACE, now));
    return netaddr_format(&ip, text);
}

static void load(const char *text, int change)
{
    struct netaddr ip = ip_of(text);

    sources_load(s, &ip, change);
}

static bool rest(const char *text, int64_t until, int64_t now)
{
    struct netaddr ip = ip_of(text);

    return sources_rest(s, &ip, PLACE, until, now);
}

static bool usable(const char *text, const char *destination, int64_t now)
{
    struct netaddr ip = ip_of(text);

    return sources_usable(s, &ip, destination, now);
}

START_TEST(test_any)
{
    struct sources_opts none = {0};
    struct netaddr ip;

    ck_assert_int_eq(sources_pick(s, AF_INET6, PLACE, "example.org", 0, &ip), SOURCES_ANY);
    ck_assert_int_eq(ip.family, AF_UNSPEC);
    ck_assert(sources_usable(s, &ip, PLACE, 0));
    ck_assert(usable("2001:db8::1", PLACE, 0));
    ck_assert(!usable("192.0.2.4", PLACE, 0));
    sources_set(s, &none);
    ck_assert_int_eq(sources_pick(s, AF_INET, PLACE, "example.org", 0, &ip), SOURCES_ANY);
    ck_assert(usable("192.0.2.4", PLACE, 0));
}
END_TEST

START_TEST(test_families)
{
    struct sources_opts o = pool_v4();
    struct netaddr ip;

    add(&o, "2001:db8::1");
    sources_set(s, &o);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sources_pick(s, AF_INET6, PLACE, "example.org", 0, &ip), SOURCES_ONE);
        ck_assert_int_eq(ip.family, AF_INET6);
        ck_assert_int_eq(sources_pick(s, AF_INET, PLACE, "example.org", 0, &ip), SOURCES_ONE);
        ck_assert_int_eq(ip.family, AF_INET);
    }
    ck_assert(!rest("2001:db8::1", 10, 0)); /* there is no other of its family */
    ck_assert_int_eq(sources_pick(s, AF_INET6, PLACE, "example.org", 0, &ip), SOURCES_REST);
    ck_assert_int_eq(ip.family, AF_UNSPEC);
}
END_TEST

/* With the same load the domain's hash picks: each gets some, and a restart changes nothing. */
START_TEST(test_by_hash)
{
    unsigned counts[4] = {0};
    char domain[32], first[NETADDR_TEXT_MAX];

    for (int i = 0; i < 60; i++) {
        (void)snprintf(domain, sizeof(domain), "example%d.org", i);
        (void)str_copy(first, sizeof(first), pick(domain, 0));
        counts[first[strlen(first) - 1] - '0']++;
        teardown();
        setup();
        ck_assert_str_eq(pick(domain, 0), first);
    }
    for (size_t i = 1; i <= 3; i++)
        ck_assert_uint_gt(counts[i], 5);
}
END_TEST

START_TEST(test_least_load)
{
    load("192.0.2.1", 2);
    load("192.0.2.2", 1);
    load("192.0.2.3", 2);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(pick("example.org", 0), "192.0.2.2");
    load("192.0.2.2", 2);
    load("192.0.2.3", -1);
    ck_assert_str_eq(pick("example.com", 0), "192.0.2.3");
    ck_assert_str_eq(pick("example.org", 0), "192.0.2.2"); /* whatever it has to do */
}
END_TEST

START_TEST(test_load_bounds)
{
    struct netaddr nobody = {0};

    sources_load(s, &nobody, 1);
    load("192.0.2.9", 1);
    load("192.0.2.1", 1);
    load("192.0.2.1", -5); /* not below none */
    load("192.0.2.2", 1);
    load("192.0.2.3", 2);
    ck_assert_str_eq(pick("example.org", 0), "192.0.2.1");
}
END_TEST

START_TEST(test_rest)
{
    char first[NETADDR_TEXT_MAX], second[NETADDR_TEXT_MAX];

    (void)str_copy(first, sizeof(first), pick("example.org", 0));
    ck_assert(rest(first, 100, 0));
    ck_assert(!usable(first, PLACE, 99));
    ck_assert(usable(first, "mx/example.com", 99));
    (void)str_copy(second, sizeof(second), pick("example.org", 99));
    ck_assert_str_ne(second, first);
    ck_assert(usable(first, PLACE, 100));
    ck_assert_str_eq(pick("example.org", 100), second); /* it is known there by now */
}
END_TEST

START_TEST(test_all_rest)
{
    struct netaddr ip;

    ck_assert(rest("192.0.2.1", 100, 0));
    ck_assert(rest("192.0.2.2", 200, 0));
    ck_assert(rest("192.0.2.2", 50, 0)); /* not shorter by that */
    ck_assert(!rest("192.0.2.3", 300, 0));
    ck_assert_int_eq(sources_pick(s, AF_INET, PLACE, "example.org", 99, &ip), SOURCES_REST);
    ck_assert_int_eq(ip.family, AF_UNSPEC);
    ck_assert_str_eq(pick("example.org", 100), "192.0.2.1");
    ck_assert(!usable("192.0.2.2", PLACE, 199));
    ck_assert(usable("192.0.2.2", PLACE, 200));
}
END_TEST

START_TEST(test_rest_of_nobody)
{
    struct netaddr nobody = {0};

    ck_assert(!sources_rest(s, &nobody, PLACE, 100, 0));
    ck_assert(!rest("192.0.2.9", 100, 0));
    ck_assert(sources_usable(s, &nobody, PLACE, 0));
}
END_TEST

START_TEST(test_other_pool)
{
    struct sources_opts o = {0};
    char first[NETADDR_TEXT_MAX];

    (void)str_copy(first, sizeof(first), pick("example.org", 0));
    (void)rest(first, 100, 0);
    load(first, 5);
    add(&o, "192.0.2.8");
    add(&o, first);
    add(&o, "192.0.2.8"); /* once is enough */
    sources_set(s, &o);
    ck_assert(!usable(first, PLACE, 0));
    ck_assert_str_eq(pick("example.com", 100), "192.0.2.8");
    load("192.0.2.8", 4);
    ck_assert_str_eq(pick("example.net", 100), "192.0.2.8");
    ck_assert_str_eq(pick("example.org", 100), first);
    sources_set(s, &(struct sources_opts){.count = 1, .list = {ip_of("192.0.2.8")}});
    ck_assert_str_eq(pick("example.org", 100), "192.0.2.8");
    ck_assert(!usable(first, PLACE, 100));
}
END_TEST

/* Who was not heard of longest is forgotten, and may get another one. */
START_TEST(test_bounded)
{
    char domain[32], first[NETADDR_TEXT_MAX], other[NETADDR_TEXT_MAX], name[32];
    struct netaddr ip;

    (void)str_copy(first, sizeof(first), pick("example.org", 0));
    (void)str_copy(other, sizeof(other), pick("example.com", 0));
    load(first, 9);
    load(other, 9);
    for (int i = 0; i < 2 * MAX; i++) {
        (void)snprintf(domain, sizeof(domain), "example%d.org", i);
        (void)pick(domain, 0);
        ck_assert_str_eq(pick("example.org", 0), first);
    }
    ck_assert_str_ne(pick("example.com", 0), other);
    ip = ip_of("192.0.2.1");
    for (int i = 0; i <= MAX; i++) {
        (void)snprintf(name, sizeof(name), "mx/example%d.net", i);
        (void)sources_rest(s, &ip, name, 100, 0);
    }
    ck_assert(sources_usable(s, &ip, "mx/example0.net", 0));
    ck_assert(!sources_usable(s, &ip, "mx/example1.net", 0));
}
END_TEST

/* What sources_check() told. */
struct told {
    unsigned missing, found;
};

static void on_change(void *arg, const struct netaddr *ip, bool missing)
{
    struct told *told = arg;

    ck_assert_int_ne(ip->family, AF_UNSPEC);
    if (missing)
        told->missing++;
    else
        told->found++;
}

START_TEST(test_check)
{
    struct sources_opts o = {0};
    struct told told = {0};
    struct netaddr out[4], ip;

    add(&o, "192.0.2.77");
    add(&o, "127.0.0.1");
    add(&o, "192.0.2.78");
    sources_set(s, &o);
    ck_assert_uint_eq(sources_missing(s, out, 4), 0);
    ck_assert_uint_eq(sources_check(s, on_change, &told), 2);
    ck_assert_uint_eq(sources_check(s, on_change, &told), 2); /* which is no news */
    ck_assert_uint_eq(told.missing, 2);
    ck_assert_uint_eq(told.found, 0);
    ck_assert_uint_eq(sources_missing(s, out, 1), 1);
    ck_assert_uint_eq(sources_missing(s, out, 4), 2);
    ip = ip_of("192.0.2.78");
    ck_assert(netaddr_equal(&out[1], &ip));
    ck_assert(!usable("192.0.2.77", PLACE, 0));
    ck_assert_str_eq(pick("example.org", 0), "127.0.0.1");
    ck_assert(!rest("127.0.0.1", 10, 0)); /* the others are no help */
    ck_assert_int_eq(sources_pick(s, AF_INET, PLACE, "example.org", 0, &ip), SOURCES_REST);
    o.count = 1;
    sources_set(s, &o); /* who stays, stays missing */
    ck_assert_int_eq(sources_pick(s, AF_INET, PLACE, "example.org", 0, &ip), SOURCES_NONE);
}
END_TEST

/* The interface, of a network of our own, gets that address. */
static void assign(const struct netaddr *ip)
{
    struct ifreq lo = {.ifr_name = "lo"};
    struct sockaddr_storage sa;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_ge(fd, 0);
    (void)netaddr_to_sockaddr(ip, 0, &sa);
    memcpy(&lo.ifr_addr, &sa, sizeof(lo.ifr_addr));
    ck_assert_int_eq(ioctl(fd, SIOCSIFADDR, &lo), 0);
    lo.ifr_flags = IFF_UP;
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    close(fd);
}

START_TEST(test_found_later)
{
    struct sources_opts o = {0};
    struct told told = {0};
    struct netaddr local = ip_of("127.0.0.1");

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return;     /* not everywhere is that allowed */
    assign(&local); /* where there is no address at all, the kernel takes any for its own */
    add(&o, "192.0.2.77");
    sources_set(s, &o);
    ck_assert_uint_eq(sources_check(s, on_change, &told), 1);
    assign(&o.list[0]);
    ck_assert_uint_eq(sources_check(s, on_change, &told), 0);
    ck_assert_uint_eq(told.missing, 1);
    ck_assert_uint_eq(told.found, 1);
    ck_assert_str_eq(pick("example.org", 0), "192.0.2.77");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sources");
    TCase *t = tcase_create("sources");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_any);
    tcase_add_test(t, test_families);
    tcase_add_test(t, test_by_hash);
    tcase_add_test(t, test_least_load);
    tcase_add_test(t, test_load_bounds);
    tcase_add_test(t, test_rest);
    tcase_add_test(t, test_all_rest);
    tcase_add_test(t, test_rest_of_nobody);
    tcase_add_test(t, test_other_pool);
    tcase_add_test(t, test_bounded);
    tcase_add_test(t, test_check);
    tcase_add_test(t, test_found_later);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
