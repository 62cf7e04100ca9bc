/* callout/pattern: what is a pattern, what it finds, and what it may cost. */
#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "callout/pattern.h"
#include "suite.h"

static bool found(const char *pattern, const char *text, size_t len)
{
    struct pattern *p;
    struct error err = {""};
    bool matches;

    ck_assert_msg(pattern_new(&p, pattern, &err), "%s: %s", pattern, err.text);
    matches = pattern_matches(p, text, len);
    pattern_free(&p);
    ck_assert_ptr_null(p);
    pattern_free(&p);
    return matches;
}

static const struct {
    const char *pattern, *text;
    bool expected;
} cases[] = {
    {"no such (user|mailbox)", "550: No Such Mailbox here", true},
    {"no such (user|mailbox)", "no such host", false},
    {"^user", "the user", false},
    {"unknown$", "user unknown", true},
    {"x", "", false},
    {"\\buser\\b", "superuser", false},
    /* Case folds, words end and classes are what they are in every script. */
    {"benutzer", "BENUTZER", true},
    {"nicht verfügbar", "NICHT VERFÜGBAR", true},
    {"почтовый", "ПОЧТОВЫЙ ЯЩИК", true},
    {"\\bящик\\b", "почтовыйящик", false},
    {"^.{4}$", "用户未知", true},
    /* Octets that are no character match nothing, and part what stands beside them. */
    {"user", "\xff user \xc3", true},
    {"us.er",
     "us\xff"
     "er",
     false},
    {"a[^b]c",
     "a\xe4"
     "c",
     false},
};

START_TEST(test_matches)
{
    ck_assert_msg(found(cases[_i].pattern, cases[_i].text, strlen(cases[_i].text)) ==
                      cases[_i].expected,
                  "%s: %s", cases[_i].pattern, cases[_i].text);
}
END_TEST

START_TEST(test_the_text_ends_where_it_is_said)
{
    static const char text[] = "user\0unknown";

    ck_assert(!found("unknown", "user unknown", 8));
    ck_assert(found("unknown", text, sizeof(text) - 1));
    ck_assert(found("^$", "user", 0));
}
END_TEST

static const struct {
    const char *pattern, *why;
} bad[] = {
    {"(user", "is no pattern: missing closing parenthesis at octet 5"},
    {"[a-", "is no pattern: "},
    {"*", "is no pattern: "},
    {"a\\Cb", "is no pattern: "},
    {"\xff", "is no pattern: UTF-8 error: "},
    {"(?:(?:(?:a{1000}){1000}){1000})", "is no pattern: regular expression is too large"},
};

START_TEST(test_bad)
{
    struct pattern *p = (struct pattern *)&p;
    struct error err = {""};

    ck_assert(!pattern_new(&p, bad[_i].pattern, &err));
    ck_assert_ptr_null(p);
    ck_assert_msg(strncmp(err.text, bad[_i].why, strlen(bad[_i].why)) == 0, "%s", err.text);
}
END_TEST

START_TEST(test_length_is_bounded)
{
    static char text[PATTERN_MAX + 2];
    struct pattern *p;
    struct error err;

    memset(text, 'a', PATTERN_MAX);
    ck_assert(found(text, text, PATTERN_MAX));
    text[PATTERN_MAX] = 'a';
    ck_assert(!pattern_new(&p, text, &err));
    ck_assert_str_eq(err.text, "is no pattern: more than 2000 octets");
}
END_TEST

/* Each tries the text in more ways than there is time for, with JIT and without. */
static const char *const costly[] = {
    "(a+)+$",
    "(*NO_JIT)(a+)+$",
    "(a|aa)+$",
    "(*NO_JIT)(a|aa)+$",
    "(.*)(.*)(.*)(.*)[xy]",
    "(*NO_JIT)(.*)(.*)(.*)(.*)[xy]",
    "(?:a?){400}a{400}[xy]",
    "(*NO_JIT)(?:a?){400}a{400}[xy]",
    "(*LIMIT_MATCH=4000000000)(a+)+$",
};

START_TEST(test_cost_is_bounded)
{
    static char text[1024];
    struct timespec from, to;

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 2] = '!';
    clock_gettime(CLOCK_MONOTONIC, &from);
    ck_assert(!found(costly[_i], text, sizeof(text) - 1));
    clock_gettime(CLOCK_MONOTONIC, &to);
    /* Takes milliseconds; without limits, longer than the universe has been there. */
    ck_assert_int_lt(to.tv_sec - from.tv_sec, 20);
}
END_TEST

/* What is found must not depend on JIT's small stack. */
START_TEST(test_a_long_text_of_choices)
{
    static char text[1024];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 3 == 0 ? 'a' : 'b';
    ck_assert(found("^(?:(a)|(b)|(c))*$", text, sizeof(text)));
    ck_assert(found("(*NO_JIT)^(?:(a)|(b)|(c))*$", text, sizeof(text)));
}
END_TEST

static void *match_often(void *arg)
{
    const struct pattern *p = arg;
    uintptr_t wrong = 0;

    for (int i = 0; i < 2000; i++) {
        wrong += !pattern_matches(p, "the user is unknown", 19);
        wrong += pattern_matches(p, "the user is known", 17);
    }
    return (void *)wrong;
}

START_TEST(test_threads_share_a_pattern)
{
    pthread_t threads[4];
    struct pattern *p;
    struct error err;
    void *wrong;

    ck_assert(pattern_new(&p, "(user|mailbox).{0,9}\\bunknown", &err));
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, match_often, p), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    pattern_free(&p);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
    Suite *s = suite_create("pattern");
    TCase *t = tcase_create("pattern");

    tcase_add_loop_test(t, test_matches, 0, COUNT(cases));
    tcase_add_test(t, test_the_text_ends_where_it_is_said);
    tcase_add_loop_test(t, test_bad, 0, COUNT(bad));
    tcase_add_test(t, test_length_is_bounded);
    tcase_add_loop_test(t, test_cost_is_bounded, 0, COUNT(costly));
    tcase_add_test(t, test_a_long_text_of_choices);
    tcase_add_test(t, test_threads_share_a_pattern);
    suite_add_tcase(s, t);
    return suite_run(s);
}
