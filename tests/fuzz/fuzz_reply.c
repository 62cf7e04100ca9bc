/*
 * smtp/reply: any bytes, in one piece and in pieces of the sizes that the input's first byte asks
 * for. Both ways have to find the same lines and replies.
 */
#include <string.h>

#include "smtp/reply.h"
#include "fuzz.h"

static void check_printable(const char *s)
{
    for (; *s != '\0'; s++)
        REQUIRE((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void check_reply(const struct reply_parser *p, enum reply_event event)
{
    const struct smtp_reply *r = &p->reply;
    size_t text = strnlen(r->text, sizeof(r->text));

    REQUIRE(strnlen(p->line, sizeof(p->line)) <= REPLY_LINE_MAX);
    check_printable(p->line);
    if (event == REPLY_BAD) {
        REQUIRE(p->error != NULL);
        return;
    }
    REQUIRE(r->code >= 200 && r->code <= 599 && r->lines >= 1 && r->lines <= REPLY_LINES_MAX);
    REQUIRE(text < sizeof(r->text));
    REQUIRE(text == 0 || (r->text[0] != ' ' && r->text[text - 1] != ' ') || text > 1000);
    check_printable(r->text);
    check_printable(reply_parser_text(p));
    REQUIRE(r->enhanced.cls == 0 || r->enhanced.cls == r->code / 100);
    REQUIRE(r->enhanced.subject <= 999 && r->enhanced.detail <= 999);
}

/* Reads up to the next event with at most `piece` bytes a call; advances *at. */
static enum reply_event next(struct reply_parser *p, const char *data, size_t len, size_t piece,
                             size_t *at)
{
    enum reply_event event = REPLY_MORE;

    while (*at < len && event == REPLY_MORE) {
        size_t n = len - *at < piece ? len - *at : piece, used;

        event = reply_parser_feed(p, data + *at, n, &used);
        REQUIRE(used >= 1 && used <= n);
        REQUIRE(event != REPLY_MORE || used == n);
        *at += used;
    }
    return event;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply_parser whole, pieces;
    const char *bytes = (const char *)data + 1;
    size_t at = 0, at_pieces = 0, piece;

    if (size < 2)
        return 0;
    piece = (size_t)data[0] % 17 + 1;
    size--;
    memset(&whole, 0, sizeof(whole));
    memset(&pieces, 0, sizeof(pieces));
    while (at < size) {
        enum reply_event event = next(&whole, bytes, size, size, &at);

        REQUIRE(next(&pieces, bytes, size, piece, &at_pieces) == event);
        REQUIRE(at == at_pieces);
        if (event == REPLY_MORE)
            break;
        check_reply(&whole, event);
        REQUIRE(strcmp(whole.line, pieces.line) == 0);
        REQUIRE(event == REPLY_BAD ||
                memcmp(&whole.reply, &pieces.reply, sizeof(whole.reply)) == 0);
    }
    return 0;
}
