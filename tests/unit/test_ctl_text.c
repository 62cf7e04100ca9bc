/* ctl/text and what ctl/cache prints: JSON as people read it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/cache.h"
#include "ctl/text.h"
#include "suite.h"

static json_t *object(const char *text)
{
    json_t *o = json_loads(text, 0, NULL);

    ck_assert(json_is_object(o));
    return o;
}

static const struct {
    const char *reply, *text;
} replies[] = {
    {"{\"stage\":\"rcpt\",\"code\":550,\"enhanced\":\"5.1.1\",\"text\":\"No\"}",
     "rcpt: 550 5.1.1 No"},
    {"{\"stage\":\"rcpt\",\"code\":450,\"text\":\"No\"}", "rcpt: 450 No"},
    {"{\"code\":550,\"enhanced\":\"5.1.1\",\"text\":\"No\"}", "550 5.1.1 No"},
    {"{\"stage\":\"greeting\",\"failure\":\"timeout\"}", "greeting: timeout"},
    {"{\"stage\":\"tls\",\"failure\":\"tls\",\"text\":\"bad key\"}", "tls: tls bad key"},
    {"{\"stage\":\"connect\",\"text\":\"NXDOMAIN\"}", "dns: NXDOMAIN"},
    {"{\"stage\":\"connect\",\"failure\":\"refused\",\"text\":\"no\"}", "connect: refused no"},
    {"{\"text\":\"No\"}", " No"},
    {"{}", ""},
};

START_TEST(test_reply)
{
    json_t *o = object(replies[_i].reply);
    char buf[64];

    ctl_text_reply(o, buf, sizeof(buf));
    ck_assert_str_eq(buf, replies[_i].text);
    json_decref(o);
}
END_TEST

START_TEST(test_no_reply)
{
    char buf[64] = "x";

    ctl_text_reply(NULL, buf, sizeof(buf));
    ck_assert_str_eq(buf, "");
}
END_TEST

START_TEST(test_width)
{
    ck_assert_int_eq(ctl_text_width("j\303\274rgen"), 6);
    ck_assert_uint_eq(ctl_text_cut("j\303\274rgen", 2), 3);
    ck_assert_uint_eq(ctl_text_cut("j\303\274rgen", 1), 1);
    ck_assert_uint_eq(ctl_text_cut("bob", 10), 3);
    ck_assert_uint_eq(ctl_text_cut("bob", 0), 0);
}
END_TEST

START_TEST(test_lines)
{
    ck_assert_uint_eq(ctl_text_line("our own", 7), 7);
    ck_assert_uint_eq(ctl_text_line("our own network", 7), 7);
    ck_assert_uint_eq(ctl_text_line("our own network", 8), 7);
    ck_assert_uint_eq(ctl_text_line("our own network", 6), 3);
    ck_assert_uint_eq(ctl_text_line("network", 3), 3);
    ck_assert_uint_eq(ctl_text_line("j\303\274rgen", 2), 3);
    ck_assert_uint_eq(ctl_text_line("", 3), 0);
}
END_TEST

static const struct {
    int64_t seconds;
    const char *text;
} spans[] = {
    {-5, "0 s"},
    {0, "0 s"},
    {59, "59 s"},
    {60, "1 min"},
    {119, "1 min 59 s"},
    {3600, "1 h"},
    {7199, "1 h 59 min"},
    {86399, "23 h 59 min"},
    {86400, "1 d"},
    {244800, "2 d 20 h"},
    {INT64_C(31536059), "365 d"},
};

START_TEST(test_span)
{
    char buf[CTL_TEXT_SPAN_SIZE];

    ck_assert_str_eq(ctl_text_span(spans[_i].seconds, buf), spans[_i].text);
}
END_TEST

START_TEST(test_bytes)
{
    char buf[CTL_TEXT_BYTES_SIZE];

    ck_assert_str_eq(ctl_text_bytes(0, buf), "0 B");
    ck_assert_str_eq(ctl_text_bytes(1023, buf), "1023 B");
    ck_assert_str_eq(ctl_text_bytes(1536, buf), "1.5 KiB");
    ck_assert_str_eq(ctl_text_bytes(INT64_C(4) << 30, buf), "4.0 GiB");
    ck_assert_str_eq(ctl_text_bytes(INT64_C(5) << 50, buf), "5120.0 TiB");
}
END_TEST

START_TEST(test_when)
{
    char buf[CTL_TEXT_SPAN_SIZE];

    ck_assert_str_eq(ctl_text_when("1970-01-01T01:00:00Z", 0, buf), " (in 1 h)");
    ck_assert_str_eq(ctl_text_when("1970-01-01T00:00:10.500Z", 100, buf), " (1 min 30 s ago)");
    ck_assert_str_eq(ctl_text_when("yesterday", 0, buf), "");
    ck_assert_str_eq(ctl_text_when("", 0, buf), "");
}
END_TEST

typedef bool (*print_line)(FILE *out, const char *line, size_t len);

/* What is printed; the caller's to free. */
static char *printed(print_line print, const char *line, bool expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert(out != NULL);
    ck_assert_int_eq(print(out, line, strlen(line)), expected);
    fclose(out);
    return text;
}

