/* dns/mxlist: from answers to candidates. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/mxlist.h"

static struct mxlist list;
static struct mx_plan plan;
static struct mxlist_opts opts;
static struct netaddr own[4];
static size_t own_count;
static uint32_t (*random_fn)(uint32_t bound);

/* Leaves records as they are: nothing is ever swapped. */
static uint32_t random_last(uint32_t bound)
{
    return bound - 1;
}

static uint32_t random_first(uint32_t bound)
{
    (void)bound;
    return 0;
}

static struct netaddr address(const char *text)
{
    struct netaddr ip;

    ck_assert_msg(netaddr_parse(text, &ip), "%s", text);
    return ip;
}

static void setup(void)
{
    memset(&opts, 0, sizeof(opts));
    own_count = 0;
    random_fn = random_last;
}

static void teardown(void)
{
    for (size_t i = 0; i < MX_HOSTS_MAX; i++)
        for (int f = 0; f < MX_FAMILIES; f++)
            dns_answer_unref(&list.hosts[i].answers[f]);
}

static struct dns_answer *answer_empty(enum dns_status status)
{
    struct dns_answer *a = dns_answer_empty(status);

    ck_assert_ptr_nonnull(a);
    return a;
}

/* "10 mx1.test, 20 mx2.test"; "." is the root. */
static struct dns_answer *answer_mx(const char *text)
{
    struct dns_answer *a = answer_empty(DNS_OK);
    unsigned preference;
    int used;

    a->mxs = calloc(64, sizeof(*a->mxs));
    ck_assert_ptr_nonnull(a->mxs);
    while (sscanf(text, " %u %255[^,]%n", &preference, a->mxs[a->count].name, &used) == 2) {
        if (strcmp(a->mxs[a->count].name, ".") == 0)
            a->mxs[a->count].name[0] = '\0';
        a->mxs[a->count++].preference = (uint16_t)preference;
        text += used + (text[used] == ',');
    }
    return a;
}

/* "2001:db8::1 2001:db8::2", or the name of a status. */
static struct dns_answer *answer_ips(const char *text)
{
    struct dns_answer *a;
    char one[64];
    int used;

    for (int s = DNS_NODATA; s <= DNS_TIMEOUT; s++)
        if (strcmp(text, dns_status_name((enum dns_status)s)) == 0)
            return answer_empty((enum dns_status)s);
    a = answer_empty(DNS_OK);
    a->ips = calloc(64, sizeof(*a->ips));
    ck_assert_ptr_nonnull(a->ips);
    for (; sscanf(text, " %63s%n", one, &used) == 1; text += used)
        a->ips[a->count++] = address(one);
    return a;
}

static bool hosts_of(struct dns_answer *mx, uint32_t ttl)
{
    bool more;

    teardown();
    more = mxlist_hosts(&list, "d.test", mx, ttl, random_fn, &plan);
    dns_answer_unref(&mx);
    return more;
}

static struct mx_host *host(const char *name)
{
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(list.hosts[i].name, name) == 0)
            return &list.hosts[i];
    ck_abort_msg("no host %s", name);
    return NULL;
}

static void resolve_ttl(const char *name, const char *v6, uint32_t ttl6, const char *v4,
                        uint32_t ttl4)
{
    struct mx_host *h = host(name);

    h->answers[MX_V6] = answer_ips(v6);
    h->answers[MX_V4] = answer_ips(v4);
    h->ttls[MX_V6] = ttl6;
    h->ttls[MX_V4] = ttl4;
}

static void resolve(const char *name, const char *v6, const char *v4)
{
    resolve_ttl(name, v6, 1000, v4, 1000);
}

/* The candidates as "pref name ip, ...". */
static const char *planned(void)
{
    static char text[4096];
    char ip[NETADDR_TEXT_MAX];
    size_t used = 0;

    mxlist_plan(&list, &opts, own, own_count, &plan);
    text[0] = '\0';
    for (size_t i = 0; i < plan.count; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u %s %s", i > 0 ? ", " : "",
                                 plan.list[i].preference, plan.list[i].name,
                                 netaddr_format(&plan.list[i].ip, ip));
    return text;
}

