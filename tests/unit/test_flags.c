/* policy/flags: what an address shows by itself. */
#include <check.h>
#include <string.h>

#include "policy/flags.h"
#include "suite.h"

#define ROLE (1U << FLAG_ROLE)
#define UTF8 (1U << FLAG_SMTPUTF8)

static const struct {
    const char *text;
    unsigned flags;
    bool contact;
} cases[] = {
    {"user@example.com", 0, false},
    {"info@example.com", ROLE, false},
    {"INFO+2026@example.com", ROLE, false},
    {"postmaster@example.com", ROLE, true},
    {"PostMaster+x@example.com", ROLE, true},
    {"abuse@example.com", ROLE, true},
    {"\"postmaster\"@example.com", ROLE, true},
    {"\"abuse+a b\"@example.com", 0, false},
    {"\"abuse@x\"@example.com", 0, false},
    {"list-request@example.com", ROLE, false},
    {"my-list@example.com", 0, false},
    {"postmasters@example.com", 0, false},
    {"+abuse@example.com", 0, false},
    {"info@b\xc3\xbc"
     "cher.example",
     ROLE, false}, /* the domain goes as A-labels */
    {"b\xc3\xbc"
     "cher@example.com",
     UTF8, false},
    {"info+\xc3\xbc@example.com", ROLE | UTF8, false},
};

START_TEST(test_flags)
{
    struct address a;
    const char *why;

    ck_assert(address_parse(cases[_i].text, strlen(cases[_i].text), &a, &why));
    ck_assert_uint_eq(address_flags(&a), cases[_i].flags);
    ck_assert_int_eq(address_is_contact(&a), cases[_i].contact);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(address_flag_name(FLAG_ROLE), "role");
    ck_assert_str_eq(address_flag_name(FLAG_SMTPUTF8), "smtputf8");
    ck_assert_str_eq(address_flag_name((enum address_flag)ADDRESS_FLAG_COUNT), "?");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("flags");
    TCase *t = tcase_create("flags");

    tcase_add_loop_test(t, test_flags, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(t, test_names);
    suite_add_tcase(s, t);
    return suite_run(s);
}
