/* policy/exempt: patterns, what they match, what is no pattern and where it stands. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/exempt.h"
#include "suite.h"

static struct exempt *parse(enum exempt_kind kind, const char *text)
{
    struct error err = {""};
    unsigned line;
    struct exempt *e = exempt_parse(kind, text, strlen(text), &line, &err);

    ck_assert_msg(e != NULL, "%u: %s", line, err.text);
    return e;
}

static bool has(const struct exempt *e, const char *text)
{
    struct address a;
    const char *why;

    ck_assert_msg(address_parse(text, strlen(text), &a, &why), "%s: %s", text, why);
    return exempt_has_address(e, &a);
}

START_TEST(test_addresses)
{
    struct exempt *e = parse(EXEMPT_ADDRESSES, "User@Example.com\n"
                                               "@whole.example\r\n"
                                               ".below.example\n"
                                               "\"a b\"@quoted.example\n"
                                               "@b\xc3\xbc"
                                               "cher.example");

    ck_assert(has(e, "user@example.com"));
    ck_assert(has(e, "\"USER\"@EXAMPLE.COM"));
    ck_assert(!has(e, "user2@example.com"));
    ck_assert(!has(e, "user@sub.example.com"));
    ck_assert(has(e, "any@whole.example"));
    ck_assert(!has(e, "any@sub.whole.example"));
    ck_assert(!has(e, "any@below.example"));
    ck_assert(has(e, "any@a.below.example"));
    ck_assert(has(e, "any@a.b.below.example"));
    ck_assert(!has(e, "any@xbelow.example"));
    ck_assert(has(e, "\"a b\"@quoted.example"));
    ck_assert(has(e, "x@xn--bcher-kva.example"));
    ck_assert(!exempt_has_address(e, NULL));
    exempt_free(&e);
    ck_assert_ptr_null(e);
}
END_TEST

START_TEST(test_null_sender)
{
    struct exempt *e = parse(EXEMPT_ADDRESSES, "<>\n");

    ck_assert(exempt_has_address(e, NULL));
    ck_assert(!has(e, "user@example.com"));
    exempt_free(&e);
}
END_TEST

START_TEST(test_comments_and_space)
{
    struct exempt *e = parse(EXEMPT_ADDRESSES, "# all of it\n\n \t\n  a@example.com \t# why\n"
                                               "\"b#1\"@example.com # the \"second\"\n"
                                               "c@example.com#\n\"d\\\"#\"@example.com\n");

    ck_assert(has(e, "a@example.com"));
    ck_assert(has(e, "\"b#1\"@example.com"));
    ck_assert(has(e, "c@example.com"));
    ck_assert(has(e, "\"d\\\"#\"@example.com"));
    exempt_free(&e);
}
END_TEST

START_TEST(test_clients)
{
    struct exempt *e =
        parse(EXEMPT_CLIENTS, "192.0.2.0/24 # office\n2001:db8::/32\n198.51.100.7\n198.51.100.7\n");

    ck_assert(exempt_has_client(e, "192.0.2.255"));
    ck_assert(!exempt_has_client(e, "192.0.3.0"));
    ck_assert(exempt_has_client(e, "2001:db8:ffff::1"));
    ck_assert(!exempt_has_client(e, "2001:db9::1"));
    ck_assert(exempt_has_client(e, "198.51.100.7"));
    ck_assert(!exempt_has_client(e, "198.51.100.8"));
    ck_assert(!exempt_has_client(e, "unknown"));
    ck_assert(!exempt_has_client(e, ""));
    ck_assert(!exempt_has_client(e, NULL));
    exempt_free(&e);
}
END_TEST

START_TEST(test_empty)
{
    struct exempt *e = parse(EXEMPT_ADDRESSES, "");

    ck_assert(!has(e, "a@example.com"));
    ck_assert(!exempt_has_client(e, "192.0.2.1"));
    exempt_free(&e);
    exempt_free(&e);
    ck_assert(!has(NULL, "a@example.com"));
    ck_assert(!exempt_has_address(NULL, NULL));
    ck_assert(!exempt_has_client(NULL, "192.0.2.1"));
}
END_TEST

/* The first line is good. */
static const struct {
    enum exempt_kind kind;
    const char *text;
    size_t len;
    unsigned line;
    const char *says;
} bad[] = {
#define TEXT(t) (t), sizeof(t) - 1
    {EXEMPT_ADDRESSES, TEXT("a@b.example\nuser\n"), 2, "\"user\" is no address, \"@domain\" or"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n\n#\nuser@"), 4, "\"user@\" is no address"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n@\n"), 2, "\"@\" is no domain"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n.\n"), 2, "\".\" is no domain"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n@*.example\n"), 2, "\"@*.example\" is no domain"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n@a@b.example\n"), 2, "is no domain"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n<a@b.example>\n"), 2, "is no address"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\na@b.example c@b.example\n"), 2, "is no address"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n\"a@b.example # x\n"), 2, "is no address"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n192.0.2.1\n"), 2, "is no address"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\na@b.example\0"), 2, "with a NUL octet"},
    {EXEMPT_ADDRESSES, TEXT("a@b.example\n\0a@b.example\n"), 2, "with a NUL octet"},
    {EXEMPT_CLIENTS, TEXT("::1\n192.0.2.1/24\n"), 2, "\"192.0.2.1/24\" is no address and no"},
    {EXEMPT_CLIENTS, TEXT("::1\n<>\n"), 2, "\"<>\" is no address and no network"},
    {EXEMPT_CLIENTS, TEXT("::1\nmail.example.com\n"), 2, "is no address and no network"},
#undef TEXT
};

START_TEST(test_bad)
{
    struct error err = {""};
    unsigned line;

    ck_assert_ptr_null(exempt_parse(bad[_i].kind, bad[_i].text, bad[_i].len, &line, &err));
    ck_assert_uint_eq(line, bad[_i].line);
    ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%s: %s", bad[_i].text, err.text);
}
END_TEST

START_TEST(test_too_long)
{
    char text[1000];
    struct error err = {""};
    unsigned line;

    memset(text, 'a', sizeof(text));
    ck_assert_ptr_null(exempt_parse(EXEMPT_ADDRESSES, text, sizeof(text), &line, &err));
    ck_assert_uint_eq(line, 1);
    ck_assert_ptr_nonnull(strstr(err.text, "too long"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exempt");
    TCase *t = tcase_create("exempt");

    tcase_add_test(t, test_addresses);
    tcase_add_test(t, test_null_sender);
    tcase_add_test(t, test_comments_and_space);
    tcase_add_test(t, test_clients);
    tcase_add_test(t, test_empty);
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, test_too_long);
    suite_add_tcase(s, t);
    return suite_run(s);
}
