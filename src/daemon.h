/*
 * The daemon between its start and its end: wires the modules to a configuration, reloads it, and
 * stops in order.
 *
 * Threads: the main thread's, which runs the front loop.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>

#include "base/error.h"
#include "conf/config.h"

struct daemon;

/*
 * Opens the sockets, prepares state_dir, gives up root, opens the store, starts every thread. Takes
 * over *cfg, also on failure. `path` is where a reload reads from; borrowed. On failure false, with
 * err set and a sysexits code in *code.
 */
bool daemon_start(struct daemon **d, struct config **cfg, const char *path, struct error *err,
                  int *code);

/* Says that it is ready, and serves until SIGTERM or SIGINT. */
void daemon_run(struct daemon *d);

/* Ends every thread, commits, closes; undoes a half-done start. Sets *d to NULL. */
void daemon_free(struct daemon **d);

#endif
