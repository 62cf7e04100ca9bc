/*
 * Brings a store of an older format to this one, in transactions of a bounded size. Killed on the
 * way it begins anew the next time: the number of the format is written last.
 *
 * Threads: the opener's.
 */
#ifndef STORE_MIGRATION_H
#define STORE_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/environment.h"

/* `from`: its format, below STORE_FORMAT. The tables are open. */
bool migration_run(struct environment *e, uint32_t from, struct error *err);

#endif
