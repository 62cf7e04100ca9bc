/*
 * Going to the background, with a parent that waits until the daemon is ready or has failed.
 *
 * Threads: call before any is started.
 */
#ifndef BASE_DAEMONIZE_H
#define BASE_DAEMONIZE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Forks; returns in the child, in a session of its own and in "/". The parent never returns: it
 * exits 0 after daemonize_ready(), else with the child's exit status. False, in the parent, when
 * that cannot be.
 */
bool daemonize(struct error *err);

/* Lets the parent go, and the terminal. Does nothing where daemonize() was not called. */
void daemonize_ready(void);

#endif
