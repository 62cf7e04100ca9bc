/* dns/cache: TTLs and bounds, with the time handed in. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/cache.h"
#include "suite.h"

static struct dns_cache *cache;
static struct dns_key key;

static void setup(void)
{
    cache = dns_cache_new(100, 1U << 20);
    ck_assert_ptr_nonnull(cache);
    dns_key_make(&key, "a.test", DNS_A);
}

static void teardown(void)
{
    dns_cache_free(&cache);
    dns_cache_free(&cache);
}

static void put(const struct dns_key *k, enum dns_status status, uint32_t ttl, int64_t now_ms)
{
    struct dns_answer *a = dns_answer_empty(status);

    ck_assert_ptr_nonnull(a);
    a->ttl = ttl;
    dns_cache_put(cache, k, a, now_ms);
    dns_answer_unref(&a);
}

START_TEST(lives_its_ttl)
{
    uint32_t ttl = 99;

    put(&key, DNS_OK, 10, 1000);
    ck_assert_ptr_nonnull(dns_cache_get(cache, &key, 1000, &ttl));
    ck_assert_uint_eq(ttl, 10);
    ck_assert_ptr_nonnull(dns_cache_get(cache, &key, 8500, &ttl));
    ck_assert_uint_eq(ttl, 2);
    ck_assert_ptr_nonnull(dns_cache_get(cache, &key, 10999, &ttl));
    ck_assert_uint_eq(ttl, 0);
    ck_assert_ptr_null(dns_cache_get(cache, &key, 11000, &ttl));
    ck_assert_uint_eq(dns_cache_count(cache), 0);
}
END_TEST

START_TEST(types_are_apart)
{
    struct dns_key other;
    uint32_t ttl;

    put(&key, DNS_OK, 10, 0);
    dns_key_make(&other, "a.test", DNS_AAAA);
    ck_assert_ptr_null(dns_cache_get(cache, &other, 0, &ttl));
}
END_TEST

START_TEST(zero_is_not_kept_and_removes)
{
    uint32_t ttl;

    put(&key, DNS_OK, 10, 0);
    put(&key, DNS_NXDOMAIN, 0, 0);
    ck_assert_ptr_null(dns_cache_get(cache, &key, 0, &ttl));
}
END_TEST

START_TEST(failures_live_shortly)
{
    static const enum dns_status failures[] = {DNS_SERVFAIL, DNS_TIMEOUT};
    uint32_t ttl = 99;

    for (int i = 0; i < 2; i++) {
        put(&key, failures[i], 0, 0);
        ck_assert_ptr_nonnull(dns_cache_get(cache, &key, DNS_FAILURE_TTL * 1000 - 1, &ttl));
        ck_assert_uint_eq(ttl, 0);
        ck_assert_ptr_null(dns_cache_get(cache, &key, DNS_FAILURE_TTL * 1000, &ttl));
    }
}
END_TEST

START_TEST(the_least_used_go_first)
{
    struct dns_key k;
    char name[32];
    uint32_t ttl;

    put(&key, DNS_OK, 1000, 0);
    for (int i = 0; i < 150; i++) {
        (void)snprintf(name, sizeof(name), "n%d.test", i);
        dns_key_make(&k, name, DNS_A);
        put(&k, DNS_OK, 1000, 0);
        ck_assert_ptr_nonnull(dns_cache_get(cache, &key, 1, &ttl));
    }
    ck_assert_uint_eq(dns_cache_count(cache), 100);
    ck_assert_ptr_nonnull(dns_cache_get(cache, &k, 1, &ttl));
    dns_key_make(&k, "n0.test", DNS_A);
    ck_assert_ptr_null(dns_cache_get(cache, &k, 1, &ttl));
}
END_TEST

START_TEST(bytes_are_bounded)
{
    struct dns_cache *small = dns_cache_new(100, 2000);
    struct dns_answer *a = dns_answer_empty(DNS_OK);
    struct dns_key k;
    uint32_t ttl;

    ck_assert(small != NULL && a != NULL);
    a->ttl = 1000;
    a->count = 50;
    a->ips = calloc(50, sizeof(*a->ips));
    ck_assert_ptr_nonnull(a->ips);
    dns_key_make(&k, "b.test", DNS_A);
    dns_cache_put(small, &key, a, 0);
    ck_assert_ptr_nonnull(dns_cache_get(small, &key, 0, &ttl));
    dns_cache_put(small, &k, a, 0);
    ck_assert_ptr_nonnull(dns_cache_get(small, &k, 0, &ttl));
    ck_assert_ptr_null(dns_cache_get(small, &key, 0, &ttl));
    dns_answer_unref(&a);
    dns_cache_free(&small);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resolver_cache");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, lives_its_ttl);
    tcase_add_test(t, types_are_apart);
    tcase_add_test(t, zero_is_not_kept_and_removes);
    tcase_add_test(t, failures_live_shortly);
    tcase_add_test(t, the_least_used_go_first);
    tcase_add_test(t, bytes_are_bounded);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
