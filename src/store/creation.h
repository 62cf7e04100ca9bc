/*
 * A new data file comes into being whole: it is made under another name, synced, and renamed. A
 * loss of power on the way leaves no file, and never one that LMDB calls damaged.
 *
 * Threads: the opener's, who holds the store's lock.
 */
#ifndef STORE_CREATION_H
#define STORE_CREATION_H

#include <stdbool.h>

#include "base/error.h"

/* Makes the data file at `path` where there is none, or an empty one. */
bool creation_ensure(const char *path, struct error *err);

#endif
