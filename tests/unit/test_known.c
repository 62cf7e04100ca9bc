/* callout/domain_fact and callout/keep: what is kept of domains. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "callout/domain_fact.h"
#include "store_rig.h"
#include "suite.h"

static const struct lifetime week = {700, 3100};

static struct domain_fact sample(enum catch_all_fact what)
{
    struct outcome o = {.stage = SMTP_STAGE_RCPT,
                        .reply = {.code = 550, .enhanced = {5, 1, 1}, .text = "no such user"}};
    struct domain_fact f = {.asked = 2, .accepted = 1};

    domain_fact_set(&f, what, &o, "mx1.example.net", RIG_NOW, &week);
    return f;
}

static struct store_rig rig;

static struct keep *begin(void)
{
    struct keep *k;

    rig_init(&rig);
    rig_open(&rig);
    k = keep_new(rig.store, 10);
    ck_assert_ptr_nonnull(k);
    return k;
}

/* With nothing but the store. */
static struct keep *again(struct keep *k)
{
    store_flush(rig.store);
    keep_free(&k);
    k = keep_new(rig.store, 10);
    ck_assert_ptr_nonnull(k);
    return k;
}

static void end(struct keep *k)
{
    keep_free(&k);
    store_close(&rig.store);
    rig_remove(&rig);
}

START_TEST(test_fact_times)
{
    struct domain_fact f = sample(CATCH_ALL_SELECTIVE);

    ck_assert_int_eq(f.learned_at, RIG_NOW);
    ck_assert_int_eq(f.refresh_at, RIG_NOW + 700);
    ck_assert_int_eq(f.expires_at, RIG_NOW + 3100);
}
END_TEST

START_TEST(test_fact_round_trip)
{
    uint8_t buf[DOMAIN_FACT_SIZE_MAX], again[DOMAIN_FACT_SIZE_MAX];
    struct domain_fact f = sample(CATCH_ALL_EVERYTHING), out;
    size_t n = domain_fact_encode(&f, buf, sizeof(buf));

    ck_assert_uint_gt(n, 0);
    ck_assert(domain_fact_decode(buf, n, &out));
    ck_assert_int_eq(out.catch_all, CATCH_ALL_EVERYTHING);
    ck_assert_uint_eq(out.asked, 2);
    ck_assert_uint_eq(out.accepted, 1);
    ck_assert_uint_eq(out.code, 550);
    ck_assert_str_eq(out.text, "no such user");
    ck_assert_str_eq(out.mx, "mx1.example.net");
    ck_assert_uint_eq(domain_fact_encode(&out, again, sizeof(again)), n);
    ck_assert(memcmp(buf, again, n) == 0);
    for (size_t size = 0; size < n; size++) {
        ck_assert_uint_eq(domain_fact_encode(&f, again, size), 0);
        ck_assert(!domain_fact_decode(buf, size, &out));
    }
    buf[1] = CATCH_ALL_UNTESTED; /* that nobody asked is no fact */
    ck_assert(!domain_fact_decode(buf, n, &out));
    memset(f.text, 'x', sizeof(f.text) - 1);
    memset(f.mx, 'x', sizeof(f.mx) - 1);
    ck_assert_uint_gt(domain_fact_encode(&f, buf, sizeof(buf)), 0);
}
END_TEST

START_TEST(test_fact_in_the_store)
{
    struct domain_fact f = sample(CATCH_ALL_SELECTIVE), out;
    struct keep *k = begin();

    domain_fact_put(k, "example.org", 1, &f);
    for (int round = 0; round < 2; round++) {
        ck_assert(domain_fact_get(k, "example.org", 1, RIG_NOW, &out));
        ck_assert_int_eq(out.catch_all, CATCH_ALL_SELECTIVE);
        ck_assert(!domain_fact_get(k, "example.org", 2, RIG_NOW, &out)); /* other MX hosts */
        ck_assert(!domain_fact_get(k, "example.or", 1, RIG_NOW, &out));
        k = again(k); /* now out of the store */
    }
    ck_assert(!domain_fact_get(k, "example.org", 1, f.expires_at, &out));
    end(k);
}
END_TEST

START_TEST(test_kept_without_a_store)
{
    struct keep *k = keep_new(NULL, 2);
    uint8_t value[KEEP_VALUE_MAX];
    size_t len;

    ck_assert_ptr_nonnull(k);
    keep_put(k, STORE_TABLE_DOMAIN, "a", 1, "1", 1, RIG_NOW + 10);
    keep_put(k, STORE_TABLE_DESTINATION, "a", 1, "22", 2, RIG_NOW + 20);
    ck_assert(keep_get(k, STORE_TABLE_DOMAIN, "a", 1, RIG_NOW, value, &len));
    ck_assert_mem_eq(value, "1", 1);
    ck_assert(keep_get(k, STORE_TABLE_DESTINATION, "a", 1, RIG_NOW, value, &len));
    ck_assert_uint_eq(len, 2);
    ck_assert(!keep_get(k, STORE_TABLE_DESTINATION, "b", 1, RIG_NOW, value, &len));
    keep_put(k, STORE_TABLE_DOMAIN, "c", 1, "3", 1, RIG_NOW + 10); /* the oldest makes room */
    ck_assert(!keep_get(k, STORE_TABLE_DOMAIN, "a", 1, RIG_NOW, value, &len));
    keep_put(k, STORE_TABLE_DOMAIN, "c", 1, "4", 1, RIG_NOW + 5);
    ck_assert(keep_get(k, STORE_TABLE_DOMAIN, "c", 1, RIG_NOW, value, &len));
    ck_assert_mem_eq(value, "4", 1);
    ck_assert(!keep_get(k, STORE_TABLE_DOMAIN, "c", 1, RIG_NOW + 5, value, &len));
    keep_free(&k);
    keep_free(&k);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("known");
    TCase *tc = tcase_create("known");

    tcase_add_test(tc, test_fact_times);
    tcase_add_test(tc, test_fact_round_trip);
    tcase_add_test(tc, test_fact_in_the_store);
    tcase_add_test(tc, test_kept_without_a_store);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
