/*
 * Forgetting by hand: an address, a domain with all that is known of it, or how it stands with a
 * destination.
 *
 * Threads: any.
 */
#ifndef CACHE_FORGET_H
#define CACHE_FORGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/list.h"
#include "smtp/address.h"
#include "store/store.h"

/*
 * `forgotten`: how many records are gone. Called exactly once, from the store's writer thread, with
 * all of them gone, or not (false: the store failed, some may be), or, where it takes no more
 * half-way, from inside the call. It must not call the store.
 */
typedef void (*cache_forgotten)(void *arg, bool ok, uint64_t forgotten);

/* An address: its entries in both forms and with both senders, and its re-probe. False when nothing
   was begun: the store takes no more, or out of memory. */
bool cache_forget_address(struct store *s, const struct address *a, cache_forgotten done,
                          void *arg);

/* A domain (A-labels): its addresses, its facts, its re-probes, and "domain/NAME". */
bool cache_forget_domain(struct store *s, const char *domain, cache_forgotten done, void *arg);

/* A destination by its name (callout/destination): that it refuses us, its pauses, its greylisting.
   What is known of the addresses there stays. */
bool cache_forget_destination(struct store *s, const char *name, cache_forgotten done, void *arg);

/* Which of them `what` means, which means one; whatever its tables. */
bool cache_forget(struct store *s, const struct cache_filter *what, cache_forgotten done,
                  void *arg);

#endif
