/* conf/provider_file: providers.conf, good and bad, and where each problem is. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "conf/provider_file.h"
#include "conf_fixture.h"
#include "suite.h"

#define NAME "providers.conf"

static struct config_problems problems;

static void teardown(void)
{
    config_problems_free(&problems);
}

static struct providers *read_text(const char *text)
{
    return provider_file_read(NAME, text, strlen(text), &problems);
}

static struct providers *good(const char *text)
{
    struct providers *p = read_text(text);

    ck_assert_msg(p != NULL && problems.count == 0, "%s",
                  problems.count > 0 ? problems.lines[0] : "no problem told");
    return p;
}

START_TEST(every_key)
{
    struct providers *set = good("provider \"big-1\" {\n"
                                 "  mx = {\"*.Big.example\", mx.other.example}\n"
                                 "  greeting = {'^mx\\.big\\b', 'another'}\n"
                                 "  accepted = honest\n"
                                 "  made_up = false\n"
                                 "  quirks = {late_refusal, one_recipient}\n"
                                 "  connections = 2 per_connection = 20 per_transaction = 100\n"
                                 "  rate = \"2/s\" burst = 30\n"
                                 "  note = 'seen'\n"
                                 "}\n");
    const struct provider *p = providers_of_host(set, "a.big.example");

    ck_assert_ptr_nonnull(p);
    ck_assert_str_eq(p->name, "big-1");
    ck_assert_ptr_eq(providers_of_host(set, "mx.other.example"), p);
    ck_assert_ptr_eq(providers_of_greeting(set, "Mx.Big ESMTP"), p);
    ck_assert_ptr_eq(providers_of_greeting(set, "yet another"), p);
    ck_assert_ptr_null(providers_of_greeting(set, "an mx.big"));
    ck_assert_int_eq(p->accepted, PROVIDER_HONEST);
    ck_assert(!p->made_up);
    ck_assert(provider_has(p, PROVIDER_QUIRK_LATE_REFUSAL));
    ck_assert(!provider_has(p, PROVIDER_QUIRK_SOFT_UNKNOWN));
    ck_assert(provider_has(p, PROVIDER_QUIRK_ONE_RECIPIENT));
    ck_assert_uint_eq(p->limits.connections, 2);
    ck_assert_uint_eq(p->limits.per_connection, 20);
    ck_assert_uint_eq(p->limits.per_transaction, 100);
    ck_assert_uint_eq(p->limits.rate_milli, 2000);
    ck_assert_uint_eq(p->limits.burst, 30);
    providers_unref(&set);
}
END_TEST

/* Nothing is taken for honest that nobody calls so. */
START_TEST(defaults)
{
    struct providers *set = good("provider a { mx = a.example note = x }");
    const struct provider *p = providers_find(set, "a");

    ck_assert_int_eq(p->accepted, PROVIDER_VARIES);
    ck_assert(p->made_up);
    ck_assert_uint_eq(p->quirks, 0);
    ck_assert_uint_eq(p->limits.connections, 0);
    ck_assert_uint_eq(p->limits.per_connection, 0);
    ck_assert_uint_eq(p->limits.per_transaction, 0);
    ck_assert_uint_eq(p->limits.rate_milli, 0);
    ck_assert_uint_eq(p->limits.burst, 0);
    providers_unref(&set);
}
END_TEST

START_TEST(greetings_in_order)
{
    struct providers *set = good("provider z { greeting = 'one' note = x }\n"
                                 "provider a { greeting = {'two', 'one'} note = x }\n");

    ck_assert_str_eq(providers_of_greeting(set, "one two")->name, "z");
    ck_assert_str_eq(providers_of_greeting(set, "two")->name, "a");
    providers_unref(&set);
}
END_TEST

static const struct {
    const char *text;
    unsigned milli;
} rates[] = {
    {"1/s", 1000}, {"1000/s", 1000000}, {"30/m", 500}, {"1/m", 16}, {"4/h", 1}, {"3600/h", 1000},
};

START_TEST(good_rates)
{
    char text[128];
    struct providers *set;

    (void)snprintf(text, sizeof(text), "provider a { mx = a.example note = x rate = '%s' }",
                   rates[_i].text);
    set = good(text);
    ck_assert_uint_eq(providers_find(set, "a")->limits.rate_milli, rates[_i].milli);
    providers_unref(&set);
}
END_TEST

#define REST " mx = a.example note = x"

