/*
 * The words of the configuration's language: libConfuse's, made strict where that is surprising.
 *
 *   text    = *( space / comment / token )
 *   comment = ( "#" / "//" ) *char end-of-line  /  slash "*" *char "*" slash
 *   token   = "{" / "}" / "=" / "+=" / "(" / ")" / ","  /  string / word
 *   string  = DQUOTE *( char / "\" DQUOTE / "\\" ) DQUOTE  /  "'" *( char / "\" char ) "'"
 *   word    = 1*( anything else )
 *
 * A string ends on its line. In double quotes a backslash stands before a quote or a backslash and
 * nothing else; in single quotes it is an ordinary character, except before a single quote or
 * another backslash. "${" is refused, where libConfuse would put in an environment variable.
 *
 * Threads: none. Pure; tokens point into the text.
 */
#ifndef CONF_TOKEN_H
#define CONF_TOKEN_H

#include <stddef.h>

enum token_kind {
    TOKEN_WORD,
    TOKEN_STRING, /* text without its quotes, escapes as written */
    TOKEN_ASSIGN, /* "=" */
    TOKEN_APPEND, /* "+=" */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_PAREN_OPEN,
    TOKEN_PAREN_CLOSE,
    TOKEN_COMMA,
    TOKEN_END,
    TOKEN_BROKEN, /* no token: `why` */
};

struct token {
    enum token_kind kind;
    const char *text;
    size_t len;
    unsigned line;   /* where it begins */
    char quote;      /* of a string */
    const char *why; /* what is wrong with a broken token */
};

struct tokens {
    const char *text;
    size_t len, pos;
    unsigned line; /* from 1 */
};

/* After TOKEN_END and TOKEN_BROKEN nothing more is to be asked for. */
void token_next(struct tokens *in, struct token *t);

/*
 * The value of a word or string, octet by octet: -1 at its end. *at starts at 0.
 */
int token_octet(const struct token *t, size_t *at);

#endif