static const struct {
    const char *line, *block;
} blocks[] = {
    {"{\"table\":\"address\",\"address\":\"bob@example.org\",\"null_sender\":true,\"reply\":"
     "{\"stage\":\"rcpt\",\"code\":550,\"text\":\"No\",\"rule\":\"missing\"},\"mx\":\"mx1\"}\n",
     "table: address\naddress: bob@example.org\nnull_sender: yes\nreply: rcpt: 550 No\n"
     "rule: missing\nmx: mx1\n"},
    {"{\"table\":\"address\",\"status\":\"invalid\",\"reply\":{\"stage\":\"connect\",\"text\":"
     "\"NXDOMAIN\"}}\n",
     "table: address\nstatus: invalid\ndns: NXDOMAIN\n"},
    {"{\"table\":\"destination\",\"level\":3,\"breaker\":{\"state\":\"open\",\"level\":1}}\n",
     "table: destination\nlevel: 3\nbreaker.state: open\nbreaker.level: 1\n"},
};

START_TEST(test_block)
{
    char *text = printed(ctl_cache_print_block, blocks[_i].line, true);

    ck_assert_str_eq(text, blocks[_i].block);
    free(text);
}
END_TEST

/* Blanks between columns are as many as it takes. */
static void squeeze(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++)
        if (*from != ' ' || from[1] != ' ')
            *to++ = *from;
    *to = '\0';
}

static const struct {
    const char *line, *row;
} rows[] = {
    {"{\"table\":\"address\",\"address\":\"bob@example.org\",\"status\":\"invalid\",\"reason\":"
     "\"no_mailbox\",\"source\":\"probe\",\"probed_at\":\"T1\",\"refresh_at\":\"T2\",\"mx\":\"m\","
     "\"reply\":{\"stage\":\"rcpt\",\"code\":550,\"text\":\"No\"}}\n",
     "address bob@example.org invalid no_mailbox probe T1 T2 m rcpt: 550 No\n"},
    {"{\"table\":\"domain\",\"domain\":\"example.org\",\"catch_all\":\"selective\",\"learned_at\":"
     "\"T1\",\"refresh_at\":\"T2\",\"reply\":{\"code\":550,\"text\":\"No\"}}\n",
     "domain example.org - selective - T1 T2 - 550 No\n"},
    {"{\"table\":\"destination\",\"destination\":\"mx/example.org\",\"breaker\":{\"state\":"
     "\"open\",\"opened_at\":\"T1\",\"open_until\":\"T2\",\"stage\":\"mail\",\"code\":550}}\n",
     "destination mx/example.org - open - T1 T2 - mail: 550 \n"},
    {"{\"table\":\"due\",\"address\":\"bob@example.org\",\"source\":\"192.0.2.1\",\"first_at\":"
     "\"T1\",\"due\":\"T2\"}\n",
     "due bob@example.org - - - T1 T2 - -\n"},
};

START_TEST(test_row)
{
    char *text = printed(ctl_cache_print_row, rows[_i].line, true);

    squeeze(text);
    ck_assert_str_eq(text, rows[_i].row);
    free(text);
}
END_TEST

START_TEST(test_no_json)
{
    free(printed(ctl_cache_print_block, "{\"table\":", false));
    free(printed(ctl_cache_print_row, "[]", false));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ctl_text");
    TCase *tc = tcase_create("text");

    tcase_add_loop_test(tc, test_reply, 0, sizeof(replies) / sizeof(replies[0]));
    tcase_add_test(tc, test_no_reply);
    tcase_add_test(tc, test_width);
    tcase_add_test(tc, test_lines);
    tcase_add_loop_test(tc, test_span, 0, sizeof(spans) / sizeof(spans[0]));
    tcase_add_test(tc, test_bytes);
    tcase_add_test(tc, test_when);
    tcase_add_loop_test(tc, test_block, 0, sizeof(blocks) / sizeof(blocks[0]));
    tcase_add_loop_test(tc, test_row, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(tc, test_no_json);
    suite_add_tcase(s, tc);
    return suite_run(s);
}
