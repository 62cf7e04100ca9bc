/* callout/destination: its name, and what is remembered of it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "callout/codec.h"
#include "callout/destination.h"
#include "store_rig.h"
#include "suite.h"

#define PLACE "mx/example.org"

static struct mx_plan plan_of(const char *name, const char *ip)
{
    struct mx_plan p = {.count = 1};

    p.list[0].name = name;
    ck_assert(netaddr_parse(ip, &p.list[0].ip));
    return p;
}

START_TEST(test_destination_names)
{
    static const struct {
        const char *mx, *name;
    } cases[] = {
        {"mx1.mail.example.co.uk", "mx/example.co.uk"},
        {"mx1.example.org", "mx/example.org"},
        {"example.org", "mx/example.org"},
        {"co.uk", "mx/co.uk"}, /* nobody's: itself */
        {"localhost", "mx/localhost"},
        {"", "ip/192.0.2.1"},
    };
    const struct provider known = {.name = "somebody"};
    char name[DESTINATION_NAME_SIZE];
    struct mx_plan p;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        p = plan_of(cases[i].mx, "192.0.2.1");
        destination_name(&p.list[0], NULL, name);
        ck_assert_str_eq(name, cases[i].name);
        destination_name(&p.list[0], &known, name);
        ck_assert_str_eq(name, "provider/somebody");
    }
    p.list[0].path = "/run/lmtp";
    destination_name(&p.list[0], NULL, name);
    ck_assert_str_eq(name, "unix/run/lmtp");
}
END_TEST

