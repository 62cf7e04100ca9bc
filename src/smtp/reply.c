#include "smtp/reply.h"

#include <string.h>

/*
 * The grammar (RFC 5321 section 4.2, widened to what real servers send):
 *
 *   reply    = *( code "-" [ text ] eol ) code [ sep [ text ] ] eol
 *   code     = ( "2" / "3" / "4" / "5" ) 2DIGIT       ; the same on every line
 *   sep      = SP / HTAB
 *   eol      = *CR LF
 *   text     = [ enhanced ] 1*( any octet but NUL and LF )
 *   enhanced = class "." 1*3DIGIT "." 1*3DIGIT        ; class is the code's first digit; what
 *                                                     ; follows is no letter, digit or ".digit"
 *
 * A bare LF ends a line. A code that changes between lines is an error, because whichever of the
 * two was believed, the other could have been meant. So is 1yz: SMTP has no such replies.
 */

#define TEXT_OF(p) ((p)->line[3] == '\0' ? (p)->line + 3 : (p)->line + 4)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * Length of the printable UTF-8 character (RFC 3629) at `s`, 0 when there is none: controls,
 * overlong forms, surrogates, code points past U+10FFFF, sequences cut short.
 */
static size_t utf8_char(const unsigned char *s, size_t len)
{
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* 0x80..0x9f are controls */
    uint32_t point;
    size_t n;

    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f ? 1 : 0;
    n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
        return 0;
    point = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3fu);
    }
    if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return n;
}

/* In place: every octet that is no part of a printable character becomes '?', tab and CR a space.
 */
static void make_printable(char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_char((const unsigned char *)s + i, len - i);

        if (n == 0) {
            s[i] = s[i] == '\t' || s[i] == '\r' ? ' ' : '?';
            n = 1;
        }
        i += n;
    }
}

/* 1*3DIGIT; returns its length, 0 for none. */
static size_t parse_number(const char *s, uint16_t *out)
{
    unsigned value = 0;
    size_t n = 0;

    while (n < 3 && is_digit(s[n]))
        value = value * 10 + (unsigned)(s[n++] - '0');
    *out = (uint16_t)value;
    return n;
}

/* Length of the enhanced status code of class `cls` at `s`, 0 when there is none. */
static size_t parse_enhanced(const char *s, unsigned cls, struct enhanced_code *out)
{
    size_t n = 2, digits;

    if (cls == 3 || s[0] != (char)('0' + cls) || s[1] != '.')
        return 0;
    out->cls = (uint8_t)cls;
    digits = parse_number(s + n, &out->subject);
    n += digits;
    if (digits == 0 || s[n++] != '.')
        return 0;
    digits = parse_number(s + n, &out->detail);
    n += digits;
    if (digits == 0 || is_alnum(s[n]) || (s[n] == '.' && is_digit(s[n + 1])))
        return 0;
    return n;
}

static bool enhanced_equal(const struct enhanced_code *a, const struct enhanced_code *b)
{
    return a->cls == b->cls && a->subject == b->subject && a->detail == b->detail;
}

static void append_text(struct smtp_reply *r, const char *text)
{
    size_t have = strlen(r->text), n = strlen(text), room = REPLY_TEXT_MAX - 1 - have;

    while (n > 0 && text[n - 1] == ' ')
        n--;
    if (n == 0 || room < 4) /* less than a character's room: it was cut before */
        return;
    if (have > 0) {
        r->text[have++] = ' ';
        room--;
    }
    if (n > room)
        for (n = room; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    memcpy(r->text + have, text, n);
    r->text[have + n] = '\0';
}

/* Adds a line's text; the enhanced code is taken off it where it repeats the reply's. */
static void add_line(struct smtp_reply *r, const char *text)
{
    struct enhanced_code found;
    size_t n;

    while (*text == ' ')
        text++;
    n = parse_enhanced(text, r->code / 100, &found);
    if (n > 0 && r->enhanced.cls == 0)
        r->enhanced = found;
    if (n > 0 && enhanced_equal(&found, &r->enhanced))
        text += n;
    while (*text == ' ')
        text++;
    append_text(r, text);
}

/* The code of the line, 0 when it does not start with one. */
static uint16_t parse_code(const char *line)
{
    if (line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
        return 0;
    if (line[3] != '\0' && line[3] != ' ' && line[3] != '-')
        return 0;
    return (uint16_t)((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
}

static enum reply_event refuse(struct reply_parser *p, const char *why)
{
    p->error = why;
    p->line_done = true;
    return REPLY_BAD;
}

/* Cuts the line end off and makes the line printable; false when it holds a NUL. */
static bool trim_line(struct reply_parser *p)
{
    bool nul;

    while (p->line_len > 0 &&
           (p->line[p->line_len - 1] == '\n' || p->line[p->line_len - 1] == '\r'))
        p->line_len--;
    nul = memchr(p->line, '\0', p->line_len) != NULL;
    make_printable(p->line, p->line_len);
    p->line[p->line_len] = '\0';
    return !nul;
}

static enum reply_event read_line(struct reply_parser *p)
{
    uint16_t code;

    if (!trim_line(p))
        return refuse(p, "NUL in a reply");
    code = parse_code(p->line);
    if (code == 0)
        return refuse(p, "line without a reply code");
    if (p->reply.lines > 0 && code != p->reply.code)
        return refuse(p, "reply code changed between lines");
    if (p->reply.lines == REPLY_LINES_MAX)
        return refuse(p, "reply of more than 128 lines");
    p->reply.code = code;
    p->reply.lines++;
    add_line(&p->reply, TEXT_OF(p));
    p->line_done = true;
    return p->line[3] == '-' ? REPLY_LINE : REPLY_END;
}

static void clear_reply(struct smtp_reply *r)
{
    r->code = r->lines = 0;
    r->enhanced = (struct enhanced_code){0};
    r->text[0] = '\0';
}

void reply_parser_init(struct reply_parser *p)
{
    clear_reply(&p->reply);
    p->error = NULL;
    p->line_done = false;
    p->line_len = 0;
    p->line[0] = '\0';
}

/* Makes room for the next line, and for the next reply where the last one ended. */
static void start_line(struct reply_parser *p)
{
    if (p->error != NULL || p->line[3] != '-')
        clear_reply(&p->reply);
    p->error = NULL;
    p->line_done = false;
    p->line_len = 0;
}

enum reply_event reply_parser_feed(struct reply_parser *p, const char *data, size_t len,
                                   size_t *used)
{
    const char *lf = memchr(data, '\n', len);
    size_t n = lf == NULL ? len : (size_t)(lf - data) + 1;

    if (p->line_done)
        start_line(p);
    if (n > REPLY_LINE_MAX - p->line_len)
        n = REPLY_LINE_MAX - p->line_len;
    memcpy(p->line + p->line_len, data, n);
    p->line_len += n;
    *used = n;
    if (p->line[p->line_len - 1] == '\n')
        return read_line(p);
    if (p->line_len < REPLY_LINE_MAX)
        return REPLY_MORE;
    trim_line(p);
    return refuse(p, "line longer than 4096 bytes");
}

const char *reply_parser_text(const struct reply_parser *p)
{
    return TEXT_OF(p);
}
