/* smtp/reply: what is a reply, what is not, and that it does not matter how it arrives. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"
#include "suite.h"

struct good {
    const char *bytes;
    uint16_t code;
    uint16_t lines;
    uint8_t cls;
    uint16_t subject, detail;
    const char *text;
};

static const struct good goods[] = {
    {"250 ok\r\n", 250, 1, 0, 0, 0, "ok"},
    {"250 ok\n", 250, 1, 0, 0, 0, "ok"},
    {"250 ok\r\r\n", 250, 1, 0, 0, 0, "ok"},
    {"250\r\n", 250, 1, 0, 0, 0, ""},
    {"250\n", 250, 1, 0, 0, 0, ""},
    {"250\tok\r\n", 250, 1, 0, 0, 0, "ok"},
    {"250 \r\n", 250, 1, 0, 0, 0, ""},
    {"599 last\r\n", 599, 1, 0, 0, 0, "last"},
    {"200 first\r\n", 200, 1, 0, 0, 0, "first"},
    {"571 odd second digit\r\n", 571, 1, 0, 0, 0, "odd second digit"},
    {"220-mx\r\n220 ESMTP\r\n", 220, 2, 0, 0, 0, "mx ESMTP"},
    {"220-mx\n220-\n220\n", 220, 3, 0, 0, 0, "mx"},
    {"354 3.0.0 go\r\n", 354, 1, 0, 0, 0, "3.0.0 go"},
    /* enhanced codes */
    {"550 5.1.1 no such user\r\n", 550, 1, 5, 1, 1, "no such user"},
    {"550 5.1.1\r\n", 550, 1, 5, 1, 1, ""},
    {"450 4.2.0 later\r\n", 450, 1, 4, 2, 0, "later"},
    {"250 2.1.10 ok\r\n", 250, 1, 2, 1, 10, "ok"},
    {"550 5.999.999 edge\r\n", 550, 1, 5, 999, 999, "edge"},
    {"550 5.1.1: gone\r\n", 550, 1, 5, 1, 1, ": gone"},
    {"550  5.1.1  gone \r\n", 550, 1, 5, 1, 1, "gone"},
    {"550-5.1.1 The account\r\n550-5.1.1 you tried\r\n550 5.1.1 is gone\r\n", 550, 3, 5, 1, 1,
     "The account you tried is gone"},
    {"550-Sender rejected\r\n550 5.7.1 by policy\r\n", 550, 2, 5, 7, 1,
     "Sender rejected by policy"},
    {"550-5.1.1 one\r\n550 5.7.1 two\r\n", 550, 2, 5, 1, 1, "one 5.7.1 two"},
    {"450 5.1.1 class and code differ\r\n", 450, 1, 0, 0, 0, "5.1.1 class and code differ"},
    {"550-4.2.0 one\r\n550 5.1.1 two\r\n", 550, 2, 5, 1, 1, "4.2.0 one two"},
    {"450 4.1.1 host said: 550 5.1.1 gone\r\n", 450, 1, 4, 1, 1, "host said: 550 5.1.1 gone"},
    {"550 5.1.1.7 is a network\r\n", 550, 1, 0, 0, 0, "5.1.1.7 is a network"},
    {"550 5.1.1x\r\n", 550, 1, 0, 0, 0, "5.1.1x"},
    {"550 5.1.1000 x\r\n", 550, 1, 0, 0, 0, "5.1.1000 x"},
    {"550 5.1. x\r\n", 550, 1, 0, 0, 0, "5.1. x"},
    {"550 5..1 x\r\n", 550, 1, 0, 0, 0, "5..1 x"},
    {"550 5.1\r\n", 550, 1, 0, 0, 0, "5.1"},
    {"550 5.\r\n", 550, 1, 0, 0, 0, "5."},
    {"550 5\r\n", 550, 1, 0, 0, 0, "5"},
    {"550 5.1.1. Gone.\r\n", 550, 1, 5, 1, 1, ". Gone."},
    /* what else servers put into the text */
    {"250 a\tb\001c\x7f\r\n", 250, 1, 0, 0, 0, "a b?c?"},
    {"250 a\rb\r\n", 250, 1, 0, 0, 0, "a b"},
    {"250 gr\xc3\xbc\xc3\x9f\r\n", 250, 1, 0, 0, 0, "gr\xc3\xbc\xc3\x9f"},
    {"250 \xe2\x82\xac\xf0\x9f\x93\xa7\r\n", 250, 1, 0, 0, 0, "\xe2\x82\xac\xf0\x9f\x93\xa7"},
    {"250 gr\xfc\xdf\r\n", 250, 1, 0, 0, 0, "gr??"},
    {"250 \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xc2\x85 \xe2\x82\r\n", 250, 1, 0, 0, 0,
     "?? ??? ???? ?? ??"},
};

