/* dns/mxlist: from answers to candidates, in their order. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mxlist_rig.h"
#include "suite.h"

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
    mxlist_unresolve();
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
    ck_assert_int_eq(plan.result, MX_LOCAL);
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

static Suite *suite(void)
{
    Suite *s = suite_create("mxlist");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, mxlist_setup, mxlist_teardown);
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
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