/* One problem each. */
static const struct {
    const char *text;
    unsigned line;
    const char *says;
} bad[] = {
    /* keys and sections */
    {"\nmx = a", 2, "unknown key: mx"},
    {"provider a {" REST "\n colour = blue }", 2, "unknown key: provider a: colour"},
    {"\nprovider {" REST " }", 2, "unknown section: provider (provider \"name\" { ... })"},
    {"rule a { }", 1, "unknown section: rule a"},
    {"provider a {" REST " }\nprovider a { greeting = y }", 2,
     "provider a is given twice, first at " NAME ":1"},
    {"provider a {" REST " }\ninclude(x)", 2, "include: files of this kind include none"},
    {"\nprovider a {" REST, 2, "section provider a has no end"},
    {"provider a {" REST "\n rate = {'2/s'} }", 2, "rate: takes one value, and no list"},
    /* names */
    {"\nprovider Big {" REST " }", 2, "provider Big: its name is none"},
    {"provider a-name-that-is-longer-than-there-is {" REST " }", 1,
     "its name is longer than 31 octets"},
    /* how it is known */
    {"\nprovider a { note = x }", 2, "provider a: \"mx\" is missing, and \"greeting\""},
    {"provider a { mx = {b.example,\n 'b example'} note = x }", 2,
     "provider a: mx: \"b example\" is no host name"},
    {"provider a { mx = {'*.b.example',\n '192.0.2.1'} note = x }", 2, "is no host name"},
    {"provider a {" REST " }\nprovider b { note = x mx = {\nA.example } }", 3,
     "provider b: mx: \"A.example\" is given twice, first for provider a"},
    {"provider a {" REST "\n greeting = {'b',\n 'b)'} }", 3,
     "provider a: greeting: \"b)\" is no pattern: unmatched closing parenthesis at octet 1"},
    {"provider a {" REST "\n greeting = {a,b,c,d,e,f,g,h,i} }", 2, "greeting: more than 8 values"},
    /* values */
    {"provider a {" REST "\n accepted = sometimes }", 2,
     "provider a: accepted: \"sometimes\" is none of: honest, masks, varies"},
    {"provider a {" REST "\n made_up = perhaps }", 2,
     "provider a: made_up: \"perhaps\" is none of"},
    {"provider a {" REST " quirks = {late_refusal,\n early} }", 2,
     "provider a: quirks: \"early\" is none of: late_refusal, soft_unknown, one_recipient"},
    {"provider a {" REST "\n connections = 0 }", 2, "connections: \"0\" is not from 1 to 1000"},
    {"provider a {" REST "\n per_connection = few }", 2, "per_connection: \"few\" is no number"},
    {"provider a {" REST "\n per_transaction = 10001 }", 2,
     "per_transaction: \"10001\" is not from"},
    {"provider a {" REST "\n burst = -1 }", 2, "burst: \"-1\" is no number"},
    {"provider a {" REST "\n rate = 2 }", 2, "rate: \"2\" is no rate (a number and /s, /m or /h"},
    {"provider a {" REST " rate = '/s' }", 1, "is no rate"},
    {"provider a {" REST " rate = '2/d' }", 1, "is no rate"},
    {"provider a {" REST " rate = '-2/s' }", 1, "is no rate"},
    {"provider a {" REST " rate = '2 /s' }", 1, "is no rate"},
    {"provider a {" REST " rate = '0/s' }", 1, "rate: \"0/s\" is not from 4/h to 1000/s"},
    {"provider a {" REST " rate = '1001/s' }", 1, "is not from 4/h to 1000/s"},
    {"provider a {" REST " rate = '99999999999999999999/s' }", 1, "is no rate"},
    {"\nprovider a { mx = a.example }", 2, "provider a: \"note\" is missing"},
    {"provider a { mx = a.example\n note = '' }", 2, "provider a: note: \"\" is empty"},
};

START_TEST(bad_texts)
{
    char at[64];

    (void)snprintf(at, sizeof(at), NAME ":%u: ", bad[_i].line);
    ck_assert_msg(read_text(bad[_i].text) == NULL, "%s", bad[_i].text);
    conf_one_problem(&problems, at, bad[_i].says, bad[_i].text);
}
END_TEST

START_TEST(hosts_are_bounded)
{
    char text[4096] = "provider a { note = x\n mx = {";
    size_t len = strlen(text);

    for (int i = 0; i < 65; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "h%d.example, ", i);
    (void)snprintf(text + len, sizeof(text) - len, "} }");
    ck_assert_ptr_null(read_text(text));
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_str_eq(problems.lines[0], NAME ":2: mx: more than 64 values");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf_providers");
    TCase *t = tcase_create("conf_providers");

    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, every_key);
    tcase_add_test(t, defaults);
    tcase_add_test(t, greetings_in_order);
    tcase_add_loop_test(t, good_rates, 0, (int)(sizeof(rates) / sizeof(rates[0])));
    tcase_add_loop_test(t, bad_texts, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, hosts_are_bounded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