struct bad {
    const char *bytes;
    size_t len;
    const char *error;
};

#define BAD(bytes, error) \
    { \
        bytes, sizeof(bytes) - 1, error \
    }
static const struct bad bads[] = {
    BAD("\r\n", "line without a reply code"),
    BAD("hello\r\n", "line without a reply code"),
    BAD("25\r\n", "line without a reply code"),
    BAD("2\n", "line without a reply code"),
    BAD("25 x\r\n", "line without a reply code"),
    BAD("150 preliminary\r\n", "line without a reply code"),
    BAD("600 x\r\n", "line without a reply code"),
    BAD("099 x\r\n", "line without a reply code"),
    BAD("2500 x\r\n", "line without a reply code"),
    BAD("250ok\r\n", "line without a reply code"),
    BAD(" 250 ok\r\n", "line without a reply code"),
    BAD("HTTP/1.1 400 Bad Request\r\n", "line without a reply code"),
    BAD("250-one\r\n\r\n", "line without a reply code"),
    BAD("250-one\r\n251 two\r\n", "reply code changed between lines"),
    BAD("250-one\r\n550-two\r\n", "reply code changed between lines"),
    BAD("250 a\0b\r\n", "NUL in a reply"),
    BAD("\0\r\n", "NUL in a reply"),
    BAD("250-ok\r\n250\0\r\n", "NUL in a reply"),
};

/* Feeds in pieces cut at `a` and `b`, up to the end of a reply; the bytes used are counted. */
static enum reply_event feed(struct reply_parser *p, const char *bytes, size_t len, size_t a,
                             size_t b, size_t *total)
{
    const size_t ends[] = {a, b, len};
    enum reply_event event = REPLY_MORE;

    *total = 0;
    for (size_t i = 0; i < 3; i++) {
        while (*total < ends[i]) {
            size_t used;

            event = reply_parser_feed(p, bytes + *total, ends[i] - *total, &used);
            ck_assert_uint_ge(used, 1);
            ck_assert_uint_le(used, ends[i] - *total);
            *total += used;
            if (event == REPLY_END || event == REPLY_BAD)
                return event;
        }
    }
    return event;
}

static void check_good(const struct good *g, const struct smtp_reply *r)
{
    ck_assert_uint_eq(r->code, g->code);
    ck_assert_uint_eq(r->lines, g->lines);
    ck_assert_uint_eq(r->enhanced.cls, g->cls);
    ck_assert_uint_eq(r->enhanced.subject, g->cls != 0 ? g->subject : r->enhanced.subject);
    ck_assert_uint_eq(r->enhanced.detail, g->cls != 0 ? g->detail : r->enhanced.detail);
    ck_assert_str_eq(r->text, g->text);
}

START_TEST(test_good_at_every_split)
{
    const struct good *g = &goods[_i];
    static struct reply_parser p;
    size_t len = strlen(g->bytes), total;

    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            /* The same parser again: a reply leaves nothing behind for the next. */
            ck_assert_int_eq(feed(&p, g->bytes, len, a, b, &total), REPLY_END);
            ck_assert_uint_eq(total, len);
            check_good(g, &p.reply);
        }
    }
}
END_TEST

START_TEST(test_bad_at_every_split)
{
    const struct bad *b = &bads[_i];
    static struct reply_parser p;
    size_t total;

    for (size_t a = 0; a <= b->len; a++) {
        ck_assert_int_eq(feed(&p, b->bytes, b->len, a, a, &total), REPLY_BAD);
        ck_assert_uint_eq(total, b->len);
        ck_assert_str_eq(p.error, b->error);
        ck_assert_int_eq(feed(&p, "250 ok\r\n", 8, 8, 8, &total), REPLY_END);
        ck_assert_uint_eq(p.reply.code, 250);
        ck_assert_uint_eq(p.reply.lines, 1);
        ck_assert_str_eq(p.reply.text, "ok");
    }
}
END_TEST

START_TEST(test_nothing_behind_is_touched)
{
    static const char bytes[] = "250-a\r\n250 b\r\n550 5.1.1 c\r\n22";
    struct reply_parser p = {0};
    size_t total = 0, used;

    ck_assert_int_eq(reply_parser_feed(&p, bytes, sizeof(bytes) - 1, &used), REPLY_LINE);
    ck_assert_uint_eq(used, 7);
    ck_assert_str_eq(p.line, "250-a");
    ck_assert_str_eq(reply_parser_text(&p), "a");
    total += used;
    ck_assert_int_eq(reply_parser_feed(&p, bytes + total, sizeof(bytes) - 1 - total, &used),
                     REPLY_END);
    ck_assert_str_eq(reply_parser_text(&p), "b");
    ck_assert_str_eq(p.reply.text, "a b");
    total += used;
    ck_assert_int_eq(reply_parser_feed(&p, bytes + total, sizeof(bytes) - 1 - total, &used),
                     REPLY_END);
    ck_assert_uint_eq(p.reply.code, 550);
    ck_assert_str_eq(reply_parser_text(&p), "5.1.1 c");
    total += used;
    ck_assert_int_eq(reply_parser_feed(&p, bytes + total, sizeof(bytes) - 1 - total, &used),
                     REPLY_MORE);
    ck_assert_uint_eq(used, 2);
}
END_TEST

