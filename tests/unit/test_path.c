/* smtp/path: what MTAs hand over in MAIL FROM and RCPT TO. */
#include <check.h>
#include <string.h>

#include "smtp/path.h"
#include "suite.h"

/* `expected`: the address in wire form, or for a bad one its domain. */
static const struct {
    const char *text;
    enum path_kind kind;
    const char *expected;
} cases[] = {
    {"<user@example.com>", PATH_ADDRESS, "user@example.com"},
    {"user@example.com", PATH_ADDRESS, "user@example.com"},
    {"<User@Example.COM>", PATH_ADDRESS, "User@example.com"},
    {"<user@example.com.>", PATH_ADDRESS, "user@example.com"},
    {"user@example.com.", PATH_ADDRESS, "user@example.com"},
    {"<@a.example:user@example.com>", PATH_ADDRESS, "user@example.com"},
    {"<@a.example,@b.example:user@example.com>", PATH_ADDRESS, "user@example.com"},
    {"@a.example:user@example.com.", PATH_ADDRESS, "user@example.com"},
    {"<\"a@b\"@example.com>", PATH_ADDRESS, "\"a@b\"@example.com"},
    {"<\"a\\\"@b\"@example.com>", PATH_ADDRESS, "\"a\\\"@b\"@example.com"},
    {"<\"a>b\"@example.com>", PATH_ADDRESS, "\"a>b\"@example.com"},
    {"<@r.example:\"x:y\"@example.com>", PATH_ADDRESS, "\"x:y\"@example.com"},
    {"<user@[192.0.2.1]>", PATH_ADDRESS, "user@[192.0.2.1]"},
    {"<user@[IPv6:2001:db8::1]>", PATH_ADDRESS, "user@[IPv6:2001:db8::1]"},
    {"<user@B\xc3\xbc"
     "cher.example>",
     PATH_ADDRESS, "user@xn--bcher-kva.example"},
    {"<user+tag@localhost>", PATH_ADDRESS, "user+tag@localhost"},

    {"<>", PATH_NULL, ""},
    {"", PATH_NULL, ""},
    {"<@a.example:>", PATH_NULL, ""},

    {"<user>", PATH_LOCAL, ""},
    {"user", PATH_LOCAL, ""},
    {"postmaster", PATH_LOCAL, ""},
    {"<user@>", PATH_LOCAL, ""},
    {"<\"a@b\">", PATH_LOCAL, ""},
    {"<@a.example:user>", PATH_LOCAL, ""},
    {"\\user", PATH_LOCAL, ""},

    {"<user name@Example.com>", PATH_BAD, "example.com"},
    {"<user@a@example.com>", PATH_BAD, "example.com"},
    {"<@example.com>", PATH_BAD, "example.com"},
    {"<.user@example.com>", PATH_BAD, "example.com"},
    {"<user..name@example.com.>", PATH_BAD, "example.com"},
    {"<user@exa mple.com>", PATH_BAD, "exa mple.com"},
    {"<user@.>", PATH_BAD, "."},
    {"<user@example.com..>", PATH_BAD, "example.com."},
    {"<user@example.com", PATH_BAD, "example.com"},
    {"<user@example.com> ", PATH_BAD, "example.com> "},
    {"<@a.example,user@example.com>", PATH_BAD, "example.com"},
    {"<\"user@example.com@example.org>", PATH_LOCAL, ""}, /* no quote's end: no @ outside */
};

START_TEST(test_path)
{
    const char *text = cases[_i].text, *why = NULL;
    char found[ADDRESS_TEXT_SIZE] = "";
    struct address a;
    enum path_kind kind;

    memset(&a, 0xa5, sizeof(a));
    kind = path_parse(text, strlen(text), &a, &why);
    ck_assert_msg(kind == cases[_i].kind, "%s: %d", text, (int)kind);
    if (kind == PATH_ADDRESS)
        address_format(&a, found);
    else if (kind == PATH_BAD)
        memcpy(found, a.domain, strlen(a.domain) + 1);
    ck_assert_str_eq(found, cases[_i].expected);
    ck_assert((kind == PATH_BAD) <= (why != NULL));
}
END_TEST

/* Of a domain that is too long the beginning. */
START_TEST(test_long)
{
    char text[2000];
    const char *why = NULL;
    struct address a;

    memset(text, 'A', sizeof(text));
    text[1] = '@';
    ck_assert_int_eq(path_parse(text, sizeof(text), &a, &why), PATH_BAD);
    ck_assert_uint_eq(strlen(a.domain), ADDRESS_DOMAIN_MAX);
    ck_assert_int_eq(a.domain[0], 'a');
    ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(test_inside)
{
    static const struct {
        const char *text, *inside;
    } pairs[] = {{"<a@b>", "a@b"}, {"a@b", "a@b"}, {"<>", ""},   {"", ""},
                 {"<", "<"},       {">", ">"},     {"<a", "<a"}, {"<<a>>", "<a>"}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const char *from = pairs[i].text;
        size_t len = path_inside(&from, strlen(from));

        ck_assert_uint_eq(len, strlen(pairs[i].inside));
        ck_assert_mem_eq(from, pairs[i].inside, len);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("path");
    TCase *t = tcase_create("path");

    tcase_add_loop_test(t, test_path, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(t, test_long);
    tcase_add_test(t, test_inside);
    suite_add_tcase(s, t);
    return suite_run(s);
}
