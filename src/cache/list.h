/*
 * Entries of the store, page after page, as JSON lines: `cache list` and `cache export`. Memory
 * does not grow with the store.
 *
 * Threads: any; a list is one caller's at a time.
 */
#ifndef CACHE_LIST_H
#define CACHE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/entry.h"
#include "callout/destination.h"
#include "smtp/address.h"
#include "store/store.h"

/* What is to be listed, or forgotten. */
struct cache_filter {
    unsigned tables;                     /* set of 1 << enum store_table */
    char domain[ADDRESS_DOMAIN_MAX + 1]; /* in A-labels; "": any. Of `destination` only what is kept
                                            of this domain alone ("domain/NAME") */
    bool is_address;                     /* only what is known of `address`: its entries (with the
                                            usual sender and with the null sender), when it is asked
                                            again, and what is known of its domain */
    struct address address;              /* both its folded and its unfolded form */

    char destination[DESTINATION_NAME_SIZE]; /* "": any, else nothing but the one so called */
};

/* Where it is. Begin with cache_list_begin(). */
struct cache_list {
    struct cache_filter filter;
    unsigned table, step; /* list.c's */
    struct store_place place;
    bool ended;
};

void cache_list_begin(struct cache_list *l, const struct cache_filter *filter);

/* Called with a line that ends in '\n'. */
typedef void (*cache_line)(void *arg, const char *line, size_t len);

/*
 * The next entries, after looking at no more than `most` (1 … STORE_PAGE_MAX); l->ended when there
 * are no more. What is no well-formed record is left out, with a log line at most once a minute.
 * False when the store failed.
 */
bool cache_list_page(struct cache_list *l, struct store *s, int64_t now, unsigned most,
                     cache_line write, void *arg);

#endif
