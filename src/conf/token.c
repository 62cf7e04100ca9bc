#include "conf/token.h"

#include <stdbool.h>
#include <string.h>

/* 0 at the end of the text. */
static char peek(const struct tokens *in, size_t ahead)
{
    return in->pos + ahead < in->len ? in->text[in->pos + ahead] : '\0';
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

/* False where the comment has no end. */
static bool skip_block(struct tokens *in)
{
    struct tokens ahead = *in;

    ahead.pos += 2;
    while (ahead.pos < ahead.len && !(peek(&ahead, 0) == '*' && peek(&ahead, 1) == '/'))
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
    for (;;) {
        char c = peek(in, 0);

        if (c != '\0' && strchr(" \t\r\n\f\v", c) != NULL) {
            advance(in);
        } else if (c == '#' || (c == '/' && peek(in, 1) == '/')) {
            skip_line(in);
        } else if (c == '/' && peek(in, 1) == '*') {
            if (!skip_block(in))
                return;
        } else {
            return;
        }
    }
}

static void take_string(struct tokens *in, struct token *t)
{
    t->quote = peek(in, 0);
    advance(in);
    t->text = in->text + in->pos;
    while (in->pos < in->len && peek(in, 0) != t->quote) {
        if (peek(in, 0) == '\\' && in->pos + 1 < in->len)
            advance(in);
        advance(in);
    }
    t->len = (size_t)(in->text + in->pos - t->text);
    t->kind = in->pos < in->len ? TOKEN_STRING : TOKEN_BROKEN;
    if (in->pos < in->len)
        advance(in);
}

static bool ends_word(const struct tokens *in)
{
    return in->pos >= in->len || strchr(" \t\r\n\f\v#{}()=,\"'", peek(in, 0)) != NULL ||
           (peek(in, 0) == '+' && peek(in, 1) == '=');
}

static void take_mark(struct tokens *in, struct token *t, enum token_kind kind, size_t len)
{
    t->kind = kind;
    t->len = len;
    in->pos += len;
}

void token_next(struct tokens *in, struct token *t)
{
    skip_space(in);
    *t = (struct token){
        .kind = TOKEN_END, .text = in->text + in->pos, .start = in->pos, .line = in->line};
    if (in->pos >= in->len)
        return;
    switch (peek(in, 0)) {
    case '{':
        take_mark(in, t, TOKEN_OPEN, 1);
        return;
    case '}':
        take_mark(in, t, TOKEN_CLOSE, 1);
        return;
    case '=':
        take_mark(in, t, TOKEN_ASSIGN, 1);
        return;
    case '(':
    case ')':
    case ',':
        take_mark(in, t, TOKEN_OTHER, 1);
        return;
    case '"':
    case '\'':
        take_string(in, t);
        return;
    default:
        break;
    }
    if (peek(in, 0) == '+' && peek(in, 1) == '=') {
        take_mark(in, t, TOKEN_ASSIGN, 2);
        return;
    }
    if (peek(in, 0) == '/' && peek(in, 1) == '*') {
        take_mark(in, t, TOKEN_BROKEN, in->len - in->pos);
        return;
    }
    t->kind = TOKEN_WORD;
    while (!ends_word(in))
        advance(in);
    t->len = in->pos - t->start;
}

size_t token_bad_escape(const struct token *t)
{
    if (t->quote != '"')
        return t->len;
    for (size_t i = 0; i + 1 < t->len; i++) {
        if (t->text[i] != '\\')
            continue;
        if (strchr("\"\\ntbrfaev01234567x\n", t->text[i + 1]) == NULL)
            return i;
        i++;
    }
    return t->len;
}
