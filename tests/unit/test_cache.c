/* cache/list, cache/forget, cache/import: over a real store. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/forget.h"
#include "cache/import.h"
#include "cache/list.h"
#include "callout/address_store.h"
#include "callout/destination.h"
#include "callout/domain_fact.h"
#include "callout/schedule.h"
#include "store_rig.h"
#include "suite.h"

#define ALL    ((1u << STORE_TABLE_COUNT) - 1)
#define LATER  INT64_C(4102444800) /* by any clock: the store sweeps what is expired by its own */
#define ROOM   (256u << 10)
#define MINUTE INT64_C(60000)

static struct store_rig rig;
static char *listed;
static size_t listed_len;
static unsigned lines, pages; /* of it */

static struct address address_of(const char *text)
{
    struct address a;
    const char *why;

    ck_assert(address_parse(text, strlen(text), &a, &why));
    return a;
}

static void put_verdict(const struct address *a, bool null_sender, int64_t expires)
{
    struct record r = {.retry_at = 0};

    verdict_init(&r.verdict, REASON_MAILBOX_EXISTS, SOURCE_PROBE);
    r.verdict.has_evidence = true;
    r.verdict.evidence.stage = SMTP_STAGE_RCPT;
    r.verdict.evidence.code = 250;
    (void)str_copy(r.verdict.evidence.text, sizeof(r.verdict.evidence.text), "Ok \"a\\b\"");
    (void)str_copy(r.verdict.evidence.mx, sizeof(r.verdict.evidence.mx), "mx1.example.org");
    r.verdict.probed_at = RIG_NOW - 10;
    r.verdict.refresh_at = RIG_NOW + 10;
    r.verdict.expires_at = expires;
    ck_assert(address_store_put(rig.store, a, null_sender, &r, NULL, NULL));
}

static void put_address(const char *text)
{
    struct address a = address_of(text);

    put_verdict(&a, false, LATER);
}

/* As it is kept where capitals tell addresses apart. */
static void put_unfolded(const char *text)
{
    struct address a = address_of(text);

    address_keep_case(&a);
    put_verdict(&a, false, LATER);
}

static void put_due(const char *text)
{
    struct schedule *s = schedule_new(rig.store, 10);
    struct address a = address_of(text);
    uint8_t key[RECORD_KEY_SIZE];
    struct schedule_entry e = {.first_at = LATER * 1000,
                               .due = LATER * 1000 + MINUTE,
                               .last_due = LATER * 1000 + MINUTE,
                               .learned_ms = MINUTE,
                               .step = 1};

    ck_assert_ptr_nonnull(s);
    (void)str_copy(e.recipient, sizeof(e.recipient), a.canonical);
    (void)str_copy(e.helo, sizeof(e.helo), "probe.example.net");
    ck_assert(netaddr_parse("0.0.0.0", &e.source));
    ck_assert(schedule_put(s, key, record_key(&a, false, key), &e));
    schedule_free(&s);
}

static void put_facts(struct keep *k, const char *domain)
{
    struct domain_fact fact = {.catch_all = CATCH_ALL_SELECTIVE,
                               .learned_at = RIG_NOW,
                               .refresh_at = RIG_NOW + 10,
                               .expires_at = LATER,
                               .asked = 1,
                               .code = 550};

    domain_fact_put(k, domain, 1, &fact);
    domain_fact_put(k, domain, 2, &fact);
}

static void put_destination(struct keep *k, const char *name)
{
    struct destination_fact fact = {.null_sender_refused_at = RIG_NOW, .expires_at = LATER};

    destination_put(k, name, &fact);
}

