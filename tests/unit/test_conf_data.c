/* conf/data_files: which replies.conf and providers.conf are taken, all or nothing. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_fixture.h"
#include "suite.h"

#define RULE(name) "rule " name " { reason = blocked example = '550 x' }\n"
#define PROVIDER   "provider here { mx = mx.example.com note = x }\n"

static void put(const char *name, const char *text)
{
    conf_write(name, text, strlen(text));
}

/* The rule that reads everything, where a set has but that. */
static const char *only_rule(const struct config *c)
{
    struct smtp_reply reply = {.code = 550};
    const struct reply_rule *r =
        reply_rules_find(c->verifier.replies, SMTP_STAGE_EHLO, &reply, "", NULL);

    ck_assert_uint_eq(reply_rules_count(c->verifier.replies), 1);
    ck_assert_ptr_nonnull(r);
    return r->name;
}

START_TEST(built_in)
{
    struct config *c = conf_good(HELO_LINE);

    ck_assert_str_eq(c->replies_from, "replies.conf (built in)");
    ck_assert_str_eq(c->providers_from, "providers.conf (built in)");
    ck_assert_ptr_nonnull(c->verifier.replies);
    ck_assert_ptr_nonnull(c->verifier.providers);
    config_free(&c);
}
END_TEST

START_TEST(of_the_package)
{
    struct config *c;

    ck_assert_int_eq(mkdir("sub", 0700), 0);
    conf_data_dir = "sub";
    put("sub/replies.conf", RULE("packaged"));
    c = conf_good(HELO_LINE);
    ck_assert_str_eq(c->replies_from, "sub/replies.conf");
    ck_assert_str_eq(only_rule(c), "packaged");
    ck_assert_str_eq(c->providers_from, "providers.conf (built in)");
    config_free(&c);
}
END_TEST

START_TEST(beside_the_configuration)
{
    struct config_problems p;
    struct config *c;

    ck_assert_int_eq(mkdir("sub", 0700), 0);
    conf_data_dir = ".";
    put("replies.conf", RULE("packaged"));
    put("sub/replies.conf", RULE("own"));
    put("sub/providers.conf", PROVIDER);
    put("sub/calloutd.conf", HELO_LINE);
    c = config_load("sub/calloutd.conf", &p);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(p.count, 0);
    ck_assert_str_eq(c->replies_from, "sub/replies.conf");
    ck_assert_str_eq(only_rule(c), "own");
    ck_assert_str_eq(c->providers_from, "sub/providers.conf");
    ck_assert_ptr_nonnull(providers_of_host(c->verifier.providers, "mx.example.com"));
    config_free(&c);
}
END_TEST

/* A configuration has what was there when it was loaded. */
START_TEST(each_load_has_its_own)
{
    struct config *first, *second;

    put("replies.conf", RULE("one"));
    first = conf_good(HELO_LINE);
    put("replies.conf", RULE("two"));
    second = conf_good(HELO_LINE);
    ck_assert_str_eq(only_rule(first), "one");
    ck_assert_str_eq(only_rule(second), "two");
    config_free(&first);
    ck_assert_str_eq(only_rule(second), "two");
    config_free(&second);
}
END_TEST

START_TEST(every_problem_of_all_files)
{
    struct config_problems p;

    put("replies.conf", "\nrule a { reason = blocked }\n");
    put("providers.conf", "provider a {\n mx = 'a b' note = x }\n");
    conf_bad(HELO_LINE "wait = 0s\n", strlen(HELO_LINE "wait = 0s\n"), &p);
    ck_assert_uint_eq(p.count, 3);
    ck_assert_ptr_nonnull(strstr(p.lines[0], CONF_NAME ":2: wait: "));
    ck_assert_ptr_nonnull(strstr(p.lines[1], "providers.conf:2: provider a: mx: \"a b\" is no"));
    ck_assert_ptr_nonnull(strstr(p.lines[2], "replies.conf:2: rule a: \"example\" is missing"));
    config_problems_free(&p);
}
END_TEST

/* One that is there and cannot be read is not passed over. */
START_TEST(unreadable)
{
    struct config_problems p;

    ck_assert_int_eq(mkfifo("replies.conf", 0600), 0);
    ck_assert_int_eq(symlink("missing", "providers.conf"), 0);
    conf_bad(HELO_LINE, strlen(HELO_LINE), &p);
    ck_assert_uint_eq(p.count, 2);
    ck_assert_str_eq(p.lines[0], "providers.conf: No such file or directory");
    ck_assert_str_eq(p.lines[1], "replies.conf: is no regular file");
    config_problems_free(&p);
}
END_TEST

#define ACCEPTING "rule ok { stage = rcpt code = 250 reason = mailbox_exists example = '250 x' }\n"

START_TEST(nobody_is_valid)
{
    struct config_problems p;
    struct config *c;

    put("replies.conf", "");
    put(CONF_NAME, HELO_LINE);
    c = config_load(CONF_NAME, &p);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(p.count, 1);
    ck_assert_str_eq(
        p.lines[0],
        "replies.conf: warning: no rule reads \"250 Ok\" to RCPT: nobody will be valid");
    config_problems_free(&p);
    config_free(&c);
}
END_TEST

START_TEST(bounded)
{
    static char big[(1 << 20) + 1];
    struct config_problems p;

    memset(big, '\n', sizeof(big));
    memcpy(big, ACCEPTING, strlen(ACCEPTING));
    conf_write("replies.conf", big, sizeof(big) - 1);
    config_free(&(struct config *){conf_good(HELO_LINE)});
    conf_write("replies.conf", big, sizeof(big));
    conf_bad(HELO_LINE, strlen(HELO_LINE), &p);
    ck_assert_str_eq(p.lines[0], "replies.conf: is longer than 1 MiB");
    config_problems_free(&p);
}
END_TEST

START_TEST(a_warning_is_no_problem)
{
    struct config_problems p;
    struct config *c;

    put("providers.conf", PROVIDER);
    put("replies.conf",
        "rule a { provider = there reason = blocked example = '550 x' }\n" ACCEPTING);
    put(CONF_NAME, HELO_LINE);
    c = config_load(CONF_NAME, &p);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(p.count, 1);
    ck_assert(p.warnings[0]);
    ck_assert_str_eq(p.lines[0], "replies.conf:1: warning: rule a: provider: \"there\" is no "
                                 "provider of providers.conf");
    config_problems_free(&p);
    config_free(&c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf_data");
    TCase *t = tcase_create("conf_data");

    tcase_add_checked_fixture(t, conf_setup, conf_teardown);
    tcase_add_test(t, built_in);
    tcase_add_test(t, of_the_package);
    tcase_add_test(t, beside_the_configuration);
    tcase_add_test(t, each_load_has_its_own);
    tcase_add_test(t, every_problem_of_all_files);
    tcase_add_test(t, unreadable);
    tcase_add_test(t, nobody_is_valid);
    tcase_add_test(t, bounded);
    tcase_add_test(t, a_warning_is_no_problem);
    suite_add_tcase(s, t);
    return suite_run(s);
}
