/*
 * Entries into the store, from JSON lines as export writes them.
 *
 * Threads: any.
 */
#ifndef CACHE_IMPORT_H
#define CACHE_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

#define CACHE_LINE_MAX 16384 /* octets of a line */

struct cache_import_result {
    uint64_t taken;       /* committed */
    uint64_t expired;     /* by now: left out */
    uint64_t refused;     /* not taken: no entry */
    uint64_t failed;      /* the store could not keep them */
    struct error problem; /* of the first that was refused: "line 3: reason: …" */
};

/*
 * Called exactly once, from the store's writer thread or inside cache_import(), when all was
 * committed or failed. It must not call the store. What was there under the same key is replaced.
 */
typedef void (*cache_imported)(void *arg, const struct cache_import_result *result);

/* Each entry that was queued, before it is committed; from inside cache_import(). May be NULL. */
typedef void (*cache_took)(void *arg, enum store_table table, const void *key, size_t key_len);

/* The lines of `text`; empty ones are passed by (in CRLF files, too), the last may lack its '\n'.
   `first_line`: its number, for `problem`. False when out of memory: nothing was begun. */
bool cache_import(struct store *s, const char *text, size_t len, uint64_t first_line, int64_t now,
                  cache_took took, cache_imported done, void *arg);

#endif
