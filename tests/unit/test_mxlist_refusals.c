/* dns/mxlist: places that are not to be asked, this host among them; literals. */
#include <check.h>
#include <stdlib.h>

#include "mxlist_rig.h"
#include "suite.h"

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
        mxlist_unresolve();
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
    mxlist_unresolve();
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

/* Call-ahead: this host and what is near it are places like others, but nowhere is still nowhere.
 */
START_TEST(allowed_anywhere)
{
    opts.allow_private = opts.allow_own = true;
    own[0] = address("192.0.2.77");
    own_count = 1;
    mxlist_host(&list, "mx.test");
    resolve("mx.test", "::1 fe80::1", "192.0.2.77 10.0.0.1 127.0.0.1 0.0.0.0 224.0.0.1");
    ck_assert_str_eq(planned(), "0 mx.test ::1, 0 mx.test 192.0.2.77, 0 mx.test fe80::1, "
                                "0 mx.test 10.0.0.1, 0 mx.test 127.0.0.1");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("mxlist_refusals");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, mxlist_setup, mxlist_teardown);
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
    tcase_add_test(t, allowed_anywhere);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
