/* conf/reply_file: replies.conf, good and bad, and where each problem is. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/data_files.h"
#include "conf/reply_file.h"
#include "conf_fixture.h"
#include "suite.h"

#define NAME "replies.conf"

static struct config_problems problems;

static void teardown(void)
{
    config_problems_free(&problems);
}

static struct reply_rules *read_text(const char *text)
{
    return reply_file_read(NAME, text, strlen(text), NULL, &problems);
}

static struct reply_rules *good(const char *text)
{
    struct reply_rules *r = read_text(text);

    ck_assert_msg(r != NULL && problems.count == 0, "%s",
                  problems.count > 0 ? problems.lines[0] : "no problem told");
    return r;
}

static const struct reply_rule *found(const struct reply_rules *r, enum smtp_stage stage,
                                      uint16_t code, const char *text, const char *provider)
{
    struct smtp_reply reply = {.code = code, .lines = 1};

    (void)snprintf(reply.text, sizeof(reply.text), "%s", text);
    return reply_rules_find(r, stage, &reply, provider, NULL);
}

START_TEST(every_key)
{
    struct reply_rules *r = good("rule \"first-1\" {\n"
                                 "  provider = {\"google\", other}\n"
                                 "  stage    = {mail, rcpt}\n"
                                 "  code     = {550, 4yz}\n"
                                 "  enhanced = {\"5.7.1\", \"x.2.*\", \"none\"}\n"
                                 "  pattern  = '\\bsays \\'no\\'\\\\.'\n"
                                 "  reason   = blocked\n"
                                 "  example  = {'450 he says \\'NO\\'.',\n"
                                 "              'mail: 550 5.7.1 Says \\'no\\'.'}\n"
                                 "}\n");
    const struct reply_rule *rule =
        found(r, SMTP_STAGE_RCPT, 550, "one says 'No'. Really", "other");

    ck_assert_uint_eq(reply_rules_count(r), 1);
    ck_assert_ptr_nonnull(rule);
    ck_assert_str_eq(rule->name, "first-1");
    ck_assert_int_eq(rule->reason, REASON_BLOCKED);
    ck_assert_uint_eq(rule->stages, 1U << SMTP_STAGE_RCPT | 1U << SMTP_STAGE_MAIL);
    ck_assert_uint_eq(rule->code_count, 2);
    ck_assert_uint_eq(rule->codes[1].low, 400);
    ck_assert_uint_eq(rule->codes[1].high, 499);
    ck_assert_uint_eq(rule->enhanced_count, 3);
    ck_assert_uint_eq(rule->enhanced[1].cls, REPLY_ENHANCED_ANY);
    ck_assert_uint_eq(rule->enhanced[1].subject, 2);
    ck_assert_uint_eq(rule->provider_count, 2);
    ck_assert_ptr_null(found(r, SMTP_STAGE_RCPT, 550, "says 'no'.", ""));
    ck_assert_ptr_null(found(r, SMTP_STAGE_EHLO, 550, "says 'no'.", "other"));
    ck_assert_ptr_null(found(r, SMTP_STAGE_RCPT, 551, "says 'no'.", "other"));
    ck_assert_ptr_null(found(r, SMTP_STAGE_RCPT, 550, "says 'no',", "other"));
    reply_rules_unref(&r);
}
END_TEST

/* A list may be one value; what is not named fits always. */
START_TEST(little_is_needed)
{
    struct reply_rules *r = good("rule any { reason = server_error example = '450 x' }");

    ck_assert_ptr_nonnull(found(r, SMTP_STAGE_GREETING, 250, "", ""));
    reply_rules_unref(&r);
}
END_TEST

START_TEST(the_first_that_fits)
{
    struct reply_rules *r = good("rule z { code = 550 reason = blocked pattern = listed\n"
                                 "         example = '550 listed' }\n"
                                 "rule a { stage = rcpt code = 5yz reason = no_mailbox\n"
                                 "         example = {'550 gone', '551 listed'} }\n"
                                 "rule m { reason = cannot_verify example = '450 listed' }\n");

    ck_assert_str_eq(found(r, SMTP_STAGE_RCPT, 550, "Listed", "")->name, "z");
    ck_assert_str_eq(found(r, SMTP_STAGE_RCPT, 550, "gone", "")->name, "a");
    ck_assert_str_eq(found(r, SMTP_STAGE_MAIL, 550, "gone", "")->name, "m");
    reply_rules_unref(&r);
}
END_TEST