/* One MX at these addresses. */
static void one_mx(const char *v6, const char *v4)
{
    ck_assert(hosts_of(answer_mx("10 mx.test"), 300));
    resolve("mx.test", v6, v4);
    (void)planned();
}

START_TEST(preference_order)
{
    ck_assert(hosts_of(answer_mx("30 c.test, 10 a.test, 20 b.test"), 300));
    resolve("a.test", "NODATA", "192.0.2.1");
    resolve("b.test", "NODATA", "192.0.2.2");
    resolve("c.test", "NODATA", "192.0.2.3");
    ck_assert_str_eq(planned(), "10 a.test 192.0.2.1, 20 b.test 192.0.2.2, 30 c.test 192.0.2.3");
    ck_assert_int_eq(plan.result, MX_OK);
    ck_assert_uint_eq(plan.ttl, 300);
    ck_assert_str_eq(plan.detail, "");
}
END_TEST

START_TEST(equal_preference_is_shuffled)
{
    ck_assert(hosts_of(answer_mx("5 z.test, 10 a.test, 10 b.test, 10 c.test"), 300));
    ck_assert_str_eq(list.hosts[0].name, "z.test");
    ck_assert_str_eq(list.hosts[1].name, "a.test");
    random_fn = random_first;
    ck_assert(hosts_of(answer_mx("5 z.test, 10 a.test, 10 b.test, 10 c.test"), 300));
    ck_assert_str_eq(list.hosts[0].name, "z.test");
    ck_assert_str_ne(list.hosts[1].name, "a.test");
}
END_TEST

static uint32_t state;

static uint32_t random_lcg(uint32_t bound)
{
    state = state * 1664525U + 1013904223U;
    return (state >> 8) % bound;
}

/* Each of three equals comes first about a third of the time. */
START_TEST(shuffle_is_fair)
{
    int first[3] = {0};

    state = 1;
    random_fn = random_lcg;
    for (int i = 0; i < 3000; i++) {
        ck_assert(hosts_of(answer_mx("10 a.test, 10 b.test, 10 c.test"), 300));
        first[list.hosts[0].name[0] - 'a']++;
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt(first[i], 850);
        ck_assert_int_lt(first[i], 1150);
    }
}
END_TEST

START_TEST(families_take_turns)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 10 b.test, 20 c.test"), 300));
    resolve("a.test", "2001:db8::1 2001:db8::2", "192.0.2.1");
    resolve("b.test", "NODATA", "192.0.2.2 192.0.2.3");
    resolve("c.test", "2001:db8::3", "192.0.2.4");
    ck_assert_str_eq(planned(), "10 a.test 2001:db8::1, 10 a.test 192.0.2.1, "
                                "10 a.test 2001:db8::2, 10 b.test 192.0.2.2, "
                                "10 b.test 192.0.2.3, "
                                "20 c.test 2001:db8::3, 20 c.test 192.0.2.4");
}
END_TEST

START_TEST(doubles_are_dropped)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 20 a.test, 20 b.test, 10 c.test"), 300));
    ck_assert_uint_eq(list.count, 3);
    resolve("a.test", "::ffff:192.0.2.1", "192.0.2.1 192.0.2.1");
    resolve("c.test", "NODATA", "192.0.2.1");
    resolve("b.test", "NODATA", "192.0.2.1 192.0.2.2");
    ck_assert_str_eq(planned(), "10 a.test 192.0.2.1, 20 b.test 192.0.2.2");
}
END_TEST

START_TEST(no_more_than_twenty)
{
    char text[2048] = "", ip[64];
    size_t used = 0;

    for (int i = 0; i < 30; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d h%d.test",
                                 i > 0 ? ", " : "", 100 - i, i);
    ck_assert(hosts_of(answer_mx(text), 300));
    ck_assert_uint_eq(list.count, MX_HOSTS_MAX);
    ck_assert_str_eq(list.hosts[0].name, "h29.test");
    ck_assert_str_eq(list.hosts[19].name, "h10.test");
    for (size_t i = 0; i < list.count; i++) {
        (void)snprintf(ip, sizeof(ip), "192.0.2.%zu 198.51.100.%zu", i, i);
        resolve(list.hosts[i].name, "NODATA", ip);
    }
    (void)planned();
    ck_assert_uint_eq(plan.count, MX_CANDIDATES_MAX);
    ck_assert_uint_eq(plan.list[19].preference, 80);
}
END_TEST