/* Something in every table, of two domains. */
static void put_all(void)
{
    struct keep *k = keep_new(rig.store, 10);
    struct address bob = address_of("bob@example.org");

    ck_assert_ptr_nonnull(k);
    put_address("alice@example.org");
    put_address("bob@example.org");
    put_verdict(&bob, true, LATER);
    put_address("bobby@example.org");
    put_unfolded("Bob@example.org");
    put_address("bob@example.orgx");
    put_verdict(&(struct address){"carol", "example.org", "carol@example.org", false, {0}}, false,
                RIG_NOW); /* expired */
    put_facts(k, "example.org");
    put_facts(k, "example.orgx");
    put_destination(k, "domain/example.org");
    put_destination(k, "domain/example.orgx");
    put_destination(k, "mx/example.org");
    put_due("bob@example.org");
    put_due("alice@example.org");
    put_due("bob@example.orgx");
    keep_free(&k);
    store_flush(rig.store);
}

static void setup(void)
{
    rig_init(&rig);
    rig_open(&rig);
    listed = calloc(1, ROOM);
    ck_assert_ptr_nonnull(listed);
}

static void teardown(void)
{
    free(listed);
    rig_remove(&rig);
}

/*
 * Lists
 */

static void take_line(void *arg, const char *line, size_t len)
{
    (void)arg;
    ck_assert_uint_lt(listed_len + len, ROOM);
    ck_assert_int_eq(line[len - 1], '\n');
    ck_assert_ptr_null(memchr(line, '\n', len - 1));
    memcpy(listed + listed_len, line, len);
    listed_len += len;
    listed[listed_len] = '\0';
    lines++;
}

static unsigned list(const struct cache_filter *filter, unsigned most)
{
    struct cache_list l;

    listed_len = lines = pages = 0;
    listed[0] = '\0';
    cache_list_begin(&l, filter);
    while (!l.ended) {
        ck_assert(cache_list_page(&l, rig.store, RIG_NOW, most, take_line, NULL));
        pages++;
    }
    return lines;
}

/* How often it stands in what was listed. */
static unsigned count_of(const char *what)
{
    unsigned n = 0;

    for (const char *at = listed; (at = strstr(at, what)) != NULL; at += strlen(what))
        n++;
    return n;
}

static void of_domain(struct cache_filter *f, unsigned tables, const char *domain)
{
    *f = (struct cache_filter){.tables = tables};
    (void)str_copy(f->domain, sizeof(f->domain), domain);
}

static void of_address(struct cache_filter *f, unsigned tables, const char *text)
{
    *f = (struct cache_filter){.tables = tables, .is_address = true, .address = address_of(text)};
}

START_TEST(nothing_is_listed_of_an_empty_store)
{
    struct cache_filter f = {.tables = ALL};

    ck_assert_uint_eq(list(&f, 10), 0);
    of_address(&f, ALL, "bob@example.org");
    ck_assert_uint_eq(list(&f, 10), 0);
}
END_TEST

START_TEST(all_tables_are_listed_in_their_order)
{
    struct cache_filter f = {.tables = ALL};
    char whole[8192];

    put_all();
    ck_assert_uint_eq(list(&f, STORE_PAGE_MAX), 6 + 4 + 3 + 3);
    ck_assert_uint_eq(count_of("{\"table\":\"address\""), 6);
    ck_assert_uint_eq(count_of("{\"table\":\"domain\""), 4);
    ck_assert_uint_eq(count_of("{\"table\":\"destination\""), 3);
    ck_assert_uint_eq(count_of("{\"table\":\"due\""), 3);
    ck_assert(strstr(listed, "\"address\"") < strstr(listed, "\"table\":\"domain\""));
    ck_assert(strstr(listed, "\"table\":\"domain\"") < strstr(listed, "\"table\":\"due\""));
    ck_assert(str_copy(whole, sizeof(whole), listed));
    for (unsigned most = 1; most < 8; most++) {
        ck_assert_uint_eq(list(&f, most), 16);
        ck_assert_str_eq(listed, whole);
    }
    (void)list(&f, 1);
    ck_assert_uint_ge(pages, 16);
}
END_TEST

START_TEST(tables_are_chosen)
{
    struct cache_filter f = {.tables = 1u << STORE_TABLE_DUE | 1u << STORE_TABLE_DOMAIN};

    put_all();
    ck_assert_uint_eq(list(&f, 10), 4 + 3);
    ck_assert_uint_eq(count_of("\"table\":\"address\""), 0);
    f.tables = 0;
    ck_assert_uint_eq(list(&f, 10), 0);
}
END_TEST