START_TEST(no_rules)
{
    struct reply_rules *r = good("# nothing\n");

    ck_assert_uint_eq(reply_rules_count(r), 0);
    reply_rules_unref(&r);
}
END_TEST

#define REST " reason = blocked example = '550 x'"

/* One problem each. */
static const struct {
    const char *text;
    unsigned line;
    const char *says;
} bad[] = {
    /* keys and sections */
    {"\ncolour = blue", 2, "unknown key: colour"},
    {"rule a {" REST "\n colour = blue }", 2, "unknown key: rule a: colour"},
    {"\nrule {" REST " }", 2, "unknown section: rule (rule \"name\" { ... })"},
    {"rule \"\" {" REST " }", 1, "unknown section: rule (rule"},
    {"provider a { }", 1, "unknown section: provider a"},
    {"rule a {" REST " }\n\nrule 'a' { }", 3, "rule a is given twice, first at " NAME ":1"},
    {"rule a {" REST "\n reason = blocked }", 2, "rule a: reason is given twice"},
    {"rule a {" REST " pattern = {x} }", 1, "pattern: takes one value, and no list"},
    {"\ninclude('x')", 2, "include: files of this kind include none"},
    {"rule a {" REST, 1, "section rule a has no end"},
    {"rule a {\n = 1 }", 2, "\"=\" where a key or \"}\" should be"},
    /* names */
    {"\nrule A {" REST " }", 2, "rule A: its name is none"},
    {"rule 'a b' {" REST " }", 1, "rule a b: its name is none"},
    {"rule aaaaaaaaa-aaaaaaaaa-aaaaaaaaa-aaaaaaaaa-aaaaaaaa {" REST " }", 1,
     "its name is longer than 47 octets"},
    /* values */
    {"rule a {\n reason = unwell example = '550 x' }", 2,
     "rule a: reason: \"unwell\" is no reason"},
    {"rule a {" REST " stage = {rcpt,\n data} }", 2,
     "rule a: stage: \"data\" is none of: connect, greeting, ehlo, helo, starttls, tls, mail, "
     "rcpt"},
    {"rule a {" REST " stage = quit }", 1, "rule a: stage: \"quit\" is none of"},
    {"rule a {" REST " code = {550,\n\n 5y0} }", 3, "rule a: code: \"5y0\" is no code"},
    {"rule a {" REST " code = 600 }", 1, "rule a: code: \"600\" is no code"},
    {"rule a {" REST " code = {1,\n} }", 1, "rule a: code: \"1\" is no code"},
    {"rule a {" REST " enhanced = {'5.1.1',\n '5.1'} }", 2,
     "rule a: enhanced: \"5.1\" is no enhanced code"},
    {"rule a {" REST "\n pattern = 'a(b' }", 2,
     "rule a: pattern: \"a(b\" is no pattern: missing closing parenthesis at octet 3"},
    {"rule a {" REST " provider = 'a-name-that-is-longer-than-there-is-room-for' }", 1,
     "is longer than 31 octets"},
    {"rule a {" REST " code = {501,502,503,504,505,506,507,508,509,510,511,512,513,514,515,516,\n"
     "517} }",
     2, "rule a: code: \"517\" is one too many (16 at most)"},
    /* what is missing */
    {"\nrule a { reason = blocked }", 2, "rule a: \"example\" is missing"},
    {"rule a { reason = blocked example = {} }", 1, "rule a: \"example\" is missing"},
    {"\nrule a { example = '550 x' }", 2, "rule a: \"reason\" is missing"},
    /* examples */
    {"rule a { reason = blocked example = {'550 x',\n 'hello'} }", 2,
     "rule a: example: \"hello\" is no reply"},
    {"rule a { reason = blocked code = 550 example = {'550 x',\n '551 y'} }", 2,
     "rule a: example: \"551 y\" is read by no rule"},
    {"rule a { reason = blocked pattern = x example = '550 x' }\n"
     "rule b { reason = blocked pattern = y example = {'550 y',\n '550 yx'} }",
     3, "rule b: example: \"550 yx\" is read by rule a"},
    {"rule a {" REST " stage = mail }\nrule b { reason = blocked stage = mail\n"
     "example = 'mail: 550 x' }",
     3, "rule b: example: \"mail: 550 x\" is read by rule a"},
    {"rule a { reason = blocked stage = mail example = 'ehlo: 550 x' }", 1,
     "rule a: example: \"ehlo: 550 x\" is of stage ehlo, which its rule has not"},
    {"rule a {" REST " }\nrule b { provider = p\n" REST " }", 3,
     "rule b: example: \"550 x\" is read by rule a"},
    /* what no rule may say */
    {"\nrule a { reason = no_mailbox code = 550 example = '550 x' }", 2,
     "rule a: the reason no_mailbox has to be bound to stage rcpt and codes of 5yz"},
    {"rule a { reason = no_mailbox stage = rcpt example = '550 x' }", 1,
     "rule a: the reason no_mailbox has to be"},
    {"rule a { reason = no_mailbox stage = rcpt code = {550, 4yz} example = '550 x' }", 1,
     "rule a: the reason no_mailbox has to be"},
    {"rule a { reason = mailbox_exists stage = rcpt code = 5yz example = '550 x' }", 1,
     "rule a: the reason mailbox_exists has to be"},
    {"rule a { reason = pending example = '550 x' }", 1,
     "rule a: no reply tells the reason pending"},
};

