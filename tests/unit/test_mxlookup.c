/* dns/mxlookup: the whole way from a domain to a plan, against a scripted server. */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "dns/mxlookup.h"
#include "dns/resolver.h"
#include "dns_fixture.h"
#include "kept_plan.h"
#include "suite.h"

#define NEGATIVE SOA("test", 600, 300)

static struct loop *loop;
static struct fixture *server;
static struct resolver *resolver;
static struct mxlist_opts opts;

struct asker {
    struct mx_lookup *lookup;
    int calls;
    struct mx_plan plan;
};

static struct fixture_rule rules[] = {
    {"two.test", DNS_MX,
     .rrs = {MX("two.test", 300, 20, "mx2.two.test"), MX("two.test", 300, 10, "mx1.two.test")}},
    {"mx1.two.test", DNS_A, .rrs = {A("mx1.two.test", 200, "198.51.100.201")}},
    {"mx1.two.test", DNS_AAAA, .rrs = {AAAA("mx1.two.test", 100, "2001:db8:77::1")}},
    {"mx2.two.test", DNS_A, .rrs = {A("mx2.two.test", 300, "198.51.100.202")}},
    {"mx2.two.test", DNS_AAAA, .rrs = {NEGATIVE}},
    {"implicit.test", DNS_MX, .rrs = {NEGATIVE}},
    {"implicit.test", DNS_A, .rrs = {A("implicit.test", 300, "198.51.100.203")}},
    {"implicit.test", DNS_AAAA, .rrs = {NEGATIVE}},
    {"null.test", DNS_MX, .rrs = {MX("null.test", 300, 0, ".")}},
    {"stuck.test", DNS_MX, .rrs = {MX("stuck.test", 300, 10, "mx.stuck.test")}},
    {"mx.stuck.test", DNS_A, .drop = 1000},
    {"mx.stuck.test", DNS_AAAA, .drop = 1000},
    {"deserted.test", DNS_MX, .rrs = {MX("deserted.test", 300, 10, "gone.deserted.test")}},
    {"gone.deserted.test", DNS_A, .rcode = RCODE_NXDOMAIN},
    {"gone.deserted.test", DNS_AAAA, .rcode = RCODE_NXDOMAIN},
    {"broken.test", DNS_MX, .rcode = RCODE_SERVFAIL},
    {"half.test", DNS_MX,
     .rrs = {MX("half.test", 300, 10, "fail.half.test"),
             MX("half.test", 300, 20, "gone.half.test")}},
    {"fail.half.test", DNS_A, .rcode = RCODE_SERVFAIL},
    {"fail.half.test", DNS_AAAA, .rcode = RCODE_SERVFAIL},
    {"alias.test", DNS_MX,
     .rrs = {CNAME("alias.test", 300, "two.test"), MX("two.test", 300, 10, "www.alias.test")}},
    {"www.alias.test", DNS_A,
     .rrs = {CNAME("www.alias.test", 30, "mx1.two.test"),
             A("mx1.two.test", 300, "198.51.100.201")}},
    {"www.alias.test", DNS_AAAA, .rrs = {CNAME("www.alias.test", 30, "mx1.two.test"), NEGATIVE}},
    {"numeric.test", DNS_MX, .rrs = {MX("numeric.test", 300, 10, "198.51.100.209")}},
    {"home.test", DNS_MX, .rrs = {MX("home.test", 300, 10, "localhost.home.test")}},
    {"localhost.home.test", DNS_A, .rrs = {A("localhost.home.test", 300, "127.0.0.1")}},
    {.name = NULL},
};

