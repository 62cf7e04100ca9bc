/*
 * The addresses this host answers at: a mail exchanger at one of them is ourselves.
 *
 * Threads: one at a time.
 */
#ifndef DNS_OWNADDR_H
#define DNS_OWNADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"

/* All zeroes to begin with. */
struct own_addresses {
    size_t count;
    struct netaddr *ips; /* of the interfaces that are up, without loopback ones; owned */
    int64_t read_at;     /* ms */
    bool known;
};

/* Reads them again unless they are younger than 5 s. On failure the old ones stay; it is logged. */
void own_addresses_refresh(struct own_addresses *own, int64_t now_ms);

/* Empties it; allowed twice. */
void own_addresses_free(struct own_addresses *own);

#endif
