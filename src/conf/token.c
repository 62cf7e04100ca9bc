#include "conf/token.h"

#include <stdbool.h>
#include <string.h>

static const char *const no_variables =
    "\"${\": the environment is not looked at; write the value, or single quotes for these letters";

/* 0 at the end of the text; a NUL octet in it ends any token too. */
static char peek(const struct tokens *in, size_t ahead)
{
    return in->pos + ahead < in->len ? in->text[in->pos + ahead] : '\0';
}

static bool next_is(const struct tokens *in, const char *two)
{
    return peek(in, 0) == two[0] && peek(in, 1) == two[1];
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void advance(struct tokens *in)
{
    if (in->text[in->pos] == '\n')
        in->line++;
    in->pos++;
}

static void skip_line(struct tokens *in)
{
    while (in->pos < in->len && peek(in, 0) != '\n')
        advance(in);
}

/* False, and nothing is skipped, where the comment has no end. */
static bool skip_block(struct tokens *in)
{
    struct tokens ahead = *in;

    ahead.pos += 2;
    while (ahead.pos < ahead.len && !next_is(&ahead, "*/"))
        advance(&ahead);
    if (ahead.pos >= ahead.len)
        return false;
    ahead.pos += 2;
    *in = ahead;
    return true;
}

/* Leaves a comment without an end where it is. */
static void skip_space(struct tokens *in)
{
    bool more = true;

    while (more) {
        if (is_one_of(peek(in, 0), " \t\r\n\f\v"))
            advance(in);
        else if (peek(in, 0) == '#' || next_is(in, "//"))
            skip_line(in);
        else
            more = next_is(in, "/*") && skip_block(in);
    }
}

/* What is wrong at this place in a string; NULL: nothing. */
static const char *fault(const struct tokens *in, char quote)
{
    if (quote != '"')
        return NULL;
    if (next_is(in, "${"))
        return no_variables;
    if (peek(in, 0) == '\\' && !is_one_of(peek(in, 1), "\"\\"))
        return "a backslash in double quotes: write the value in single quotes";
    return NULL;
}

static void take_string(struct tokens *in, struct token *t)
{
    t->quote = peek(in, 0);
    in->pos++;
    t->text = in->text + in->pos;
    while (peek(in, 0) != '\0' && peek(in, 0) != t->quote && peek(in, 0) != '\n') {
        if (t->why == NULL)
            t->why = fault(in, t->quote);
        in->pos += peek(in, 0) == '\\' && is_one_of(peek(in, 1), "\"'\\") ? 2 : 1;
    }
    t->len = (size_t)(in->text + in->pos - t->text);
    if (t->why == NULL && peek(in, 0) != t->quote)
        t->why = "a string without its closing quote";
    t->kind = t->why == NULL ? TOKEN_STRING : TOKEN_BROKEN;
    in->pos++;
}

static bool ends_word(const struct tokens *in)
{
    return peek(in, 0) == '\0' || is_one_of(peek(in, 0), " \t\r\n\f\v#{}()=,\"'") ||
           next_is(in, "+=") || next_is(in, "/*");
}

static void take_word(struct tokens *in, struct token *t)
{
    t->kind = TOKEN_WORD;
    while (!ends_word(in)) {
        if (next_is(in, "${")) {
            t->kind = TOKEN_BROKEN;
            t->why = no_variables;
            return;
        }
        advance(in);
    }
    t->len = (size_t)(in->text + in->pos - t->text);
}

static bool take_mark(struct tokens *in, struct token *t)
{
    static const struct {
        const char *mark;
        enum token_kind kind;
    } marks[] = {{"{", TOKEN_OPEN},       {"}", TOKEN_CLOSE},       {"=", TOKEN_ASSIGN},
                 {"(", TOKEN_PAREN_OPEN}, {")", TOKEN_PAREN_CLOSE}, {",", TOKEN_COMMA},
                 {"+=", TOKEN_APPEND}};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t len = strlen(marks[i].mark);

        if (in->len - in->pos >= len && memcmp(in->text + in->pos, marks[i].mark, len) == 0) {
            t->kind = marks[i].kind;
            t->len = len;
            in->pos += len;
            return true;
        }
    }
    return false;
}

void token_next(struct tokens *in, struct token *t)
{
    skip_space(in);
    *t = (struct token){.kind = TOKEN_END, .text = in->text + in->pos, .line = in->line};
    if (in->pos >= in->len || take_mark(in, t))
        return;
    if (peek(in, 0) == '"' || peek(in, 0) == '\'') {
        take_string(in, t);
    } else if (peek(in, 0) == '\0' || next_is(in, "/*")) {
        t->kind = TOKEN_BROKEN;
        t->why = peek(in, 0) == '\0' ? "a NUL octet" : "a comment without its end";
    } else {
        take_word(in, t);
    }
}

int token_octet(const struct token *t, size_t *at)
{
    const char *set = t->quote == '"' ? "\"\\" : "'\\";

    if (*at >= t->len)
        return -1;
    if (t->quote != '\0' && t->text[*at] == '\\' && *at + 1 < t->len &&
        is_one_of(t->text[*at + 1], set))
        ++*at;
    return (unsigned char)t->text[(*at)++];
}