START_TEST(a_domain_is_its_own)
{
    struct cache_filter f;

    put_all();
    of_domain(&f, ALL, "example.org");
    ck_assert_uint_eq(list(&f, 2), 5 + 2 + 1 + 2);
    ck_assert_uint_eq(count_of("example.orgx"), 0);
    ck_assert_uint_eq(count_of("\"domain/example.org\""), 1);
    of_domain(&f, ALL, "example.or");
    ck_assert_uint_eq(list(&f, 2), 0);
}
END_TEST

START_TEST(a_destination_is_listed_alone)
{
    struct cache_filter f = {.tables = ALL};

    put_all();
    (void)str_copy(f.destination, sizeof(f.destination), "mx/example.org");
    ck_assert_uint_eq(list(&f, 10), 1);
    ck_assert_uint_eq(count_of("\"destination\":\"mx/example.org\""), 1);
    (void)str_copy(f.destination, sizeof(f.destination), "mx/example.or");
    ck_assert_uint_eq(list(&f, 10), 0);
    f.tables = 1u << STORE_TABLE_ADDRESS;
    ck_assert_uint_eq(list(&f, 10), 0);
}
END_TEST

START_TEST(an_address_is_found_in_all_its_forms)
{
    struct cache_filter f;

    put_all();
    of_address(&f, 1u << STORE_TABLE_ADDRESS, "bob@example.org");
    ck_assert_uint_eq(list(&f, 10), 2); /* with either sender */
    ck_assert_uint_eq(count_of("bobby"), 0);
    of_address(&f, 1u << STORE_TABLE_ADDRESS, "Bob@Example.ORG");
    ck_assert_uint_eq(list(&f, 1), 3);
    ck_assert_uint_eq(count_of("\"Bob@example.org\""), 1);
    of_address(&f, ALL, "Bob@example.org");
    ck_assert_uint_eq(list(&f, 1), 3 + 2 + 1 + 1);
    of_address(&f, ALL, "carol@example.org"); /* expired, but not her domain */
    ck_assert_uint_eq(list(&f, 1), 2 + 1);
}
END_TEST

START_TEST(what_is_no_record_is_left_out)
{
    struct cache_filter f = {.tables = ALL};

    put_address("bob@example.org");
    ck_assert(
        store_put(rig.store, STORE_TABLE_ADDRESS, "example.org\0x", 13, "?", 1, LATER, NULL, NULL));
    ck_assert(rig_put(&rig, "no key", "no value"));
    ck_assert_uint_eq(list(&f, 10), 1);
}
END_TEST

/*
 * Forgetting
 */

struct told {
    unsigned times;
    bool ok;
    uint64_t count;
};

static void on_forgotten(void *arg, bool ok, uint64_t count)
{
    struct told *t = arg;

    t->times++;
    t->ok = ok;
    t->count = count;
}

static uint64_t forgotten(struct told *t)
{
    store_flush(rig.store);
    ck_assert_uint_eq(t->times, 1);
    ck_assert(t->ok);
    return t->count;
}

static uint64_t forget_address(const char *text)
{
    struct address a = address_of(text);
    struct told t = {0};

    ck_assert(cache_forget_address(rig.store, &a, on_forgotten, &t));
    return forgotten(&t);
}

static uint64_t forget_domain(const char *domain)
{
    struct told t = {0};

    ck_assert(cache_forget_domain(rig.store, domain, on_forgotten, &t));
    return forgotten(&t);
}

START_TEST(an_address_is_forgotten_in_all_its_forms)
{
    struct cache_filter f = {.tables = ALL};

    put_all();
    ck_assert_uint_eq(forget_address("bob@example.org"), 3); /* both senders, its re-probe */
    ck_assert_uint_eq(list(&f, 10), 13);
    ck_assert_uint_eq(forget_address("bob@example.org"), 0);
    ck_assert_uint_eq(forget_address("Bob@example.org"), 1);
    ck_assert_uint_eq(list(&f, 10), 12);
    ck_assert_uint_eq(count_of("\"bob@example.org\""), 0);
}
END_TEST