/* One host with many addresses of both families: both get their share. */
START_TEST(many_addresses_of_one_host)
{
    char v6[1024] = "", v4[1024] = "";
    size_t used6 = 0, used4 = 0;

    for (unsigned i = 1; i <= 40; i++) {
        used6 += (size_t)snprintf(v6 + used6, sizeof(v6) - used6, "2001:db8::%x ", i);
        used4 += (size_t)snprintf(v4 + used4, sizeof(v4) - used4, "192.0.2.%u ", i);
    }
    one_mx(v6, v4);
    ck_assert_uint_eq(plan.count, 20);
    ck_assert_int_eq(plan.list[18].ip.family, AF_INET6);
    ck_assert_int_eq(plan.list[19].ip.family, AF_INET);
}
END_TEST

START_TEST(implicit_mx)
{
    ck_assert(hosts_of(answer_empty(DNS_NODATA), 100));
    ck_assert_uint_eq(list.count, 1);
    resolve_ttl("d.test", "NODATA", 20, "192.0.2.1", 50);
    ck_assert_str_eq(planned(), "0 d.test 192.0.2.1");
    ck_assert_uint_eq(plan.ttl, 50);
}
END_TEST

START_TEST(nothing_at_all)
{
    ck_assert(hosts_of(answer_empty(DNS_NODATA), 100));
    resolve_ttl("d.test", "NODATA", 20, "NODATA", 50);
    (void)planned();
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
    ck_assert_uint_eq(plan.count, 0);
    ck_assert_uint_eq(plan.ttl, 20);
    ck_assert_str_eq(plan.detail, "no MX, A or AAAA record");
}
END_TEST

START_TEST(implicit_mx_that_fails)
{
    ck_assert(hosts_of(answer_empty(DNS_NODATA), 100));
    resolve("d.test", "NODATA", "timeout");
    (void)planned();
    ck_assert_int_eq(plan.result, MX_TIMEOUT);
    ck_assert_uint_eq(plan.ttl, 0);
}
END_TEST

START_TEST(domain_that_is_not_there)
{
    ck_assert(!hosts_of(answer_empty(DNS_NXDOMAIN), 100));
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
    ck_assert_uint_eq(plan.ttl, 100);
    ck_assert_str_eq(plan.detail, "NXDOMAIN");
}
END_TEST

START_TEST(mx_question_that_fails)
{
    ck_assert(!hosts_of(answer_empty(DNS_SERVFAIL), 100));
    ck_assert_int_eq(plan.result, MX_SERVFAIL);
    ck_assert_uint_eq(plan.ttl, 0);
    ck_assert_str_eq(plan.detail, "d.test: SERVFAIL");
    ck_assert(!hosts_of(answer_empty(DNS_TIMEOUT), 0));
    ck_assert_int_eq(plan.result, MX_TIMEOUT);
}
END_TEST

START_TEST(null_mx)
{
    ck_assert(!hosts_of(answer_mx("0 ."), 100));
    ck_assert_int_eq(plan.result, MX_NULL);
    ck_assert_uint_eq(plan.ttl, 100);
    ck_assert(!hosts_of(answer_mx("10 ."), 100));
    ck_assert_int_eq(plan.result, MX_NULL);
}
END_TEST

START_TEST(null_mx_beside_others)
{
    struct dns_answer *odd = answer_mx("0 .");

    ck_assert(hosts_of(answer_mx("0 ., 10 mx.test"), 100));
    ck_assert_uint_eq(list.count, 1);
    resolve("mx.test", "NODATA", "192.0.2.1");
    ck_assert_str_eq(planned(), "10 mx.test 192.0.2.1");
    ck_assert(!hosts_of(answer_mx("0 ., 10 ."), 100));
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
    odd->unusable = 1;
    ck_assert(!hosts_of(odd, 100));
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
}
END_TEST

/* MX records are there, though none has a usable name: the domain's own address must not step in.
 */
