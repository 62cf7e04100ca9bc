/*
 * The MTA's side of the milter protocol, as <libmilter/mfdef.h> has it: a packet is a length of 4
 * octets, a letter, and that letter's payload. Strings in it end in NUL.
 */
#ifndef MILTER_WIRE_H
#define MILTER_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER     5 /* length and letter */
#define WIRE_PACKET_MAX 2048

/* What is to be sent at once: Postfix buffers everything up to the command whose reply it needs. */
struct wire {
    uint8_t bytes[4 * WIRE_PACKET_MAX];
    size_t len;
};

/* What the filter answered: what it asks away, and which macros it wants. */
struct wire_terms {
    uint32_t steps;
    char connect[128], mail[128], rcpt[128];
};

/* These end the program where the packets do not fit. */
void wire_negotiate(struct wire *w);
void wire_connect(struct wire *w, const struct wire_terms *t);
void wire_helo(struct wire *w);
void wire_mail(struct wire *w, const struct wire_terms *t);
void wire_rcpt(struct wire *w, const struct wire_terms *t, const char *recipient);
void wire_abort(struct wire *w);
void wire_quit(struct wire *w);

/* Bytes of the packet that begins here, 0 as long as its length is not known. */
size_t wire_packet_size(const uint8_t *bytes, size_t len);

/* Of a whole packet: NULL, or what is wrong with it. */
const char *wire_read_terms(const uint8_t *packet, size_t size, struct wire_terms *out);

/* The same of a reply to CONNECT, HELO, MAIL or RCPT: to go on, or a refusal with its text. */
const char *wire_read_reply(const uint8_t *packet, size_t size);

#endif
