/*
 * Finding the address that lets us connect: attempts in the order given, a new one 250 ms after the
 * last or at once when that failed; the first to connect wins, and the others are given up
 * (RFC 8305 section 5). It has no deadline; its owner has.
 *
 * Threads: the loop's only. Ownership: the owner closes it, but not from inside a callback, nor
 * after on_connected or on_failed, the last to be called, which frees it. No callback fires inside
 * dial_start().
 */
#ifndef SMTP_DIAL_H
#define SMTP_DIAL_H

#include <stddef.h>

#include "base/loop.h"
#include "smtp/outcome.h"

#define DIAL_HEAD_START_MS 250

struct session_target;

struct dial_handler {
    void (*on_attempt)(void *arg); /* one is about to begin */
    void (*on_address_failed)(void *arg, size_t index, enum smtp_failure how);
    /* It had its head start, and another was there first. */
    void (*on_address_late)(void *arg, size_t index);
    /* The descriptor is the owner's. */
    void (*on_connected)(void *arg, size_t index, const struct session_target *target, int fd);
    /* All failed: as the preferred one did, the first. `detail` as in struct outcome. */
    void (*on_failed)(void *arg, enum smtp_failure how, const char *detail);
    void *arg;
};

struct dial;

/* Borrows the targets, of which there is at least one. NULL when out of memory. */
struct dial *dial_start(struct loop *loop, const struct session_target *targets, size_t count,
                        const struct dial_handler *handler);

/* Those under way have had their time: they fail. */
void dial_time_is_up(struct dial *d);

/* Gives all attempts up, without a word. Sets *d to NULL; allowed on NULL. */
void dial_close(struct dial **d);

#endif