START_TEST(only_unusable_records)
{
    struct dns_answer *odd = answer_empty(DNS_OK);

    odd->unusable = 2;
    ck_assert(!hosts_of(odd, 100));
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
}
END_TEST

START_TEST(hosts_that_do_not_resolve)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 20 b.test, 30 c.test"), 300));
    resolve("a.test", "NXDOMAIN", "NXDOMAIN");
    resolve("b.test", "NODATA", "NODATA");
    resolve("c.test", "NODATA", "192.0.2.3");
    ck_assert_str_eq(planned(), "30 c.test 192.0.2.3");
    one_mx("NXDOMAIN", "NXDOMAIN");
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
    ck_assert_str_eq(plan.detail, "mx.test: no address");
}
END_TEST

START_TEST(hosts_that_fail)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 20 b.test"), 300));
    resolve("a.test", "SERVFAIL", "SERVFAIL");
    resolve("b.test", "NODATA", "192.0.2.3");
    ck_assert_str_eq(planned(), "20 b.test 192.0.2.3");
    ck_assert_int_eq(plan.result, MX_OK);
    ck_assert_uint_eq(plan.ttl, 300);
    teardown();
    resolve("a.test", "SERVFAIL", "SERVFAIL");
    resolve("b.test", "NXDOMAIN", "NXDOMAIN");
    (void)planned();
    ck_assert_int_eq(plan.result, MX_SERVFAIL);
    ck_assert_uint_eq(plan.ttl, 0);
    ck_assert_str_eq(plan.detail, "a.test: SERVFAIL");
    one_mx("NODATA", "timeout");
    ck_assert_int_eq(plan.result, MX_TIMEOUT);
    ck_assert_str_eq(plan.detail, "mx.test: timeout");
}
END_TEST

/* One family failing does not matter where the other serves. */
START_TEST(half_failed_host)
{
    one_mx("SERVFAIL", "192.0.2.1");
    ck_assert_int_eq(plan.result, MX_OK);
    ck_assert_uint_eq(plan.count, 1);
}
END_TEST

/* Memory ran out while its addresses were asked for. */
START_TEST(host_without_answers)
{
    ck_assert(hosts_of(answer_mx("10 mx.test"), 300));
    (void)planned();
    ck_assert_int_eq(plan.result, MX_SERVFAIL);
}
END_TEST

START_TEST(failure_outweighs_refusal)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 20 b.test, 30 c.test"), 300));
    resolve("a.test", "NODATA", "10.0.0.1");
    resolve("b.test", "NXDOMAIN", "NXDOMAIN");
    resolve("c.test", "NODATA", "timeout");
    (void)planned();
    ck_assert_int_eq(plan.result, MX_TIMEOUT);
}
END_TEST

START_TEST(refused_places)
{
    static const struct {
        const char *v6, *v4;
        enum mx_result result, allowed;
    } cases[] = {
        {"NODATA", "127.0.0.1", MX_NO_DOMAIN, MX_OK},
        {"::1", "NODATA", MX_NO_DOMAIN, MX_OK},
        {"NODATA", "0.0.0.0", MX_NO_DOMAIN, MX_NO_DOMAIN},
        {"::", "NODATA", MX_NO_DOMAIN, MX_NO_DOMAIN},
        {"NODATA", "10.1.2.3", MX_PRIVATE, MX_OK},
        {"NODATA", "192.168.0.1", MX_PRIVATE, MX_OK},
        {"NODATA", "100.64.0.1", MX_PRIVATE, MX_OK},
        {"NODATA", "169.254.1.1", MX_PRIVATE, MX_OK},
        {"fd00::1", "NODATA", MX_PRIVATE, MX_OK},
        {"fe80::1", "NODATA", MX_PRIVATE, MX_OK},
        {"NODATA", "224.0.0.1", MX_PRIVATE, MX_PRIVATE},
        {"NODATA", "255.255.255.255", MX_PRIVATE, MX_PRIVATE},
        {"ff02::1", "NODATA", MX_PRIVATE, MX_PRIVATE},
        {"::ffff:127.0.0.1", "NODATA", MX_NO_DOMAIN, MX_OK},
        {"::ffff:10.0.0.1", "NODATA", MX_PRIVATE, MX_OK},
        {"64:ff9b::a00:1", "NODATA", MX_PRIVATE, MX_OK},
        {"::1", "10.0.0.1", MX_PRIVATE, MX_OK},
        {"NODATA", "127.0.0.1 10.0.0.1", MX_PRIVATE, MX_OK},
        {"NODATA", "10.0.0.1 192.0.2.1", MX_OK, MX_OK},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        opts.allow_private = false;
        one_mx(cases[i].v6, cases[i].v4);
        ck_assert_msg(plan.result == cases[i].result, "%zu", i);
        opts.allow_private = true;
        (void)planned();
        ck_assert_msg(plan.result == cases[i].allowed, "%zu allowed", i);
        ck_assert_int_eq(plan.result == MX_OK, plan.count > 0);
    }
}
END_TEST

