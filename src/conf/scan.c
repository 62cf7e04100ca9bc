#include "conf/scan.h"

#include <string.h>

#include "base/str.h"

/* What does not fit is the token, or the end of the file after the token before. */
static enum scan_event refuse(struct scan *c, const struct token *t, const char *wanted)
{
    c->line = t->kind == TOKEN_END ? c->last_line : t->line;
    if (t->kind == TOKEN_BROKEN)
        (void)str_copy(c->message, sizeof(c->message), t->why);
    else if (t->kind == TOKEN_END)
        (void)str_format(c->message, sizeof(c->message), "end of file where %s should be", wanted);
    else
        (void)str_format(c->message, sizeof(c->message), "\"%.*s\" where %s should be",
                         t->len < 40 ? (int)t->len : 40, t->text, wanted);
    return SCAN_ERROR;
}

/* What does not fit is the name, which may be a value's second half, as in "wait = 6 s". */
static enum scan_event refuse_name(struct scan *c, const struct token *t, const char *wanted)
{
    if (t->kind == TOKEN_BROKEN)
        return refuse(c, t, wanted);
    c->line = c->name_line;
    (void)str_format(c->message, sizeof(c->message), "%s, but no %s after it", c->name, wanted);
    return SCAN_ERROR;
}

static enum scan_event refuse_section(struct scan *c)
{
    c->line = c->section_line;
    (void)str_format(c->message, sizeof(c->message), "section %.128s has no end (\"}\")",
                     c->section);
    return SCAN_ERROR;
}

static bool is_value(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_STRING;
}

static enum scan_event expect(struct scan *c, enum scan_expect next, enum scan_event event)
{
    c->expect = next;
    return event;
}

static enum scan_event take_statement(struct scan *c, const struct token *t)
{
    if (t->kind == TOKEN_WORD) {
        (void)str_copyn(c->name, sizeof(c->name), t->text, t->len);
        c->name_line = t->line;
        c->title[0] = '\0';
        return expect(c, EXPECT_AFTER_NAME, SCAN_NOTHING);
    }
    if (t->kind == TOKEN_CLOSE && c->section[0] != '\0') {
        c->section[0] = '\0';
        return SCAN_NOTHING;
    }
    if (t->kind == TOKEN_END)
        return c->section[0] == '\0' ? SCAN_NOTHING : refuse_section(c);
    return refuse(c, t, c->section[0] == '\0' ? "a key or section" : "a key or \"}\"");
}

/* As it means, not as it is written. */
static enum scan_event take_title(struct scan *c, const struct token *t)
{
    size_t len = 0, at = 0;
    int octet;

    while ((octet = token_octet(t, &at)) >= 0 && len + 1 < sizeof(c->title))
        c->title[len++] = (char)octet;
    c->title[len] = '\0';
    if (octet < 0)
        return expect(c, EXPECT_AFTER_TITLE, SCAN_NOTHING);
    c->line = t->line;
    (void)str_format(c->message, sizeof(c->message), "a title of %s that is longer than %d octets",
                     c->name, SCAN_TITLE_SIZE - 1);
    return SCAN_ERROR;
}

static enum scan_event open_section(struct scan *c)
{
    (void)str_format(c->section, sizeof(c->section), "%s%s%s", c->name,
                     c->title[0] != '\0' ? " " : "", c->title);
    c->section_line = c->name_line;
    return expect(c, EXPECT_STATEMENT, SCAN_SECTION);
}

static enum scan_event take_after_name(struct scan *c, const struct token *t)
{
    bool top = c->section[0] == '\0';

    if (t->kind == TOKEN_ASSIGN)
        return expect(c, EXPECT_VALUE, SCAN_KEY);
    if (t->kind == TOKEN_APPEND)
        return expect(c, EXPECT_VALUE, SCAN_APPEND);
    if (t->kind == TOKEN_OPEN && top)
        return open_section(c);
    if (t->kind == TOKEN_PAREN_OPEN && top && strcmp(c->name, "include") == 0)
        return expect(c, EXPECT_INCLUDE, SCAN_NOTHING);
    if (is_value(t) && top)
        return take_title(c, t);
    return refuse_name(c, t, top ? "\"=\" or \"{\"" : "\"=\"");
}

static enum scan_event take_value(struct scan *c, const struct token *t)
{
    bool list = c->expect == EXPECT_ITEM;

    if (is_value(t))
        return expect(c, list ? EXPECT_AFTER_ITEM : EXPECT_STATEMENT, SCAN_VALUE);
    if (t->kind == TOKEN_OPEN && !list)
        return expect(c, EXPECT_ITEM, SCAN_LIST);
    if (t->kind == TOKEN_CLOSE && list)
        return expect(c, EXPECT_STATEMENT, SCAN_NOTHING);
    return refuse(c, t, list ? "a value or \"}\"" : "a value");
}

static enum scan_event take_after_item(struct scan *c, const struct token *t)
{
    if (t->kind == TOKEN_COMMA)
        return expect(c, EXPECT_ITEM, SCAN_NOTHING);
    if (t->kind == TOKEN_CLOSE)
        return expect(c, EXPECT_STATEMENT, SCAN_NOTHING);
    return refuse(c, t, "\",\" or \"}\"");
}

static enum scan_event take_include(struct scan *c, const struct token *t)
{
    if (!is_value(t))
        return refuse(c, t, "a file name");
    c->file = *t;
    return expect(c, EXPECT_AFTER_INCLUDE, SCAN_NOTHING);
}

static enum scan_event take(struct scan *c, const struct token *t)
{
    switch (c->expect) {
    case EXPECT_STATEMENT:
        return take_statement(c, t);
    case EXPECT_AFTER_NAME:
        return take_after_name(c, t);
    case EXPECT_AFTER_TITLE:
        return t->kind == TOKEN_OPEN ? open_section(c) : refuse_name(c, t, "\"=\" or \"{\"");
    case EXPECT_VALUE:
    case EXPECT_ITEM:
        return take_value(c, t);
    case EXPECT_AFTER_ITEM:
        return take_after_item(c, t);
    case EXPECT_INCLUDE:
        return take_include(c, t);
    case EXPECT_AFTER_INCLUDE:
        if (t->kind == TOKEN_PAREN_CLOSE)
            return expect(c, EXPECT_STATEMENT, SCAN_INCLUDE);
        return refuse(c, t, "\")\"");
    }
    return SCAN_ERROR;
}

enum scan_event scan_token(struct scan *c, const struct token *t)
{
    enum scan_event event = take(c, t);

    c->last_line = t->line;
    return event;
}

bool scan_at_top(const struct scan *c)
{
    return c->expect == EXPECT_STATEMENT && c->section[0] == '\0';
}
