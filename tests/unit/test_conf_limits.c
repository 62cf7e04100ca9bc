/* conf: limits, the time a session is kept, greylisting and source addresses. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "conf_fixture.h"
#include "suite.h"

#define MINUTE INT64_C(60000)

START_TEST(test_defaults_are_shy)
{
    static const int64_t retry[] = {5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE};
    struct config *c = conf_good(HELO_LINE);
    const struct verifier_opts *v = &c->verifier;

    ck_assert_uint_eq(v->limits.connections, 2);
    ck_assert_uint_eq(v->limits.per_connection, 20);
    ck_assert_uint_eq(v->limits.rate_milli, 2000);
    ck_assert_uint_eq(v->limits.burst, 20);
    ck_assert_int_eq(v->idle_ms, 5000);
    ck_assert_uint_eq(v->greylist.count, 5);
    ck_assert_mem_eq(v->greylist.retry_ms, retry, sizeof(retry));
    ck_assert_uint_eq(v->sources.count, 0);
    config_free(&c);
}
END_TEST

START_TEST(test_every_key)
{
    struct config *c =
        conf_good(HELO_LINE "limit { connections = 3 per_connection = 4 rate = 30/m\n"
                            "        burst = 5 total = 6 max_waiting = 7 }\n"
                            "timeout { idle = 0s }\n"
                            "greylist { retry = {1s, 24h} }\n"
                            "source_addresses = {192.0.2.1, '2001:db8::1', 127.0.0.1, '::1'}");
    const struct verifier_opts *v = &c->verifier;
    char text[NETADDR_TEXT_MAX];

    ck_assert_uint_eq(v->limits.connections, 3);
    ck_assert_uint_eq(v->limits.per_connection, 4);
    ck_assert_uint_eq(v->limits.rate_milli, 500);
    ck_assert_uint_eq(v->limits.burst, 5);
    ck_assert_uint_eq(v->total, 6);
    ck_assert_uint_eq(v->max_waiting, 7);
    ck_assert_int_eq(v->idle_ms, 0);
    ck_assert_uint_eq(v->greylist.count, 2);
    ck_assert_int_eq(v->greylist.retry_ms[0], 1000);
    ck_assert_int_eq(v->greylist.retry_ms[1], 1440 * MINUTE);
    ck_assert_uint_eq(v->sources.count, 4);
    ck_assert_str_eq(netaddr_format(&v->sources.list[1], text), "2001:db8::1");
    ck_assert_str_eq(netaddr_format(&v->sources.list[2], text), "127.0.0.1");
    config_free(&c);
}
END_TEST

START_TEST(test_empty_list_asks_nobody_again)
{
    struct config *c = conf_good(HELO_LINE "greylist { retry = {} }\n");

    ck_assert_uint_eq(c->verifier.greylist.count, 0);
    config_free(&c);
}
END_TEST

START_TEST(test_list_adds_to_its_default)
{
    struct config *c = conf_good(HELO_LINE "greylist { retry += {2h} }\n");

    ck_assert_uint_eq(c->verifier.greylist.count, 6);
    ck_assert_int_eq(c->verifier.greylist.retry_ms[5], 120 * MINUTE);
    config_free(&c);
}
END_TEST

/* "source_addresses" of that many. */
static void write_pool(char *out, size_t size, unsigned count)
{
    (void)str_format(out, size, HELO_LINE "source_addresses = {");
    for (unsigned i = 1; i <= count; i++)
        (void)str_format(out + strlen(out), size - strlen(out), "192.0.2.%u,", i);
    (void)str_format(out + strlen(out), size - strlen(out), "}\n");
}

START_TEST(test_pool_is_bounded)
{
    struct config_problems p;
    char text[4096];
    struct config *c;

    write_pool(text, sizeof(text), SOURCES_MAX);
    c = conf_good(text);
    ck_assert_uint_eq(c->verifier.sources.count, SOURCES_MAX);
    config_free(&c);
    write_pool(text, sizeof(text), SOURCES_MAX + 1);
    conf_bad(text, strlen(text), &p);
    conf_one_problem(&p, CONF_NAME ":2: ", "\"192.0.2.65\" is one too many (64 at most)", text);
    config_problems_free(&p);
}
END_TEST

static void abort_on(void *arg, const char *key)
{
    (void)arg;
    ck_abort_msg("%s needs a restart", key);
}

START_TEST(test_reload_takes_all)
{
    struct config *a = conf_good(HELO_LINE);
    struct config *b = conf_good(HELO_LINE "limit { connections = 3 per_connection = 4 rate = 1/s\n"
                                           "        burst = 5 total = 6 max_waiting = 7 }\n"
                                           "timeout { idle = 1s } greylist { retry = {} }\n"
                                           "source_addresses = {192.0.2.1}");

    config_restart_keys(a, b, abort_on, NULL);
    config_free(&a);
    config_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf_limits");
    TCase *t = tcase_create("conf_limits");

    tcase_add_checked_fixture(t, conf_setup, conf_teardown);
    tcase_add_test(t, test_defaults_are_shy);
    tcase_add_test(t, test_every_key);
    tcase_add_test(t, test_empty_list_asks_nobody_again);
    tcase_add_test(t, test_list_adds_to_its_default);
    tcase_add_test(t, test_pool_is_bounded);
    tcase_add_test(t, test_reload_takes_all);
    suite_add_tcase(s, t);
    return suite_run(s);
}