START_TEST(refusals_are_told)
{
    one_mx("NODATA", "10.1.2.3");
    ck_assert_str_eq(plan.detail, "mx.test: private address 10.1.2.3");
    ck_assert_uint_eq(plan.ttl, 300);
}
END_TEST

START_TEST(only_global_ones_are_left)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 20 b.test"), 300));
    resolve("a.test", "fe80::1", "10.0.0.1 192.0.2.1 127.0.0.1");
    resolve("b.test", "::1", "192.0.2.2");
    ck_assert_str_eq(planned(), "10 a.test 192.0.2.1, 20 b.test 192.0.2.2");
}
END_TEST

/* RFC 5321 section 5.1: equal and worse preferences go too, whatever the order of equals. */
START_TEST(this_host_cuts)
{
    for (int i = 0; i < 2; i++) {
        random_fn = i == 0 ? random_last : random_first;
        teardown();
        ck_assert(
            hosts_of(answer_mx("20 b.test, 20 me.test, 20 c.test, 10 a.test, 30 d.test"), 300));
        resolve("a.test", "NODATA", "192.0.2.1");
        resolve("b.test", "NODATA", "192.0.2.2");
        resolve("me.test", "NODATA", "192.0.2.77");
        resolve("c.test", "NODATA", "192.0.2.3");
        resolve("d.test", "NODATA", "192.0.2.4");
        own[0] = address("192.0.2.77");
        own_count = 1;
        ck_assert_str_eq(planned(), "10 a.test 192.0.2.1");
    }
}
END_TEST

START_TEST(this_host_is_best)
{
    ck_assert(hosts_of(answer_mx("10 me.test, 20 b.test"), 300));
    resolve("me.test", "2001:db8::77", "192.0.2.77");
    resolve("b.test", "NODATA", "192.0.2.2");
    opts.own[0] = address("2001:db8::77");
    opts.own_count = 1;
    ck_assert_str_eq(planned(), "");
    ck_assert_int_eq(plan.result, MX_PRIVATE);
    ck_assert_str_eq(plan.detail, "me.test is this host");
}
END_TEST

/* Also where private places are allowed, in mapped form, and for an implicit MX. */
START_TEST(this_host_by_other_ways)
{
    own[0] = address("10.0.0.77");
    own_count = 1;
    opts.allow_private = true;
    one_mx("::ffff:10.0.0.77", "NODATA");
    ck_assert_int_eq(plan.result, MX_PRIVATE);
    ck_assert(hosts_of(answer_empty(DNS_NODATA), 100));
    resolve("d.test", "NODATA", "10.0.0.77");
    (void)planned();
    ck_assert_int_eq(plan.result, MX_PRIVATE);
}
END_TEST

/* A better host that fails may be back in a moment. */
START_TEST(this_host_behind_a_failure)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 20 me.test"), 300));
    resolve("a.test", "NODATA", "SERVFAIL");
    resolve("me.test", "NODATA", "192.0.2.77");
    own[0] = address("192.0.2.77");
    own_count = 1;
    (void)planned();
    ck_assert_int_eq(plan.result, MX_SERVFAIL);
}
END_TEST

