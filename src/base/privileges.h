/*
 * Giving up root.
 *
 * Threads: call before any is started.
 */
#ifndef BASE_PRIVILEGES_H
#define BASE_PRIVILEGES_H

#include <stdbool.h>

#include "base/error.h"

/*
 * As root: becomes `user` with its groups, for good. Not as root: stays who it is. Afterwards no
 * execve() gains privileges either way.
 */
bool privileges_drop(const char *user, struct error *err);

/*
 * Makes the directory (mode 0750) where it is missing, and as root gives it to `user`. Its parent
 * must be there. One that exists is left as it is.
 */
bool privileges_make_dir(const char *path, const char *user, struct error *err);

#endif
