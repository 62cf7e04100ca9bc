/* callout/providers: whose a mail server is, by its name or by how it greets. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "callout/providers.h"
#include "suite.h"

static struct providers *set;
static struct error err;

static struct provider *add(const char *name)
{
    struct provider p = {.accepted = PROVIDER_VARIES};

    (void)snprintf(p.name, sizeof(p.name), "%s", name);
    return providers_add(set, &p, &err);
}

static void add_host(struct provider *one, const char *host)
{
    ck_assert_msg(providers_add_host(set, one, host, &err), "%s: %s", host, err.text);
}

static void add_greeting(struct provider *one, const char *text)
{
    struct pattern *pattern;

    ck_assert_msg(pattern_new(&pattern, text, &err), "%s: %s", text, err.text);
    ck_assert(providers_add_greeting(set, one, pattern, &err));
}

static void setup(void)
{
    struct provider *p;

    set = providers_new();
    p = add("big");
    ck_assert_ptr_nonnull(p);
    p->quirks = 1U << PROVIDER_QUIRK_SOFT_UNKNOWN;
    add_host(p, "*.big.example");
    add_host(p, "MX.Big-Mail.Example");
    add_greeting(p, "mx\\.big\\.example");
    p = add("filter-2");
    ck_assert_ptr_nonnull(p);
    add_host(p, "*.filter.big.example");
    add_greeting(p, "\\bexample\\b");
}

static void teardown(void)
{
    providers_unref(&set);
    ck_assert_ptr_null(set);
    providers_unref(&set);
}

static const char *name_of(const struct provider *p)
{
    return p != NULL ? p->name : "none";
}

static const struct {
    const char *host, *provider;
} hosts[] = {
    {"a.big.example", "big"},
    {"A.B.BIG.EXAMPLE", "big"},
    {"mx.big-mail.example", "big"},
    {"filter.big.example", "big"},
    {"in.filter.big.example", "filter-2"},
    {"a.in.Filter.big.example", "filter-2"},
    {"big.example", "none"},
    {"verybig.example", "none"},
    {"a.mx.big-mail.example", "none"},
    {"big.example.org", "none"},
    {"example", "none"},
    {"*.big.example", "big"}, /* below big.example, whatever it is */
    {"*", "none"},
    {"", "none"},
    {".", "none"},
    {"[192.0.2.1]", "none"},
};

START_TEST(whose_host)
{
    ck_assert_str_eq(name_of(providers_of_host(set, hosts[_i].host)), hosts[_i].provider);
}
END_TEST

START_TEST(long_names_are_nobodys)
{
    char host[1024];

    memset(host, 'a', sizeof(host));
    (void)snprintf(host + sizeof(host) - 20, 20, ".big.example");
    ck_assert_ptr_null(providers_of_host(set, host));
}
END_TEST

START_TEST(whose_greeting)
{
    ck_assert_str_eq(name_of(providers_of_greeting(set, "MX.big.Example ESMTP")), "big");
    ck_assert_str_eq(name_of(providers_of_greeting(set, "other.example ESMTP")), "filter-2");
    ck_assert_str_eq(name_of(providers_of_greeting(set, "ESMTP")), "none");
    ck_assert_str_eq(name_of(providers_of_greeting(set, "")), "none");
}
END_TEST

START_TEST(by_name)
{
    ck_assert_str_eq(name_of(providers_find(set, "filter-2")), "filter-2");
    ck_assert_str_eq(name_of(providers_find(set, "filter")), "none");
    ck_assert_str_eq(name_of(providers_find(set, "")), "none");
}
END_TEST

START_TEST(no_set_is_an_empty_one)
{
    ck_assert_ptr_null(providers_find(NULL, "big"));
    ck_assert_ptr_null(providers_of_host(NULL, "a.big.example"));
    ck_assert_ptr_null(providers_of_greeting(NULL, "mx.big.example"));
    ck_assert_ptr_null(providers_ref(NULL));
}
END_TEST

START_TEST(quirks)
{
    const struct provider *big = providers_find(set, "big");

    ck_assert(provider_has(big, PROVIDER_QUIRK_SOFT_UNKNOWN));
    ck_assert(!provider_has(big, PROVIDER_QUIRK_LATE_REFUSAL));
    ck_assert(!provider_has(NULL, PROVIDER_QUIRK_SOFT_UNKNOWN));
}
END_TEST

START_TEST(names)
{
    static const char *const bad[] = {"", "Big", "b g", "b.g", "b\xc3\xbc", "b_g"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(add(bad[i]) == NULL, "%s", bad[i]);
        ck_assert_str_eq(err.text, "its name is none: a-z, 0-9 and -, 31 at most");
    }
    ck_assert_ptr_null(add("big"));
    ck_assert_str_eq(err.text, "there is one of that name before it");
    ck_assert_ptr_nonnull(add("a-name-as-long-as-there-is-roo"));
}
END_TEST

START_TEST(a_host_is_one_providers)
{
    struct provider *other = add("other");

    ck_assert_ptr_nonnull(other);
    ck_assert(!providers_add_host(set, other, "*.BIG.example", &err));
    ck_assert_str_eq(err.text, "is given twice, first for provider big");
    ck_assert_str_eq(name_of(providers_of_host(set, "a.big.example")), "big");
    add_host(other, "mx.big.example"); /* one below it may be another's */
    ck_assert_str_eq(name_of(providers_of_host(set, "mx.big.example")), "other");
    ck_assert_str_eq(name_of(providers_of_host(set, "mx1.big.example")), "big");
}
END_TEST

static const char *const bad_hosts[] = {
    "",      "*",     "*.",        ".example",    "a..example", "*.*.example", "a.*.example",
    "a b",   "a@b",   "192.0.2.1", "[192.0.2.1]", "*.1",        "a.example.",  "-a.example",
    "*.a\n", "mx:25",
};

START_TEST(no_hosts)
{
    struct provider *other = add("other");

    ck_assert_msg(!providers_add_host(set, other, bad_hosts[_i], &err), "\"%s\"", bad_hosts[_i]);
    ck_assert_msg(strstr(err.text, "is no host name") != NULL, "%s", err.text);
}
END_TEST

START_TEST(no_more_than_the_bound)
{
    char name[16];
    int added = 0;

    for (int i = 0; i < PROVIDERS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        added += add(name) != NULL;
    }
    ck_assert_int_eq(added, PROVIDERS_MAX - 2);
    ck_assert_str_eq(err.text, "is one too many (1000 at most)");
}
END_TEST

START_TEST(references)
{
    struct providers *second = providers_ref(set);

    providers_unref(&set);
    set = second;
    ck_assert_str_eq(name_of(providers_of_host(set, "a.big.example")), "big");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("providers");
    TCase *t = tcase_create("providers");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, whose_host, 0, (int)(sizeof(hosts) / sizeof(hosts[0])));
    tcase_add_test(t, long_names_are_nobodys);
    tcase_add_test(t, whose_greeting);
    tcase_add_test(t, by_name);
    tcase_add_test(t, no_set_is_an_empty_one);
    tcase_add_test(t, quirks);
    tcase_add_test(t, names);
    tcase_add_test(t, a_host_is_one_providers);
    tcase_add_loop_test(t, no_hosts, 0, (int)(sizeof(bad_hosts) / sizeof(bad_hosts[0])));
    tcase_add_test(t, no_more_than_the_bound);
    tcase_add_test(t, references);
    suite_add_tcase(s, t);
    return suite_run(s);
}