START_TEST(test_what_may_be_a_name)
{
    static const char *const names[] = {"mx/example.org", "provider/somebody", "ip/192.0.2.1",
                                        "unix/run/lmtp", "domain/example.org"};
    static const char *const others[] = {"", "mx/", "/", "example.org", "MX/example.org", "mxx/a"};
    char text[DESTINATION_NAME_SIZE + 1] = "mx/";

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_msg(destination_name_valid(names[i]), "%s", names[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_msg(!destination_name_valid(others[i]), "%s", others[i]);
    memset(text + 3, 'x', DESTINATION_NAME_SIZE - 3);
    ck_assert(!destination_name_valid(text));
    text[DESTINATION_NAME_SIZE - 1] = '\0';
    ck_assert(destination_name_valid(text));
}
END_TEST

/* All of it known, with texts of these lengths. */
static struct destination_fact sample(size_t text, size_t mx)
{
    struct destination_fact f = {.null_sender_refused_at = RIG_NOW,
                                 .greylist_ms = 301000,
                                 .greylisted_at = RIG_NOW - 5,
                                 .level = 3,
                                 .pause_until = RIG_NOW + 40,
                                 .breaker = {.state = BREAKER_OPEN,
                                             .level = 2,
                                             .struck = UINT64_MAX,
                                             .opened_at = RIG_NOW - 1,
                                             .open_until = RIG_NOW + 3600,
                                             .code = 554,
                                             .enhanced = {5, 7, 1}},
                                 .expires_at = RIG_NOW + 86400};

    memset(f.breaker.text, 'x', text);
    memset(f.breaker.mx, 'y', mx);
    return f;
}

static void assert_same(const struct destination_fact *a, const struct destination_fact *b)
{
    const struct breaker *p = &a->breaker, *q = &b->breaker;

    ck_assert_int_eq(a->null_sender_refused_at, b->null_sender_refused_at);
    ck_assert_int_eq(a->greylist_ms, b->greylist_ms);
    ck_assert_int_eq(a->greylisted_at, b->greylisted_at);
    ck_assert_uint_eq(a->level, b->level);
    ck_assert_int_eq(a->pause_until, b->pause_until);
    ck_assert_int_eq(a->expires_at, b->expires_at);
    ck_assert_int_eq(p->state, q->state);
    ck_assert_uint_eq(p->level, q->level);
    ck_assert_uint_eq(p->struck, q->struck);
    ck_assert_int_eq(p->opened_at, q->opened_at);
    ck_assert_int_eq(p->open_until, q->open_until);
    ck_assert_uint_eq(p->code, q->code);
    ck_assert_uint_eq(p->enhanced.cls, q->enhanced.cls);
    ck_assert_uint_eq(p->enhanced.subject, q->enhanced.subject);
    ck_assert_uint_eq(p->enhanced.detail, q->enhanced.detail);
    ck_assert_str_eq(p->text, q->text);
    ck_assert_str_eq(p->mx, q->mx);
}

START_TEST(test_round_trip)
{
    static const size_t lengths[] = {0, 1, 254, 255};
    const struct destination_fact nothing = {0};
    uint8_t buf[DESTINATION_FACT_SIZE_MAX];
    struct destination_fact f, out;
    size_t n;

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        f = sample(lengths[i], 255 - lengths[i]);
        n = destination_fact_encode(&f, buf, sizeof(buf));
        ck_assert_uint_gt(n, 0);
        ck_assert(destination_fact_decode(buf, n, &out));
        assert_same(&out, &f);
    }
    n = destination_fact_encode(&nothing, buf, sizeof(buf));
    ck_assert(destination_fact_decode(buf, n, &out));
    assert_same(&out, &nothing);
}
END_TEST

START_TEST(test_largest)
{
    struct destination_fact f = sample(255, 255), out;
    uint8_t buf[DESTINATION_FACT_SIZE_MAX];
    size_t n = destination_fact_encode(&f, buf, sizeof(buf));

    ck_assert_uint_gt(n, 0);
    ck_assert(destination_fact_decode(buf, n, &out));
    assert_same(&out, &f);
}
END_TEST

/* Cut anywhere, or longer than it is. */
START_TEST(test_whole)
{
    const struct destination_fact nothing = {0};
    uint8_t buf[DESTINATION_FACT_SIZE_MAX], again[DESTINATION_FACT_SIZE_MAX];
    struct destination_fact f = sample(10, 20), out;
    size_t n = destination_fact_encode(&f, buf, sizeof(buf));

    for (size_t size = 0; size < n; size++) {
        ck_assert_uint_eq(destination_fact_encode(&f, again, size), 0);
        ck_assert(!destination_fact_decode(buf, size, &out));
        assert_same(&out, &nothing);
    }
    buf[n] = 0;
    ck_assert(!destination_fact_decode(buf, n + 1, &out));
    assert_same(&out, &nothing);
}
END_TEST

/* A process that ends in a trial must not leave one that nobody makes. */
START_TEST(test_trial)
{
    uint8_t buf[DESTINATION_FACT_SIZE_MAX];
    struct destination_fact f = sample(1, 1), out;
    size_t n;

    f.breaker.state = BREAKER_TRIAL;
    f.breaker.open_until = RIG_NOW;
    n = destination_fact_encode(&f, buf, sizeof(buf));
    ck_assert(destination_fact_decode(buf, n, &out));
    ck_assert_int_eq(out.breaker.state, BREAKER_OPEN);
    ck_assert(breaker_admit(&out.breaker, RIG_NOW));
}
END_TEST

START_TEST(test_out_of_range)
{
    struct destination_fact bad[5], out;
    uint8_t buf[DESTINATION_FACT_SIZE_MAX];
    size_t n;

    for (size_t i = 0; i < 5; i++)
        bad[i] = sample(1, 1);
    bad[0].level = PACE_LEVEL_MAX + 1;
    bad[1].breaker.level = BREAKER_LEVEL_MAX + 1;
    bad[2].breaker.code = 600;
    bad[3].expires_at = -1;
    bad[4].breaker.enhanced.detail = 1000;
    for (size_t i = 0; i < 5; i++) {
        n = destination_fact_encode(&bad[i], buf, sizeof(buf));
        ck_assert(!destination_fact_decode(buf, n, &out));
    }
}
END_TEST

/* A record of version 1, as it was written. */
static size_t version_1(uint8_t *buf, size_t size, uint64_t version)
{
    struct codec_writer w = {.at = buf, .left = size, .ok = true};

    codec_put_uint(&w, version, 1);
    codec_put_uint(&w, RIG_NOW, 8);
    codec_put_uint(&w, RIG_NOW + 10, 8);
    return size - w.left;
}

START_TEST(test_versions)
{
    const struct destination_fact old = {.null_sender_refused_at = RIG_NOW,
                                         .expires_at = RIG_NOW + 10};
    uint8_t buf[32];
    struct destination_fact out;

    ck_assert(destination_fact_decode(buf, version_1(buf, sizeof(buf), 1), &out));
    assert_same(&out, &old);
    ck_assert(!destination_fact_decode(buf, version_1(buf, sizeof(buf), 1) - 1, &out));
    ck_assert(!destination_fact_decode(buf, version_1(buf, sizeof(buf), 0), &out));
    ck_assert(!destination_fact_decode(buf, version_1(buf, sizeof(buf), 2), &out));
    ck_assert(!destination_fact_decode(buf, version_1(buf, sizeof(buf), 3), &out));
}
END_TEST

START_TEST(test_in_the_store)
{
    const struct destination_fact nothing = {0};
    struct destination_fact f = sample(4, 4), out;
    struct store_rig rig;
    struct keep *k;

    rig_init(&rig);
    rig_open(&rig);
    k = keep_new(rig.store, 10);
    ck_assert_ptr_nonnull(k);
    ck_assert(!destination_get(k, PLACE, RIG_NOW, &out));
    assert_same(&out, &nothing);
    destination_put(k, PLACE, &f);
    for (int round = 0; round < 2; round++) {
        ck_assert(destination_get(k, PLACE, RIG_NOW, &out));
        assert_same(&out, &f);
        store_flush(rig.store);
        keep_free(&k);
        k = keep_new(rig.store, 10); /* with nothing but the store */
        ck_assert_ptr_nonnull(k);
    }
    ck_assert(!destination_get(k, PLACE, f.expires_at, &out));
    assert_same(&out, &nothing);
    keep_put(k, STORE_TABLE_DESTINATION, PLACE, strlen(PLACE), "?", 1, f.expires_at);
    ck_assert(!destination_get(k, PLACE, RIG_NOW, &out)); /* damaged */
    assert_same(&out, &nothing);
    keep_free(&k);
    store_close(&rig.store);
    rig_remove(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("destination");
    TCase *tc = tcase_create("destination");

    tcase_add_test(tc, test_destination_names);
    tcase_add_test(tc, test_what_may_be_a_name);
    tcase_add_test(tc, test_round_trip);
    tcase_add_test(tc, test_largest);
    tcase_add_test(tc, test_whole);
    tcase_add_test(tc, test_trial);
    tcase_add_test(tc, test_out_of_range);
    tcase_add_test(tc, test_versions);
    tcase_add_test(tc, test_in_the_store);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
