/* base/rfc3339: times as text and back, and every text that is none. */
#include <check.h>
#include <stdlib.h>

#include "base/rfc3339.h"
#include "suite.h"

#define LAST INT64_C(253402300799)

static const struct {
    int64_t at;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00Z"},
    {951782400, "2000-02-29T00:00:00Z"},
    {1772366400, "2026-03-01T12:00:00Z"},
    {INT64_C(2147483648), "2038-01-19T03:14:08Z"},
    {INT64_C(4107542399), "2100-02-28T23:59:59Z"},
    {LAST, "9999-12-31T23:59:59Z"},
};

START_TEST(test_both_ways)
{
    char text[RFC3339_SIZE];
    int64_t at = -1;

    ck_assert_str_eq(rfc3339_format(times[_i].at, text), times[_i].text);
    ck_assert(rfc3339_parse(text, &at));
    ck_assert_int_eq(at, times[_i].at);
    ck_assert(rfc3339_parse_ms(text, &at));
    ck_assert_int_eq(at, times[_i].at * 1000);
}
END_TEST

START_TEST(test_milliseconds)
{
    char text[RFC3339_SIZE];
    int64_t at = 7;

    ck_assert_str_eq(rfc3339_format_ms(INT64_C(1772366400007), text), "2026-03-01T12:00:00.007Z");
    ck_assert(rfc3339_parse_ms(text, &at));
    ck_assert_int_eq(at, INT64_C(1772366400007));
    ck_assert(!rfc3339_parse(text, &at));
    ck_assert_int_eq(at, INT64_C(1772366400007));
    ck_assert_str_eq(rfc3339_format_ms(LAST * 1000 + 999, text), "9999-12-31T23:59:59.999Z");
    ck_assert(rfc3339_parse_ms(text, &at));
    ck_assert_int_eq(at, LAST * 1000 + 999);
}
END_TEST

START_TEST(test_other_years)
{
    char text[RFC3339_SIZE];

    ck_assert_str_eq(rfc3339_format(-1, text), "");
    ck_assert_str_eq(rfc3339_format(LAST + 1, text), "");
    ck_assert_str_eq(rfc3339_format(INT64_MIN, text), "");
    ck_assert_str_eq(rfc3339_format(INT64_MAX, text), "");
    ck_assert_str_eq(rfc3339_format_ms(-1, text), "");
    ck_assert_str_eq(rfc3339_format_ms((LAST + 1) * 1000, text), "");
    ck_assert_str_eq(rfc3339_format_ms(INT64_MAX, text), "");
}
END_TEST

static const char *const bad[] = {
    "",
    "2026",
    "2026-03-01",
    "2026-03-01T12:00:00",
    "2026-03-01T12:00:00z",
    "2026-03-01t12:00:00Z",
    "2026-03-01 12:00:00Z",
    "2026-03-01T12:00:00+00:00",
    "2026-03-01T12:00:00ZZ",
    "2026-03-01T12:00Z",
    " 2026-03-01T12:00:00Z",
    "2026-3-01T12:00:00Z",
    "02026-03-01T12:00:00Z",
    "2026-00-01T12:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-03-00T12:00:00Z",
    "2026-03-32T12:00:00Z",
    "2026-02-29T12:00:00Z",
    "2100-02-29T12:00:00Z",
    "2026-04-31T12:00:00Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T12:60:00Z",
    "2026-03-01T12:00:60Z",
    "2026-12-31T23:59:60Z",
    "1969-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "-026-03-01T12:00:00Z",
    "2026-03-01T12:00:00.Z",
    "2026-03-01T12:00:00.0Z",
    "2026-03-01T12:00:00.00Z",
    "2026-03-01T12:00:00.0000Z",
    "2026-03-01T12:00:00,000Z",
    "2026-03-01T12:00:00.000",
};

START_TEST(test_bad)
{
    int64_t at = 42;

    ck_assert(!rfc3339_parse(bad[_i], &at));
    ck_assert(!rfc3339_parse_ms(bad[_i], &at));
    ck_assert_int_eq(at, 42);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rfc3339");
    TCase *t = tcase_create("rfc3339");

    tcase_add_loop_test(t, test_both_ways, 0, (int)(sizeof(times) / sizeof(times[0])));
    tcase_add_test(t, test_milliseconds);
    tcase_add_test(t, test_other_years);
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    suite_add_tcase(s, t);
    return suite_run(s);
}
