/*
 * An entry of every table as a line of JSON, and entries to and from such lines.
 *
 * Threads: the test's.
 */
#ifndef TESTS_UNIT_ENTRY_RIG_H
#define TESTS_UNIT_ENTRY_RIG_H

#include <stdbool.h>

#include "base/error.h"
#include "cache/entry.h"

/* With all members that there are, by table. */
extern const char *const entry_lines[STORE_TABLE_COUNT];

/* The caller frees it. */
char *entry_dump(const struct entry *entry);

bool entry_load(const char *text, struct entry *out, struct error *err);

#endif
