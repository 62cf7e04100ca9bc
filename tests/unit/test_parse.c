/* ctl/parse: lines in, lines out. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/line.h"
#include "ctl/parse.h"
#include "suite.h"

/* Runs over `len` octets; the output is the caller's to free. */
static char *run(const char *input, size_t len)
{
    FILE *in = fmemopen((void *)(uintptr_t)input, len, "r"), *out;
    char *text = NULL;
    size_t size = 0;

    out = open_memstream(&text, &size);
    ck_assert(in != NULL && out != NULL);
    ck_assert_int_eq(ctl_parse(in, out), 0);
    fclose(in);
    fclose(out);
    return text;
}

static const struct {
    const char *input, *output;
} cases[] = {
    {"Alice@Example.com\n", "valid\talice@example.com\n"},
    {"Alice@Example.com", "valid\talice@example.com\n"},
    {"\n", "invalid\tempty\n"},
    {"a@example.com\n\nb\n", "valid\ta@example.com\ninvalid\tempty\ninvalid\tno @\n"},
    {"a@example.com\r\n", "invalid\tcarriage return at the end of the line\n"},
    {"\"a b\"@example.com\n", "valid\t\"a b\"@example.com\n"},
    {" a@example.com\n", "invalid\tcharacter in local part\n"},
};

START_TEST(test_lines)
{
    char *out = run(cases[_i].input, strlen(cases[_i].input));

    ck_assert_str_eq(out, cases[_i].output);
    free(out);
}
END_TEST

START_TEST(test_nul)
{
    static const char input[] = "a\0b@example.com\nc@example.com\n";
    char *out = run(input, sizeof(input) - 1);

    ck_assert_str_eq(out, "invalid\tcharacter in local part\nvalid\tc@example.com\n");
    free(out);
}
END_TEST

START_TEST(test_long_lines_are_skipped_whole)
{
    static char input[3 * CTL_LINE_MAX];
    static const char last[] = "\nc@example.com\n";
    size_t sizes[] = {CTL_LINE_MAX, CTL_LINE_MAX + 1, 2 * CTL_LINE_MAX + 7};

    for (size_t i = 0; i < 3; i++) {
        char *out;

        memset(input, 'x', sizes[i]);
        memcpy(input + sizes[i], last, sizeof(last) - 1);
        out = run(input, sizes[i] + sizeof(last) - 1);
        ck_assert_str_eq(out, i == 0 ? "invalid\tno @\nvalid\tc@example.com\n"
                                     : "invalid\tline longer than 4096 octets\n"
                                       "valid\tc@example.com\n");
        free(out);
    }
}
END_TEST

START_TEST(test_a_full_disk_is_told)
{
    char input[] = "a@example.com\n";
    FILE *in = fmemopen(input, strlen(input), "r"), *out = fopen("/dev/full", "w");

    ck_assert(in != NULL && out != NULL);
    ck_assert_int_eq(ctl_parse(in, out), EX_IOERR);
    fclose(in);
    fclose(out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("parse");
    TCase *t = tcase_create("parse");

    tcase_add_loop_test(t, test_lines, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(t, test_nul);
    tcase_add_test(t, test_long_lines_are_skipped_whole);
    tcase_add_test(t, test_a_full_disk_is_told);
    suite_add_tcase(s, t);
    return suite_run(s);
}