START_TEST(a_domain_is_forgotten_with_all_that_is_its_own)
{
    struct cache_filter f;

    put_all();
    ck_assert_uint_ge(forget_domain("example.org"), 10); /* and who is expired, if not yet swept */
    of_domain(&f, ALL, "example.org");
    ck_assert_uint_eq(list(&f, 10), 0);
    f = (struct cache_filter){.tables = ALL};
    ck_assert_uint_eq(list(&f, 10), 6);
    ck_assert_uint_eq(count_of("\"mx/example.org\""), 1);
    ck_assert_uint_eq(forget_domain("example.org"), 0);
    ck_assert_uint_eq(forget_domain("example"), 0);
}
END_TEST

START_TEST(a_destination_is_forgotten_and_nothing_else)
{
    struct cache_filter f = {.tables = ALL}, what = {.destination = "mx/example.org"};
    struct told t = {0}, again = {0};

    put_all();
    ck_assert(cache_forget(rig.store, &what, on_forgotten, &t));
    ck_assert_uint_eq(forgotten(&t), 1);
    ck_assert_uint_eq(list(&f, 10), 15);
    ck_assert_uint_eq(count_of("\"mx/example.org\""), 0);
    ck_assert(cache_forget(rig.store, &what, on_forgotten, &again));
    ck_assert_uint_eq(forgotten(&again), 0);
}
END_TEST

/*
 * Import
 */

static struct cache_import_result result;
static unsigned answers, took;

static void on_imported(void *arg, const struct cache_import_result *r)
{
    (void)arg;
    answers++;
    result = *r;
}

static void on_took(void *arg, enum store_table table, const void *key, size_t key_len)
{
    (void)arg;
    ck_assert_uint_lt(table, STORE_TABLE_COUNT);
    ck_assert_ptr_nonnull(key);
    ck_assert_uint_gt(key_len, 0);
    took++;
}

static void import(const char *text, size_t len, uint64_t first, int64_t now)
{
    answers = took = 0;
    ck_assert(cache_import(rig.store, text, len, first, now, on_took, on_imported, NULL));
    store_flush(rig.store);
    ck_assert_uint_eq(answers, 1);
    ck_assert_uint_eq(took, result.taken);
    ck_assert_uint_eq(result.failed, 0);
}

static void forget_all(void)
{
    struct told t = {0};

    (void)forget_domain("example.org");
    (void)forget_domain("example.orgx");
    ck_assert(cache_forget_destination(rig.store, "mx/example.org", on_forgotten, &t));
    (void)forgotten(&t);
}

START_TEST(what_was_listed_is_taken_and_listed_again)
{
    struct cache_filter f = {.tables = ALL};
    char whole[8192];

    put_all();
    ck_assert_uint_eq(list(&f, 10), 16);
    ck_assert(str_copy(whole, sizeof(whole), listed));
    forget_all();
    ck_assert_uint_eq(list(&f, 10), 0);
    import(whole, strlen(whole), 1, RIG_NOW);
    ck_assert_uint_eq(result.taken, 16);
    ck_assert_uint_eq(result.refused + result.expired, 0);
    ck_assert_uint_eq(list(&f, 10), 16);
    ck_assert_str_eq(listed, whole);
    import(whole, strlen(whole) - 1, 1, RIG_NOW); /* over what is there; the last '\n' lacks */
    ck_assert_uint_eq(result.taken, 16);
    ck_assert_uint_eq(list(&f, 10), 16);
    ck_assert_str_eq(listed, whole);
}
END_TEST

START_TEST(what_is_expired_is_left_out)
{
    struct cache_filter f = {.tables = ALL};

    put_address("bob@example.org");
    store_flush(rig.store);
    ck_assert_uint_eq(list(&f, 10), 1);
    import(listed, listed_len, 1, LATER - 1);
    ck_assert_uint_eq(result.taken, 1);
    import(listed, listed_len, 1, LATER);
    ck_assert_uint_eq(result.taken, 0);
    ck_assert_uint_eq(result.expired, 1);
}
END_TEST

