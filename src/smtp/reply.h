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
    char text[REPLY_TEXT_MAX]; /* the lines' text without codes, joined by one space; printable
                                  UTF-8 as it came, control characters replaced; cut if longer */
};

#endif
