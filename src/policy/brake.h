/*
 * The brake: a client that brings too many invalid recipients gets no more callouts for a while.
 * Counted per SASL login, else per address (IPv4 /32, IPv6 /64), over a window that begins with the
 * client's first recipient.
 *
 * Threads: any; there is a lock inside. It remembers a bounded number of clients, and forgets the
 * one that was longest without a recipient to make room.
 */
#ifndef POLICY_BRAKE_H
#define POLICY_BRAKE_H

#include <stdbool.h>
#include <stdint.h>

struct mail_client; /* policy/class.h */

struct brake_opts {
    unsigned invalid;  /* this many invalid recipients; 0: there is no brake */
    unsigned share;    /* percent of all its recipients; both must be reached */
    int64_t window_ms; /* counted for so long, and braked for so long */
};

struct brake;

/* Remembers at most `max` clients. NULL when out of memory. */
struct brake *brake_new(unsigned max);
void brake_free(struct brake **b); /* sets *b to NULL */

/* Whether the client is braked at `now` (clock_mono_ms). Who is not known is never braked. */
bool brake_holds(struct brake *b, const struct brake_opts *opts, const struct mail_client *client,
                 int64_t now);

/* One more recipient of the client was decided about. True when this put the brake on. */
bool brake_count(struct brake *b, const struct brake_opts *opts, const struct mail_client *client,
                 bool invalid, int64_t now);

#endif