START_TEST(bad_texts)
{
    char at[64];

    (void)snprintf(at, sizeof(at), NAME ":%u: ", bad[_i].line);
    ck_assert_msg(read_text(bad[_i].text) == NULL, "%s", bad[_i].text);
    conf_one_problem(&problems, at, bad[_i].says, bad[_i].text);
}
END_TEST

/* Behind a long value, too. */
START_TEST(what_is_wrong_is_always_said)
{
    char text[4096];
    int len = snprintf(text, sizeof(text), "rule a { reason = blocked code = 551 example = '550 ");

    memset(text + len, 'x', 900);
    (void)snprintf(text + len + 900, sizeof(text) - (size_t)len - 900, "' }");
    ck_assert_ptr_null(read_text(text));
    ck_assert_ptr_nonnull(strstr(problems.lines[0], "xxx\" is read by no rule"));
}
END_TEST

START_TEST(examples_are_bounded)
{
    char text[4096] = "rule a { reason = blocked\n example = {";
    size_t len = strlen(text);

    for (int i = 0; i < 33; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "'550 x', ");
    (void)snprintf(text + len, sizeof(text) - len, "} }");
    ck_assert_ptr_null(read_text(text));
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_str_eq(problems.lines[0], NAME ":2: example: more than 32 values");
}
END_TEST

START_TEST(rules_are_bounded)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    for (int i = 0; i < REPLY_RULES_MAX + 2; i++)
        fprintf(f,
                "rule r%d { code = 550 pattern = '^n%d$' reason = blocked example = '550 n%d' }\n",
                i, i, i);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_ptr_null(read_text(text));
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_str_eq(problems.lines[0], NAME ":1001: rule r1000: is one too many (1000 at most)");
    free(text);
}
END_TEST

START_TEST(unknown_providers_are_warned_of)
{
    static const char text[] = "rule a { provider = {known,\n other} reason = blocked\n"
                               " example = '550 x' }";
    struct providers *known = providers_new();
    struct provider p = {.name = "known"};
    struct reply_rules *r;

    ck_assert_ptr_nonnull(providers_add(known, &p, NULL));
    r = reply_file_read(NAME, text, strlen(text), known, &problems);
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(problems.errors, 0);
    ck_assert_uint_eq(problems.count, 1);
    ck_assert_str_eq(problems.lines[0], NAME
                     ":2: warning: rule a: provider: \"other\" is no provider of providers.conf");
    reply_rules_unref(&r);
    providers_unref(&known);
}
END_TEST

/* Without a warning, either. */
START_TEST(what_is_built_in_is_good)
{
    struct reply_rules *r = NULL;
    struct providers *p = NULL;
    bool ok = data_files_builtin(&r, &p, &problems);

    ck_assert_msg(ok && problems.count == 0, "%s", problems.count > 0 ? problems.lines[0] : "");
    ck_assert_uint_gt(reply_rules_count(r), 0);
    reply_rules_unref(&r);
    providers_unref(&p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf_replies");
    TCase *t = tcase_create("conf_replies");

    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, every_key);
    tcase_add_test(t, little_is_needed);
    tcase_add_test(t, the_first_that_fits);
    tcase_add_test(t, no_rules);
    tcase_add_loop_test(t, bad_texts, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, what_is_wrong_is_always_said);
    tcase_add_test(t, examples_are_bounded);
    tcase_add_test(t, rules_are_bounded);
    tcase_add_test(t, unknown_providers_are_warned_of);
    tcase_add_test(t, what_is_built_in_is_good);
    suite_add_tcase(s, t);
    return suite_run(s);
}