START_TEST(least_ttl)
{
    ck_assert(hosts_of(answer_mx("10 a.test, 20 b.test"), 300));
    resolve_ttl("a.test", "NODATA", 5, "192.0.2.1", 200);
    resolve_ttl("b.test", "2001:db8::1", 150, "SERVFAIL", 0);
    (void)planned();
    ck_assert_uint_eq(plan.ttl, 150);
    teardown();
    resolve_ttl("a.test", "NODATA", 5, "127.0.0.1", 200);
    resolve_ttl("b.test", "NODATA", 150, "NODATA", 9);
    (void)planned();
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
    ck_assert_uint_eq(plan.ttl, 5);
}
END_TEST

static enum mx_result literal(const char *text)
{
    struct netaddr ip = address(text);

    mxlist_literal(&ip, &opts, own, own_count, &plan);
    return plan.result;
}

START_TEST(a_name_that_is_an_address)
{
    ck_assert(hosts_of(answer_mx("10 192.0.2.9,20 10.0.0.1,30 mx.test"), 300));
    resolve("mx.test", "NODATA", "192.0.2.1");
    ck_assert_str_eq(planned(), "10 192.0.2.9 192.0.2.9, 30 mx.test 192.0.2.1");
    ck_assert(hosts_of(answer_mx("10 127.0.0.1"), 300));
    (void)planned();
    ck_assert_int_eq(plan.result, MX_NO_DOMAIN);
}
END_TEST

START_TEST(literals)
{
    own[0] = address("192.0.2.77");
    own_count = 1;
    ck_assert_int_eq(literal("192.0.2.1"), MX_OK);
    ck_assert_uint_eq(plan.count, 1);
    ck_assert_str_eq(plan.list[0].name, "");
    ck_assert_int_eq(literal("2001:db8::1"), MX_OK);
    ck_assert_int_eq(literal("192.0.2.77"), MX_PRIVATE);
    ck_assert_str_eq(plan.detail, "192.0.2.77 is this host");
    ck_assert_int_eq(literal("::ffff:192.0.2.77"), MX_PRIVATE);
    ck_assert_int_eq(literal("10.0.0.1"), MX_PRIVATE);
    ck_assert_int_eq(literal("127.0.0.1"), MX_NO_DOMAIN);
    ck_assert_uint_eq(plan.count, 0);
    ck_assert_str_eq(plan.detail, "loopback address 127.0.0.1");
    ck_assert_int_eq(literal("0.0.0.0"), MX_NO_DOMAIN);
    ck_assert_int_eq(literal("ff02::1"), MX_PRIVATE);
    opts.allow_private = true;
    ck_assert_int_eq(literal("127.0.0.1"), MX_OK);
    ck_assert_int_eq(literal("ff02::1"), MX_PRIVATE);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("mxlist");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, preference_order);
    tcase_add_test(t, equal_preference_is_shuffled);
    tcase_add_test(t, shuffle_is_fair);
    tcase_add_test(t, families_take_turns);
    tcase_add_test(t, doubles_are_dropped);
    tcase_add_test(t, no_more_than_twenty);
    tcase_add_test(t, many_addresses_of_one_host);
    tcase_add_test(t, implicit_mx);
    tcase_add_test(t, nothing_at_all);
    tcase_add_test(t, implicit_mx_that_fails);
    tcase_add_test(t, domain_that_is_not_there);
    tcase_add_test(t, mx_question_that_fails);
    tcase_add_test(t, null_mx);
    tcase_add_test(t, null_mx_beside_others);
    tcase_add_test(t, only_unusable_records);
    tcase_add_test(t, hosts_that_do_not_resolve);
    tcase_add_test(t, hosts_that_fail);
    tcase_add_test(t, half_failed_host);
    tcase_add_test(t, host_without_answers);
    tcase_add_test(t, failure_outweighs_refusal);
    tcase_add_test(t, refused_places);
    tcase_add_test(t, refusals_are_told);
    tcase_add_test(t, only_global_ones_are_left);
    tcase_add_test(t, this_host_cuts);
    tcase_add_test(t, this_host_is_best);
    tcase_add_test(t, this_host_by_other_ways);
    tcase_add_test(t, this_host_behind_a_failure);
    tcase_add_test(t, least_ttl);
    tcase_add_test(t, a_name_that_is_an_address);
    tcase_add_test(t, literals);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *sr = srunner_create(suite());
    int failed;

    srunner_run_all(sr, CK_NORMAL);
    failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
