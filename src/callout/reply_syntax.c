#include "callout/reply_syntax.h"

#include <string.h>

/* SMTP_STAGES has them in the order of the dialogue. */
#define STAGE_COUNT ((unsigned)SMTP_STAGE_QUIT + 1)

bool reply_stage_parse(const char *name, size_t len, enum smtp_stage *out)
{
    for (unsigned i = 0; i < STAGE_COUNT; i++) {
        const char *known = smtp_stage_name((enum smtp_stage)i);

        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            *out = (enum smtp_stage)i;
            return true;
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool reply_code_parse(const char *text, struct reply_code_range *out, struct error *err)
{
    if (text[0] >= '2' && text[0] <= '5' && strcmp(text + 1, "yz") == 0) {
        out->low = (uint16_t)((text[0] - '0') * 100);
        out->high = (uint16_t)(out->low + 99);
        return true;
    }
    if (text[0] >= '2' && text[0] <= '5' && is_digit(text[1]) && is_digit(text[2]) &&
        text[3] == '\0') {
        out->low = (uint16_t)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
        out->high = out->low;
        return true;
    }
    error_set(err, "is no code: 200 to 599, or 2yz, 3yz, 4yz, 5yz");
    return false;
}

/* 1*3DIGIT or "*"; advances *text. */
static bool parse_part(const char **text, uint16_t *out)
{
    unsigned value = 0;
    size_t n = 0;

    if (**text == '*') {
        *out = REPLY_ENHANCED_ANY;
        ++*text;
        return true;
    }
    for (; n < 3 && is_digit((*text)[n]); n++)
        value = value * 10 + (unsigned)((*text)[n] - '0');
    *text += n;
    *out = (uint16_t)value;
    return n > 0;
}

static bool parse_class(const char **text, uint16_t *out)
{
    char c = **text;

    if (c != '2' && c != '4' && c != '5' && c != 'x')
        return false;
    *out = c == 'x' ? REPLY_ENHANCED_ANY : (uint16_t)(c - '0');
    ++*text;
    return true;
}

bool reply_enhanced_parse(const char *text, struct reply_enhanced *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    if (strcmp(text, "none") == 0)
        return true;
    if (parse_class(&text, &out->cls) && *text++ == '.' && parse_part(&text, &out->subject) &&
        *text++ == '.' && parse_part(&text, &out->detail) && *text == '\0')
        return true;
    error_set(err, "is no enhanced code: 5.1.1, x.1.1 (any class), 5.7.* or none");
    return false;
}

bool reply_line_parse(const char *text, size_t len, struct smtp_reply *out, struct error *err)
{
    struct reply_parser p = {0};
    enum reply_event event = REPLY_MORE;
    size_t used;

    if (memchr(text, '\n', len) != NULL) {
        error_set(err, "more than one line");
        return false;
    }
    if (len > 0)
        event = reply_parser_feed(&p, text, len, &used);
    if (event == REPLY_MORE)
        event = reply_parser_feed(&p, "\n", 1, &used);
    if (event == REPLY_BAD) {
        error_set(err, "%s", p.error);
        return false;
    }
    *out = p.reply;
    return true;
}

/* Where the example names none. */
static enum smtp_stage default_stage(unsigned stages)
{
    unsigned i = 0;

    if (stages == 0 || (stages & 1u << SMTP_STAGE_RCPT) != 0)
        return SMTP_STAGE_RCPT;
    while (i + 1 < STAGE_COUNT && (stages & 1u << i) == 0)
        i++;
    return (enum smtp_stage)i;
}

bool reply_example_parse(const char *text, unsigned stages, enum smtp_stage *stage,
                         struct smtp_reply *out, struct error *err)
{
    size_t prefix = strspn(text, "abcdefghijklmnopqrstuvwxyz");
    struct error why;

    *stage = default_stage(stages);
    if (prefix > 0 && text[prefix] == ':') {
        if (!reply_stage_parse(text, prefix, stage)) {
            error_set(err, "is of no stage that there is: '%.*s'", (int)prefix, text);
            return false;
        }
        if (stages != 0 && (stages & 1u << *stage) == 0) {
            error_set(err, "is of stage %s, which its rule has not", smtp_stage_name(*stage));
            return false;
        }
        text += prefix + 1;
        text += strspn(text, " ");
    }
    if (reply_line_parse(text, strlen(text), out, &why))
        return true;
    error_set(err, "is no reply: %s", why.text);
    return false;
}