static unsigned rule_asked(const char *name)
{
    for (const struct fixture_rule *r = rules; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r->asked;
    ck_abort_msg("no rule %s", name);
    return 0;
}

static void on_plan(void *arg, const struct mx_plan *plan)
{
    struct asker *a = arg;

    a->lookup = NULL;
    a->calls++;
    a->plan = kept_plan(plan);
    event_base_loopbreak(loop_base(loop));
}

static void start(struct asker *a, const char *domain, const char *literal)
{
    struct netaddr ip = {.family = AF_UNSPEC};

    *a = (struct asker){.calls = 0};
    if (literal != NULL)
        ck_assert(netaddr_parse(literal, &ip));
    a->lookup = mx_lookup_start(resolver, &opts, domain, &ip, on_plan, a);
    ck_assert_ptr_nonnull(a->lookup);
    ck_assert_int_eq(a->calls, 0);
}

static struct asker looked_up(const char *domain)
{
    struct asker a;

    start(&a, domain, NULL);
    loop_run(loop);
    ck_assert_int_eq(a.calls, 1);
    return a;
}

static void assert_candidate(const struct asker *a, size_t i, const char *name, const char *text)
{
    char ip[NETADDR_TEXT_MAX];

    ck_assert_uint_lt(i, a->plan.count);
    ck_assert_str_eq(a->plan.list[i].name, name);
    ck_assert_str_eq(netaddr_format(&a->plan.list[i].ip, ip), text);
}

static void setup(void)
{
    struct resolver_opts ro;

    memset(&opts, 0, sizeof(opts));
    loop = loop_new("test");
    ck_assert_ptr_nonnull(loop);
    server = fixture_new(loop, "127.0.0.1", 0, rules);
    ro = fixture_opts(server);
    ck_assert(resolver_new(&resolver, loop, &ro, NULL));
}

static void teardown(void)
{
    resolver_free(&resolver);
    fixture_free(&server);
    loop_free(&loop);
}

START_TEST(two_exchangers)
{
    struct asker a = looked_up("two.test");
    unsigned before = fixture_asked(server);

    ck_assert_int_eq(a.plan.result, MX_OK);
    ck_assert_uint_eq(a.plan.count, 3);
    ck_assert_uint_eq(a.plan.ttl, 100);
    assert_candidate(&a, 0, "mx1.two.test", "2001:db8:77::1");
    assert_candidate(&a, 1, "mx1.two.test", "198.51.100.201");
    assert_candidate(&a, 2, "mx2.two.test", "198.51.100.202");
    ck_assert_uint_eq(before, 5);
    ck_assert_uint_eq(looked_up("two.test").plan.count, 3);
    ck_assert_uint_eq(fixture_asked(server), before);
}
END_TEST

START_TEST(implicit)
{
    struct asker a = looked_up("implicit.test");

    ck_assert_int_eq(a.plan.result, MX_OK);
    ck_assert_uint_eq(a.plan.count, 1);
    assert_candidate(&a, 0, "implicit.test", "198.51.100.203");
}
END_TEST

static struct asker host_looked_up(const char *host)
{
    struct asker a = {.calls = 0};

    a.lookup = mx_lookup_start_host(resolver, &opts, host, on_plan, &a);
    ck_assert_ptr_nonnull(a.lookup);
    ck_assert_int_eq(a.calls, 0);
    loop_run(loop);
    ck_assert_int_eq(a.calls, 1);
    return a;
}

/* Its MX are not asked for; what cannot be used is told as that of a domain. */
START_TEST(host)
{
    struct asker a = host_looked_up("mx1.two.test");

    ck_assert_int_eq(a.plan.result, MX_OK);
    ck_assert_uint_eq(a.plan.count, 2);
    ck_assert_uint_eq(a.plan.ttl, 100);
    assert_candidate(&a, 0, "mx1.two.test", "2001:db8:77::1");
    assert_candidate(&a, 1, "mx1.two.test", "198.51.100.201");
    ck_assert_uint_eq(fixture_asked(server), 2);
    ck_assert_uint_eq(host_looked_up("implicit.test").plan.count, 1);
    ck_assert_int_eq(host_looked_up("nowhere.test").plan.result, MX_NO_DOMAIN);
    ck_assert_int_eq(host_looked_up("fail.half.test").plan.result, MX_SERVFAIL);
    ck_assert_int_eq(host_looked_up("localhost.home.test").plan.result, MX_NO_DOMAIN);
    opts.allow_private = true;
    ck_assert_int_eq(host_looked_up("localhost.home.test").plan.result, MX_OK);
}
END_TEST

START_TEST(results_without_candidates)
{
    struct asker a = looked_up("null.test");

    ck_assert_int_eq(a.plan.result, MX_NULL);
    ck_assert_uint_eq(a.plan.ttl, 300);
    a = looked_up("nowhere.test");
    ck_assert_int_eq(a.plan.result, MX_NO_DOMAIN);
    ck_assert_uint_eq(a.plan.ttl, 60);
    ck_assert_int_eq(looked_up("broken.test").plan.result, MX_SERVFAIL);
    a = looked_up("half.test");
    ck_assert_int_eq(a.plan.result, MX_SERVFAIL);
    ck_assert_str_eq(a.plan.detail, "fail.half.test: SERVFAIL");
    ck_assert_int_eq(looked_up("numeric.test").plan.result, MX_OK);
    ck_assert_int_eq(looked_up("home.test").plan.result, MX_NO_DOMAIN);
}
END_TEST

START_TEST(aliases)
{
    struct asker a = looked_up("alias.test");

    ck_assert_int_eq(a.plan.result, MX_OK);
    ck_assert_uint_eq(a.plan.count, 1);
    ck_assert_uint_eq(a.plan.ttl, 30);
    assert_candidate(&a, 0, "www.alias.test", "198.51.100.201");
}
END_TEST

START_TEST(own_address_by_option)
{
    ck_assert(netaddr_parse("198.51.100.202", &opts.own[0]));
    opts.own_count = 1;
    ck_assert_uint_eq(looked_up("two.test").plan.count, 2);
    ck_assert(netaddr_parse("2001:db8:77::1", &opts.own[0]));
    ck_assert_int_eq(looked_up("two.test").plan.result, MX_PRIVATE);
}
END_TEST

START_TEST(address_literal)
{
    struct asker a;

    start(&a, "", "198.51.100.205");
    loop_run(loop);
    ck_assert_int_eq(a.plan.result, MX_OK);
    assert_candidate(&a, 0, "", "198.51.100.205");
    start(&a, "", "127.0.0.1");
    loop_run(loop);
    ck_assert_int_eq(a.plan.result, MX_NO_DOMAIN);
    ck_assert_uint_eq(fixture_asked(server), 0);
}
END_TEST

/* Whatever interfaces the machine has that runs this, they are no callout's target. */
START_TEST(own_address_by_interface)
{
    size_t count;
    const struct netaddr *own = resolver_own_addresses(resolver, &count);
    char text[NETADDR_TEXT_MAX];
    struct asker a;

    opts.allow_private = true;
    for (size_t i = 0; i < count; i++) {
        start(&a, "", netaddr_format(&own[i], text));
        loop_run(loop);
        ck_assert_msg(a.plan.result == MX_PRIVATE, "%s", text);
    }
}
END_TEST

/* Where the next thing that happens to a lookup is a cancel, nothing is called and nothing leaks.
 */
START_TEST(cancelled)
{
    struct asker a, b;

    start(&a, "two.test", NULL);
    mx_lookup_cancel(&a.lookup);
    mx_lookup_cancel(&a.lookup);
    start(&b, "", "198.51.100.205");
    mx_lookup_cancel(&b.lookup);
    b.lookup = mx_lookup_start_host(resolver, &opts, "mx1.two.test", on_plan, &b);
    mx_lookup_cancel(&b.lookup);
    ck_assert_int_eq(looked_up("implicit.test").calls, 1);
    start(&a, "stuck.test", NULL);
    while (rule_asked("mx.stuck.test") == 0)
        event_base_loop(loop_base(loop), EVLOOP_ONCE);
    mx_lookup_cancel(&a.lookup); /* its MX is there by now, its hosts are not */
    ck_assert_uint_eq(looked_up("two.test").plan.count, 3);
    ck_assert_int_eq(a.calls + b.calls, 0);
}
END_TEST

static bool is_vouched_for(const struct asker *a)
{
    return resolver_vouched(resolver) >= a->plan.heard;
}

/* Unproved, it does not get better by being kept. */
START_TEST(a_denial_is_vouched_for_by_what_was_asked_since)
{
    struct asker a = looked_up("nowhere.test");
    uint64_t heard = a.plan.heard;

    ck_assert(heard > 0 && !is_vouched_for(&a));
    a = looked_up("nowhere.test");
    ck_assert_int_eq(a.plan.result, MX_NO_DOMAIN);
    ck_assert(a.plan.heard == heard && !is_vouched_for(&a));
    ck_assert_int_eq(looked_up("two.test").plan.result, MX_OK);
    a = looked_up("nowhere.test");
    ck_assert(a.plan.heard == heard && is_vouched_for(&a));
    ck_assert_uint_eq(fixture_asked(server), 6);
}
END_TEST

/* The domain's own records, be they new or kept from better days; its hosts are denied now. */
START_TEST(records_of_the_domain_do_not_vouch_for_its_hosts)
{
    for (int i = 0; i < 2; i++) {
        struct asker a = looked_up("deserted.test");

        ck_assert_int_eq(a.plan.result, MX_NO_DOMAIN);
        ck_assert_uint_eq(rule_asked("deserted.test"), 1);
        ck_assert(!is_vouched_for(&a));
    }
}
END_TEST

START_TEST(what_no_server_said_needs_no_proof)
{
    struct asker a = looked_up("no host name");

    ck_assert_int_eq(a.plan.result, MX_NO_DOMAIN);
    ck_assert_uint_eq(a.plan.heard, 0);
    start(&a, "", "198.51.100.1");
    loop_run(loop);
    ck_assert_uint_eq(a.plan.heard, 0);
}
END_TEST

START_TEST(a_failure_from_the_cache_is_old)
{
    struct asker first = looked_up("broken.test"), second;
    int64_t ended;

    for (ended = clock_mono_ms(); clock_mono_ms() == ended;)
        ;
    second = looked_up("broken.test");
    ck_assert_uint_eq(rule_asked("broken.test"), 1);
    ck_assert_int_eq(second.plan.result, MX_SERVFAIL);
    ck_assert(!first.plan.old_failure);
    ck_assert(second.plan.old_failure);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("mxlookup");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, two_exchangers);
    tcase_add_test(t, implicit);
    tcase_add_test(t, host);
    tcase_add_test(t, results_without_candidates);
    tcase_add_test(t, aliases);
    tcase_add_test(t, own_address_by_option);
    tcase_add_test(t, own_address_by_interface);
    tcase_add_test(t, address_literal);
    tcase_add_test(t, cancelled);
    tcase_add_test(t, a_denial_is_vouched_for_by_what_was_asked_since);
    tcase_add_test(t, records_of_the_domain_do_not_vouch_for_its_hosts);
    tcase_add_test(t, what_no_server_said_needs_no_proof);
    tcase_add_test(t, a_failure_from_the_cache_is_old);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
