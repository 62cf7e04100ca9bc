/*
 * The words of libConfuse's language, as far as it takes to know where keys and values stand:
 *
 *   text    = *( space / comment / token )
 *   comment = "#" … end of line  /  "//" … end of line  /  slash "*" … "*" slash
 *   token   = "{" / "}" / "=" / "+=" / "(" / ")" / ","  /  string / word
 *   string  = DQUOTE *( char / "\" char ) DQUOTE  /  "'" *( char / "\" char ) "'"
 *   word    = 1*( anything else )
 *
 * Threads: none. Pure; tokens point into the text.
 */
#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H

#include <stddef.h>

enum token_kind {
    TOKEN_WORD,
    TOKEN_STRING, /* text without its quotes, escapes as written */
    TOKEN_ASSIGN, /* "=" or "+=" */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OTHER, /* "(", ")", "," */
    TOKEN_END,
    TOKEN_BROKEN, /* a string or comment that has no end */
};

struct token {
    enum token_kind kind;
    const char *text;
    size_t len;
    size_t start;  /* offset of its first octet, a quote included */
    unsigned line; /* where it begins */
    char quote;    /* of a string */
};

struct tokens {
    const char *text;
    size_t len, pos;
    unsigned line; /* from 1 */
};

void token_next(struct tokens *in, struct token *t);

/* Offset of the first backslash that libConfuse would drop from a double-quoted string; len: none.
 */
size_t token_bad_escape(const struct token *t);

#endif
