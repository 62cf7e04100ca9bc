#include "milter_wire.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define CLIENT     "192.0.2.7"
#define TERMS_SIZE (WIRE_HEADER + 12) /* without macros */
#define REPLY_MAX  980                /* MAXREPLYLEN of libmilter */

/* What an MTA can say of a client that has logged in, and of a recipient that it will relay; NULL:
   the recipient's address. */
static const struct {
    const char *name, *value;
} symbols[] = {
    {"i", "4dK9Xb2YzTz1q7"},     {"{client_addr}", CLIENT},
    {"{auth_authen}", "sender"}, {"{mail_addr}", "sender@client.example"},
    {"{rcpt_addr}", NULL},       {"{rcpt_mailer}", "smtp"},
};

static void put(struct wire *w, const void *bytes, size_t len)
{
    if (len > sizeof(w->bytes) - w->len) {
        fprintf(stderr, "too much for one write\n");
        exit(EXIT_FAILURE);
    }
    memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void put_text(struct wire *w, const char *text)
{
    put(w, text, strlen(text) + 1);
}

static void put_number(struct wire *w, uint32_t number)
{
    number = htonl(number);
    put(w, &number, sizeof(number));
}

/* Where it begins, for end(). */
static size_t begin(struct wire *w, char letter)
{
    size_t at = w->len;

    put_number(w, 0);
    put(w, &letter, 1);
    return at;
}

static void end(struct wire *w, size_t at)
{
    uint32_t length = htonl((uint32_t)(w->len - at - sizeof(length)));

    memcpy(w->bytes + at, &length, sizeof(length));
}

static void put_symbol(struct wire *w, const char *name, size_t len, const char *address)
{
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
        if (strlen(symbols[i].name) == len && memcmp(symbols[i].name, name, len) == 0) {
            put_text(w, symbols[i].name);
            put_text(w, symbols[i].value != NULL ? symbols[i].value : address);
        }
}

/* Those of `names` that have a value. */
static void put_macros(struct wire *w, char command, const char *names, const char *address)
{
    size_t at = begin(w, SMFIC_MACRO), len;

    put(w, &command, 1);
    for (; *names != '\0'; names += len) {
        names += strspn(names, " ");
        len = strcspn(names, " ");
        put_symbol(w, names, len, address);
    }
    end(w, at);
}

void wire_negotiate(struct wire *w)
{
    size_t at = begin(w, SMFIC_OPTNEG);

    put_number(w, SMFI_PROT_VERSION);
    put_number(w, SMFI_CURR_ACTS);
    put_number(w, SMFI_CURR_PROT);
    end(w, at);
}

void wire_connect(struct wire *w, const struct wire_terms *t)
{
    char family = SMFIA_INET;
    uint16_t port = htons(40000);
    size_t at;

    put_macros(w, SMFIC_CONNECT, t->connect, "");
    at = begin(w, SMFIC_CONNECT);
    put_text(w, "client.example");
    put(w, &family, 1);
    put(w, &port, sizeof(port));
    put_text(w, CLIENT);
    end(w, at);
}

void wire_helo(struct wire *w)
{
    size_t at = begin(w, SMFIC_HELO);

    put_text(w, "client.example");
    end(w, at);
}

void wire_mail(struct wire *w, const struct wire_terms *t)
{
    size_t at;

    put_macros(w, SMFIC_MAIL, t->mail, "");
    at = begin(w, SMFIC_MAIL);
    put_text(w, "<sender@client.example>");
    put_text(w, "SIZE=2048");
    end(w, at);
}

void wire_rcpt(struct wire *w, const struct wire_terms *t, const char *recipient)
{
    size_t at;

    put_macros(w, SMFIC_RCPT, t->rcpt, recipient);
    at = begin(w, SMFIC_RCPT);
    put(w, "<", 1);
    put(w, recipient, strlen(recipient));
    put_text(w, ">");
    end(w, at);
}

void wire_abort(struct wire *w)
{
    end(w, begin(w, SMFIC_ABORT));
}

void wire_quit(struct wire *w)
{
    end(w, begin(w, SMFIC_QUIT));
}

static uint32_t number_at(const uint8_t *bytes)
{
    uint32_t number;

    memcpy(&number, bytes, sizeof(number));
    return ntohl(number);
}

size_t wire_packet_size(const uint8_t *bytes, size_t len)
{
    return len < sizeof(uint32_t) ? 0 : sizeof(uint32_t) + number_at(bytes);
}

/* list: *( stage (4 octets) names NUL ) */
static const char *read_macros(const uint8_t *at, const uint8_t *past, struct wire_terms *out)
{
    char *const lists[] = {
        [SMFIM_CONNECT] = out->connect, [SMFIM_ENVFROM] = out->mail, [SMFIM_ENVRCPT] = out->rcpt};
    uint32_t stage;
    const uint8_t *nul;

    for (; at < past; at = nul + 1) {
        if ((size_t)(past - at) <= sizeof(stage))
            return "a list of macros that is cut off";
        stage = number_at(at);
        at += sizeof(stage);
        nul = memchr(at, '\0', (size_t)(past - at));
        if (nul == NULL || stage > SMFIM_LAST)
            return "a list of macros without an end, or of no stage";
        if (stage < sizeof(lists) / sizeof(lists[0]) && lists[stage] != NULL &&
            !str_copy(lists[stage], sizeof(out->rcpt), (const char *)at))
            return "a list of macros that is too long";
    }
    return NULL;
}

const char *wire_read_terms(const uint8_t *packet, size_t size, struct wire_terms *out)
{
    uint32_t version, actions;

    memset(out, 0, sizeof(*out));
    if (size < TERMS_SIZE || packet[WIRE_HEADER - 1] != SMFIC_OPTNEG)
        return "no negotiation";
    version = number_at(packet + WIRE_HEADER);
    actions = number_at(packet + WIRE_HEADER + 4);
    out->steps = number_at(packet + WIRE_HEADER + 8);
    if (version < 2 || version > SMFI_PROT_VERSION)
        return "a version that was not offered";
    if ((actions & ~(uint32_t)SMFI_CURR_ACTS) != 0 || (out->steps & ~(uint32_t)SMFI_CURR_PROT) != 0)
        return "actions or steps that were not offered";
    return read_macros(packet + TERMS_SIZE, packet + size, out);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The replies that MTAs take: a code of 4 or 5, the enhanced code of the same class, a line of
   printable text in which each percent sign is doubled. */
static const char *check_text(const char *text, size_t len)
{
    if (len > REPLY_MAX || len < 10)
        return "a reply that is too long or too short";
    if ((text[0] != '4' && text[0] != '5') || !is_digit(text[1]) || !is_digit(text[2]) ||
        text[3] != ' ')
        return "a reply without its code";
    if (text[4] != text[0] || text[5] != '.' || !is_digit(text[6]))
        return "a reply without its enhanced code";
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return "a reply that is not one line of text";
        if (text[i] == '%' && text[++i] != '%')
            return "a reply with a single percent sign";
    }
    return NULL;
}

const char *wire_read_reply(const uint8_t *packet, size_t size)
{
    size_t len = size - WIRE_HEADER;
    const char *text = (const char *)packet + WIRE_HEADER;

    if (packet[WIRE_HEADER - 1] == SMFIR_CONTINUE)
        return len == 0 ? NULL : "to go on, with a payload";
    if (packet[WIRE_HEADER - 1] != SMFIR_REPLYCODE)
        return "no reply that belongs here";
    if (len == 0 || memchr(text, '\0', len) != text + len - 1)
        return "a reply that does not end in its NUL";
    return check_text(text, len - 1);
}