START_TEST(nothing_comes_of_nothing)
{
    import("", 0, 1, RIG_NOW);
    import("\n\n\n", 3, 1, RIG_NOW);
    ck_assert_uint_eq(result.taken + result.expired + result.refused, 0);
    ck_assert_str_eq(result.problem.text, "");
}
END_TEST

START_TEST(the_first_wrong_line_is_named)
{
    static const struct {
        const char *text;
        size_t len;
    } wrong[] = {{"garbage", 7},
                 {"{}", 2},
                 {"[]", 2},
                 {"null", 4},
                 {"{\"table\":\"address\"}", 19},
                 {"\0", 1},
                 {"\xff", 1},
                 {"{} {}", 5},
                 {"{\"table\":\"address\",\"table\":\"due\"}", 33}};
    struct cache_filter f = {.tables = ALL};
    char text[4096];

    put_address("bob@example.org");
    store_flush(rig.store);
    ck_assert_uint_eq(list(&f, 10), 1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        size_t len = wrong[i].len;

        memcpy(text, "\r\n\n", 3);
        memcpy(text + 3, wrong[i].text, len);
        memcpy(text + 3 + len, "\n", 1);
        memcpy(text + 4 + len, listed, listed_len);
        memcpy(text + 4 + len + listed_len, "worse\n", 6);
        import(text, len + listed_len + 10, 99, RIG_NOW);
        ck_assert_uint_eq(result.taken, 1);
        ck_assert_uint_eq(result.refused, 2);
        ck_assert_msg(strncmp(result.problem.text, "line 101: ", 10) == 0, "%s",
                      result.problem.text);
        ck_assert_uint_gt(strlen(result.problem.text), 12);
    }
}
END_TEST

/* `line` with blanks before it, which JSON allows, `len` octets in all. */
static void import_padded(const char *line, size_t len)
{
    char text[CACHE_LINE_MAX + 2];

    memset(text, ' ', sizeof(text));
    memcpy(text + len - strlen(line), line, strlen(line));
    import(text, len, 1, RIG_NOW);
}

START_TEST(a_line_has_its_bounds)
{
    struct cache_filter f = {.tables = ALL};
    char deep[CACHE_LINE_MAX];

    put_address("bob@example.org");
    store_flush(rig.store);
    ck_assert_uint_eq(list(&f, 10), 1);
    listed[listed_len - 1] = '\0';
    import_padded(listed, CACHE_LINE_MAX);
    ck_assert_uint_eq(result.taken, 1);
    import_padded(listed, CACHE_LINE_MAX + 1);
    ck_assert_uint_eq(result.refused, 1);
    ck_assert_str_eq(result.problem.text, "line 1: longer than 16384 octets");
    memset(deep, '[', sizeof(deep));
    import(deep, sizeof(deep), 1, RIG_NOW);
    ck_assert_uint_eq(result.refused, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cache");
    TCase *tc = tcase_create("cache");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, nothing_is_listed_of_an_empty_store);
    tcase_add_test(tc, all_tables_are_listed_in_their_order);
    tcase_add_test(tc, tables_are_chosen);
    tcase_add_test(tc, a_domain_is_its_own);
    tcase_add_test(tc, a_destination_is_listed_alone);
    tcase_add_test(tc, an_address_is_found_in_all_its_forms);
    tcase_add_test(tc, what_is_no_record_is_left_out);
    tcase_add_test(tc, an_address_is_forgotten_in_all_its_forms);
    tcase_add_test(tc, a_domain_is_forgotten_with_all_that_is_its_own);
    tcase_add_test(tc, a_destination_is_forgotten_and_nothing_else);
    tcase_add_test(tc, what_was_listed_is_taken_and_listed_again);
    tcase_add_test(tc, what_is_expired_is_left_out);
    tcase_add_test(tc, nothing_comes_of_nothing);
    tcase_add_test(tc, the_first_wrong_line_is_named);
    tcase_add_test(tc, a_line_has_its_bounds);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
