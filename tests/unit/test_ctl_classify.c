/* ctl/classify: options, replies in, readings out. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl/classify.h"
#include "ctl/line.h"
#include "rules_rig.h"
#include "suite.h"

static struct reply_rules *rules;

static void setup(void)
{
    static const struct rig_rule some[] = {
        {"google-full", RIG_RCPT, "552", NULL, "google", NULL, REASON_MAILBOX_FULL},
        {"unknown", RIG_RCPT, "5yz", "5.1.1", NULL, NULL, REASON_NO_MAILBOX},
        {"closed", 1u << SMTP_STAGE_GREETING, "5yz", NULL, NULL, NULL, REASON_BLOCKED},
    };

    rules = rig_rules(some, sizeof(some) / sizeof(some[0]));
}

static void teardown(void)
{
    reply_rules_unref(&rules);
}

/* Runs over `len` octets; the output is the caller's to free. */
static char *run(const struct ctl_classify_how *how, const char *input, size_t len, int expected)
{
    FILE *in = fmemopen((void *)(uintptr_t)input, len, "r"), *out;
    char *text = NULL;
    size_t size = 0;

    out = open_memstream(&text, &size);
    ck_assert(in != NULL && out != NULL);
    ck_assert_int_eq(ctl_classify(rules, how, in, out), expected);
    fclose(in);
    fclose(out);
    return text;
}

static const struct {
    struct ctl_classify_how how;
    const char *input, *output;
    int exit;
} cases[] = {
    {{SMTP_STAGE_RCPT, ""}, "550 5.1.1 no\n", "invalid\tno_mailbox\tunknown\n", 0},
    {{SMTP_STAGE_RCPT, ""}, "550-5.1.1 no\r\n", "invalid\tno_mailbox\tunknown\n", 0},
    {{SMTP_STAGE_RCPT, ""}, "550 5.1.1 no", "invalid\tno_mailbox\tunknown\n", 0},
    {{SMTP_STAGE_RCPT, ""},
     "550 no\n450\n",
     "unknown\tcannot_verify\t-\ndeferred\tserver_error\t-\n",
     0},
    {{SMTP_STAGE_GREETING, ""}, "550 5.1.1 no\n", "unknown\tblocked\tclosed\n", 0},
    {{SMTP_STAGE_MAIL, ""}, "550 5.1.1 no\n", "unknown\tblocked\t-\n", 0},
    {{SMTP_STAGE_RCPT, "google"}, "552 x\n", "valid\tmailbox_full\tgoogle-full\n", 0},
    {{SMTP_STAGE_RCPT, ""}, "552 x\n", "unknown\tcannot_verify\t-\n", 0},
    {{SMTP_STAGE_RCPT, ""},
     "no\n\n550 5.1.1 no\n",
     "-\t-\tline without a reply code\n-\t-\tline without a reply code\n"
     "invalid\tno_mailbox\tunknown\n",
     EX_DATAERR},
};

START_TEST(test_lines)
{
    char *out = run(&cases[_i].how, cases[_i].input, strlen(cases[_i].input), cases[_i].exit);

    ck_assert_str_eq(out, cases[_i].output);
    free(out);
}
END_TEST

START_TEST(test_nul)
{
    static const char input[] = "550 5.1.1 \0\n550 5.1.1 no\n";
    static const struct ctl_classify_how how = {SMTP_STAGE_RCPT, ""};
    char *out = run(&how, input, sizeof(input) - 1, EX_DATAERR);

    ck_assert_str_eq(out, "-\t-\tNUL in a reply\ninvalid\tno_mailbox\tunknown\n");
    free(out);
}
END_TEST

