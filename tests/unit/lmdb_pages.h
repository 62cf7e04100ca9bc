/* Whether a data file of LMDB is sound: its format read without LMDB, which trusts what it reads.
 */
#ifndef LMDB_PAGES_H
#define LMDB_PAGES_H

#include <stddef.h>
#include <stdint.h>

/* Every page up to the last belongs to one tree or to the list of free pages, and to no other;
   every page that a tree needs is in the file, and is that page. NULL, or what is wrong. Any bytes
   do. */
const char *lmdb_pages_check(const uint8_t *file, size_t len);

#endif
