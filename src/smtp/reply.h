/*
 * SMTP replies: an incremental, bounded parser (RFC 5321 section 4.2, RFC 3463, RFC 5248).
 * Pure: bytes in, a reply out; no I/O, no clock.
 *
 * Threads: a plain value owned by its user.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_LINE_MAX  4096 /* bytes of one line, CRLF included */
#define REPLY_LINES_MAX 128  /* lines of one reply */
#define REPLY_TEXT_MAX  1024 /* bytes of text kept, terminator included */

/* An enhanced status code (RFC 3463). cls 0: there was none. */
struct enhanced_code {
    uint8_t cls; /* 2, 4 or 5 */
    uint16_t subject;
    uint16_t detail; /* 0..999 */
};

/* A whole reply as read. */
struct smtp_reply {
    uint16_t code;                 /* 200..599; 0: none */
    struct enhanced_code enhanced; /* of the first line that carries one of the code's class */
    uint16_t lines;
    char text[REPLY_TEXT_MAX]; /* the lines' text without codes, joined by one space; UTF-8 as it
                                  came, control characters and invalid octets replaced by '?'; cut
                                  between characters if longer */
};

/* What a call of reply_parser_feed() came to. */
enum reply_event {
    REPLY_MORE, /* every byte used, no line is complete */
    REPLY_LINE, /* a line that is not the reply's last */
    REPLY_END,  /* the last line: `reply` is whole */
    REPLY_BAD,  /* not a reply: `error` says why */
};

/*
 * Zero-initialised, or by reply_parser_init(), to start. After REPLY_LINE, REPLY_END and REPLY_BAD
 * the fields below hold until the next feed, which after the latter two begins a new reply.
 */
struct reply_parser {
    struct smtp_reply reply; /* after REPLY_LINE: as far as it was read */
    const char *error;       /* after REPLY_BAD: a constant, short, lower-case reason */
    bool line_done;          /* `line` is complete; the next feed starts another */
    size_t line_len;
    char line[REPLY_LINE_MAX + 1]; /* the line with its code and without its end, made printable
                                      like `reply.text`; also of a line that was refused */
};

/* The same as zeroes, for less. */
void reply_parser_init(struct reply_parser *p);

/*
 * Reads at most one line, so that a caller sees each (EHLO keywords) and no byte behind it is
 * touched; *used, at least 1, says how many of the `len` (>= 1) bytes were taken.
 *
 * What is refused: see the grammar in reply.c; a line or a reply beyond the bounds above; a NUL
 * anywhere.
 */
enum reply_event reply_parser_feed(struct reply_parser *p, const char *data, size_t len,
                                   size_t *used);

/* The text of the line just read by REPLY_LINE or REPLY_END, code and separator skipped. */
const char *reply_parser_text(const struct reply_parser *p);

#endif
