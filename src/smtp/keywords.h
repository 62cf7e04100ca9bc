/*
 * What EHLO tells (RFC 5321 section 4.1.1.1), as far as it matters here. Pure.
 *
 * Threads: any.
 */
#ifndef SMTP_KEYWORDS_H
#define SMTP_KEYWORDS_H

#include "smtp/limits.h"

#define KEYWORDS(X) \
    X(PIPELINING) \
    X(STARTTLS) \
    X(SMTPUTF8)

enum {
#define X(id) KEYWORD_INDEX_##id,
    KEYWORDS(X)
#undef X
};

/* A set of bits. */
enum {
#define X(id) KEYWORD_##id = 1 << KEYWORD_INDEX_##id,
    KEYWORDS(X)
#undef X
};

/* From one of the lines after the first: a keyword, then parameters. LIMITS (RFC 9422) goes to
   `limits`. */
void keywords_learn(unsigned *keywords, struct limits *limits, const char *line);

#endif
