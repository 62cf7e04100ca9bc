/*
 * Giving up root.
 *
 * Threads: privileges_gain_none() before any is started; the rest in the main thread.
 */
#ifndef BASE_PRIVILEGES_H
#define BASE_PRIVILEGES_H

#include <stdbool.h>

#include "base/error.h"

/* From now on no execve() gains privileges. It holds for this thread and those it starts. */
bool privileges_gain_none(struct error *err);

/*
 * As root: becomes `user` with its groups, for good, every thread. Not as root, or where `user` is
 * root: stays who it is.
 */
bool privileges_drop(const char *user, struct error *err);

/*
 * Makes the directory (mode 0750) where it is missing, and as root gives it to `user`. Its parent
 * must be there. One that exists is left as it is.
 */
bool privileges_make_dir(const char *path, const char *user, struct error *err);

#endif
