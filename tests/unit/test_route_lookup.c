/* callout/route_lookup: a route's targets, in order, wherever they are. */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "callout/route_lookup.h"
#include "dns/resolver.h"
#include "dns_fixture.h"
#include "kept_plan.h"
#include "suite.h"

#define NEGATIVE SOA("test", 600, 300)

static struct loop *loop;
static struct fixture *server;
static struct resolver *resolver;
static struct route route;
static struct mx_plan plan;
static int calls;

static struct fixture_rule rules[] = {
    {"two.test", DNS_MX,
     .rrs = {MX("two.test", 300, 20, "b.two.test"), MX("two.test", 300, 10, "a.two.test")}},
    {"a.two.test", DNS_A, .rrs = {A("a.two.test", 200, "127.0.0.1")}},
    {"a.two.test", DNS_AAAA, .rrs = {NEGATIVE}},
    {"b.two.test", DNS_A, .rrs = {A("b.two.test", 300, "10.0.0.2")}},
    {"b.two.test", DNS_AAAA, .rrs = {NEGATIVE}},
    {"host.test", DNS_A, .rrs = {A("host.test", 300, "198.51.100.7")}},
    {"host.test", DNS_AAAA, .rrs = {AAAA("host.test", 300, "2001:db8::7")}},
    {"broken.test", DNS_MX, .rcode = RCODE_SERVFAIL},
    {"null.test", DNS_MX, .rrs = {MX("null.test", 300, 0, ".")}},
    {.name = NULL},
};

static void on_plan(void *arg, const struct mx_plan *p)
{
    ck_assert_ptr_eq(arg, &plan);
    plan = kept_plan(p);
    calls++;
    event_base_loopbreak(loop_base(loop));
}

static void setup(void)
{
    struct resolver_opts ro;

    memset(&route, 0, sizeof(route));
    calls = 0;
    loop = loop_new("test");
    server = fixture_new(loop, "127.0.0.1", 0, rules);
    ro = fixture_opts(server);
    ck_assert(resolver_new(&resolver, loop, &ro, NULL));
}

static void teardown(void)
{
    resolver_free(&resolver);
    fixture_free(&server);
    loop_free(&loop);
    free(route.targets);
}

static void target(const char *text)
{
    struct error err = {""};
    struct route_target t;

    ck_assert_msg(route_target_parse(text, &t, &err), "%s", err.text);
    ck_assert(route_add_target(&route, &t, &err));
}

static void look_up(void)
{
    struct route_lookup *l = route_lookup_start(resolver, &route, on_plan, &plan);

    ck_assert_ptr_nonnull(l);
    ck_assert_int_eq(calls, 0);
    loop_run(loop);
    ck_assert_int_eq(calls, 1);
}

static void candidate(size_t i, const char *name, const char *text, uint16_t preference,
                      uint16_t port)
{
    const struct mx_candidate *c = &plan.list[i];
    char ip[NETADDR_TEXT_MAX];

    ck_assert_uint_lt(i, plan.count);
    ck_assert_str_eq(c->name, name);
    ck_assert_str_eq(c->path != NULL ? c->path : netaddr_format(&c->ip, ip), text);
    ck_assert_uint_eq(c->preference, preference);
    ck_assert_uint_eq(c->port, port);
}

START_TEST(of_every_kind)
{
    target("unix:/run/lmtp");
    target("two.test:26");
    target("[host.test]:27");
    target("[127.0.0.5]");
    look_up();
    ck_assert_int_eq(plan.result, MX_OK);
    ck_assert_uint_eq(plan.count, 6);
    candidate(0, "unix:/run/lmtp", "/run/lmtp", 0, 0);
    candidate(1, "a.two.test", "127.0.0.1", 1, 26);
    candidate(2, "b.two.test", "10.0.0.2", 1, 26);
    candidate(3, "host.test", "2001:db8::7", 2, 27);
    candidate(4, "host.test", "198.51.100.7", 2, 27);
    candidate(5, "", "127.0.0.5", 3, 0);
}
END_TEST

/* Not one of them is worth less because another is not to be found. */
START_TEST(some_fail)
{
    target("broken.test");
    target("nowhere.test");
    target("[127.0.0.5]:25");
    look_up();
    ck_assert_int_eq(plan.result, MX_OK);
    ck_assert_uint_eq(plan.count, 1);
    candidate(0, "", "127.0.0.5", 2, 25);
}
END_TEST

/* That a server of ours is not to be found makes no recipient invalid. */
START_TEST(all_fail)
{
    static const char *const names[] = {"nowhere.test", "null.test", "broken.test",
                                        "[nowhere.test]"};

    route.target_count = 0;
    target(names[_i]);
    look_up();
    ck_assert_int_ge((int)plan.result, (int)MX_SERVFAIL);
    ck_assert_ptr_nonnull(strstr(plan.detail, "route to "));
}
END_TEST

START_TEST(cancelled)
{
    struct route_lookup *l;

    target("two.test");
    target("unix:/run/lmtp");
    l = route_lookup_start(resolver, &route, on_plan, &plan);
    route_lookup_cancel(&l);
    ck_assert_ptr_null(l);
    route_lookup_cancel(&l);
    ck_assert_int_eq(calls, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("route_lookup");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, of_every_kind);
    tcase_add_test(t, some_fail);
    tcase_add_loop_test(t, all_fail, 0, 4);
    tcase_add_test(t, cancelled);
    suite_add_tcase(s, t);
    return suite_run(s);
}
