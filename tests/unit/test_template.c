/* policy/template: what is one, and what it comes to. */
#include <check.h>
#include <string.h>

#include "policy/template.h"
#include "suite.h"

static const char *const values[TEMPLATE_VARIABLE_COUNT] = {
    [TEMPLATE_RECIPIENT] = "user@example.com",
    [TEMPLATE_DOMAIN] = "example.com",
    [TEMPLATE_STATUS] = "invalid",
    [TEMPLATE_REASON] = "no_mailbox",
    [TEMPLATE_REMOTE_REPLY] = "no such\r\n\tuser %{mx} \xc3\xbc",
};

static const struct {
    const char *text, *expected;
} good[] = {
    {"plain", "plain"},
    {"%{recipient}", "user@example.com"},
    {"<%{recipient}> in %{domain}: %{status}/%{reason}",
     "<user@example.com> in example.com: invalid/no_mailbox"},
    {"%{domain}%{domain}", "example.comexample.com"},
    {"50%", "50%"},
    {"50%%", "50%"},
    {"%%{domain}", "%{domain}"},
    {"%%%{domain}", "%example.com"},
    {"% {domain}", "% {domain}"},
    {"{domain}}", "{domain}}"},
    {"[%{mx}]", "[]"}, /* NULL */
    {"%{remote_reply}", "no such   user %{mx} ??"},
};

START_TEST(test_good)
{
    struct error err = {""};
    char out[TEMPLATE_MAX + 1];

    ck_assert_msg(template_check(good[_i].text, &err), "%s: %s", good[_i].text, err.text);
    template_expand(good[_i].text, values, out, sizeof(out));
    ck_assert_str_eq(out, good[_i].expected);
}
END_TEST

static const struct {
    const char *text, *says;
} bad[] = {
    {"", "is empty"},
    {"%{}", "has no such variable: \"\""},
    {"%{Domain}", "has no such variable: \"Domain\""},
    {"%{domain }", "has no such variable: \"domain \""},
    {"%{dom}", "has no such variable: \"dom\""},
    {"%{domains}", "has no such variable: \"domains\""},
    {"a %{domain", "has no such variable: \"domain\""},
    {"%{", "has no such variable: \"\""},
    {"a\nb", "is not printable ASCII"},
    {"a\tb", "is not printable ASCII"},
    {"\x7f", "is not printable ASCII"},
    {"\xc3\xbc", "is not printable ASCII"},
};

START_TEST(test_bad)
{
    struct error err = {""};

    ck_assert(!template_check(bad[_i].text, &err));
    ck_assert_str_eq(err.text, bad[_i].says);
}
END_TEST

START_TEST(test_bounds)
{
    char text[TEMPLATE_MAX + 2], out[12];
    struct error err = {""};

    memset(text, 'x', sizeof(text));
    text[TEMPLATE_MAX + 1] = '\0';
    ck_assert(!template_check(text, &err));
    ck_assert_str_eq(err.text, "is longer than 400 octets");
    text[TEMPLATE_MAX] = '\0';
    ck_assert(template_check(text, &err));
    template_expand(text, values, out, sizeof(out));
    ck_assert_str_eq(out, "xxxxxxxxxxx");
    template_expand("ab%{recipient}cd", values, out, sizeof(out));
    ck_assert_str_eq(out, "abuser@exam");
    template_expand("ab", values, out, 1);
    ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("template");
    TCase *t = tcase_create("template");

    tcase_add_loop_test(t, test_good, 0, (int)(sizeof(good) / sizeof(good[0])));
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, test_bounds);
    suite_add_tcase(s, t);
    return suite_run(s);
}