START_TEST(test_long_lines_are_skipped_whole)
{
    static char input[3 * CTL_LINE_MAX];
    static const struct ctl_classify_how how = {SMTP_STAGE_RCPT, ""};
    static const char last[] = "\n550 5.1.1 no\n";
    size_t sizes[] = {CTL_LINE_MAX - 1, CTL_LINE_MAX, CTL_LINE_MAX + 1, 2 * CTL_LINE_MAX + 7};

    for (size_t i = 0; i < 4; i++) {
        char *out;

        memset(input, 'x', sizes[i]);
        memcpy(input, "550 ", 4);
        memcpy(input + sizes[i], last, sizeof(last) - 1);
        out = run(&how, input, sizes[i] + sizeof(last) - 1, i == 0 ? 0 : EX_DATAERR);
        ck_assert_str_eq(out, i == 0 ? "unknown\tcannot_verify\t-\ninvalid\tno_mailbox\tunknown\n"
                                     : "-\t-\tline longer than 4096 bytes\n"
                                       "invalid\tno_mailbox\tunknown\n");
        free(out);
    }
}
END_TEST

START_TEST(test_a_full_disk_is_told)
{
    char input[] = "550 5.1.1 no\n";
    static const struct ctl_classify_how how = {SMTP_STAGE_RCPT, ""};
    FILE *in = fmemopen(input, strlen(input), "r"), *out = fopen("/dev/full", "w");

    ck_assert(in != NULL && out != NULL);
    ck_assert_int_eq(ctl_classify(rules, &how, in, out), EX_IOERR);
    fclose(in);
    fclose(out);
}
END_TEST

static const struct {
    const char *argv[6];
    bool ok;
    enum smtp_stage stage;
    const char *provider;
} options[] = {
    {{"classify"}, true, SMTP_STAGE_RCPT, ""},
    {{"classify", "-"}, true, SMTP_STAGE_RCPT, ""},
    {{"classify", "--stage", "mail", "-"}, true, SMTP_STAGE_MAIL, ""},
    {{"classify", "-", "--stage=ehlo"}, true, SMTP_STAGE_EHLO, ""},
    {{"classify", "--stage", "connect"}, true, SMTP_STAGE_GREETING, ""},
    {{"classify", "--stage", "greeting"}, true, SMTP_STAGE_GREETING, ""},
    {{"classify", "--provider", "google"}, true, SMTP_STAGE_RCPT, "google"},
    {{"classify", "--stage", "data"}, false, SMTP_STAGE_RCPT, ""},
    {{"classify", "--stage", ""}, false, SMTP_STAGE_RCPT, ""},
    {{"classify", "--stage"}, false, SMTP_STAGE_RCPT, ""},
    {{"classify", "--provider", ""}, false, SMTP_STAGE_RCPT, ""},
    {{"classify", "--provider", "a-name-that-is-longer-than-any-is"}, false, SMTP_STAGE_RCPT, ""},
    {{"classify", "--json"}, false, SMTP_STAGE_RCPT, ""},
    {{"classify", "FILE"}, false, SMTP_STAGE_RCPT, ""},
    {{"classify", "-", "-"}, false, SMTP_STAGE_RCPT, ""},
};

START_TEST(test_options)
{
    struct ctl_classify_how how;
    char *argv[6] = {NULL};
    int argc = 0;

    for (; options[_i].argv[argc] != NULL; argc++)
        ck_assert_ptr_nonnull(argv[argc] = strdup(options[_i].argv[argc]));
    ck_assert(ctl_classify_options(argc, argv, &how) == options[_i].ok);
    if (options[_i].ok) {
        ck_assert_int_eq(how.stage, options[_i].stage);
        ck_assert_str_eq(how.provider, options[_i].provider);
    }
    for (int i = 0; i < argc; i++)
        free(argv[i]);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
    Suite *s = suite_create("ctl_classify");
    TCase *t = tcase_create("ctl_classify");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_lines, 0, COUNT(cases));
    tcase_add_test(t, test_nul);
    tcase_add_test(t, test_long_lines_are_skipped_whole);
    tcase_add_test(t, test_a_full_disk_is_told);
    tcase_add_loop_test(t, test_options, 0, COUNT(options));
    suite_add_tcase(s, t);
    return suite_run(s);
}