/* "250 xxx...\r\n", `len` bytes in all. */
static char *long_line(size_t len)
{
    char *line = malloc(len);

    ck_assert_ptr_nonnull(line);
    memset(line, 'x', len);
    memcpy(line, "250 ", 4);
    memcpy(line + len - 2, "\r\n", 2);
    return line;
}

START_TEST(test_longest_line)
{
    static struct reply_parser p;
    char *line = long_line(REPLY_LINE_MAX);
    size_t total;

    for (size_t a = 0; a <= REPLY_LINE_MAX; a += 63) {
        ck_assert_int_eq(feed(&p, line, REPLY_LINE_MAX, a, a, &total), REPLY_END);
        ck_assert_uint_eq(strlen(p.line), REPLY_LINE_MAX - 2);
        ck_assert_uint_eq(strlen(p.reply.text), REPLY_TEXT_MAX - 1);
    }
    free(line);
}
END_TEST

START_TEST(test_line_too_long)
{
    static struct reply_parser p;
    char *line = long_line(REPLY_LINE_MAX + 1);
    size_t total;

    for (size_t a = 0; a <= REPLY_LINE_MAX; a += 63) {
        ck_assert_int_eq(feed(&p, line, REPLY_LINE_MAX + 1, a, a, &total), REPLY_BAD);
        ck_assert_uint_eq(total, REPLY_LINE_MAX);
        ck_assert_str_eq(p.error, "line longer than 4096 bytes");
    }
    free(line);
}
END_TEST

START_TEST(test_number_of_lines)
{
    static struct reply_parser p;
    size_t used;

    for (unsigned i = 1; i < REPLY_LINES_MAX; i++)
        ck_assert_int_eq(reply_parser_feed(&p, "250-x\r\n", 7, &used), REPLY_LINE);
    ck_assert_int_eq(reply_parser_feed(&p, "250 y\r\n", 7, &used), REPLY_END);
    ck_assert_uint_eq(p.reply.lines, REPLY_LINES_MAX);
    for (unsigned i = 0; i < REPLY_LINES_MAX; i++)
        ck_assert_int_eq(reply_parser_feed(&p, "250-x\r\n", 7, &used), REPLY_LINE);
    ck_assert_int_eq(reply_parser_feed(&p, "250 y\r\n", 7, &used), REPLY_BAD);
    ck_assert_str_eq(p.error, "reply of more than 128 lines");
}
END_TEST

/* However the text's end falls on a character, it is cut before it, and nothing is put behind. */
START_TEST(test_text_cut_between_characters)
{
    static struct reply_parser p;
    char line[REPLY_TEXT_MAX + 16];
    size_t total, n, kept;

    n = (size_t)snprintf(line, sizeof(line), "250-%*s", _i, "");
    memset(line + 4, 'x', (size_t)_i);
    while (n < REPLY_TEXT_MAX + 8) {
        memcpy(line + n, "\xe2\x82\xac", 3);
        n += 3;
    }
    memcpy(line + n, "\r\n", 2);
    ck_assert_int_eq(feed(&p, line, n + 2, 0, 0, &total), REPLY_LINE);
    ck_assert_int_eq(feed(&p, "250 tail\r\n", 10, 0, 0, &total), REPLY_END);
    kept = strlen(p.reply.text);
    ck_assert_uint_ge(kept, REPLY_TEXT_MAX - 3);
    ck_assert_uint_eq((kept - (size_t)_i) % 3, 0);
    ck_assert_mem_eq(p.reply.text, line + 4, kept);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tc = tcase_create("reply");

    tcase_add_loop_test(tc, test_good_at_every_split, 0, sizeof(goods) / sizeof(goods[0]));
    tcase_add_loop_test(tc, test_bad_at_every_split, 0, sizeof(bads) / sizeof(bads[0]));
    tcase_add_test(tc, test_nothing_behind_is_touched);
    tcase_add_test(tc, test_longest_line);
    tcase_add_test(tc, test_line_too_long);
    tcase_add_test(tc, test_number_of_lines);
    tcase_add_loop_test(tc, test_text_cut_between_characters, 0, 3);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
