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

/* What the command line says; it outlives the daemon, and every reload obeys it. */
struct daemon_opts {
    const char *config; /* path */
    bool foreground;    /* log to stderr, whatever the configuration says */
    bool verbose;       /* log debug lines, too */
};

/* Reads the configuration; NULL when it is bad. Problems and warnings go to `report`. */
struct config *daemon_read_config(const struct daemon_opts *opts, config_report report, void *arg);

/*
 * Opens the sockets, prepares state_dir, gives up root, opens the store, starts every thread. Takes
 * over *cfg, also on failure; `opts` is borrowed. On failure false, with err set and a sysexits
 * code in *code.
 */
bool daemon_start(struct daemon **d, const struct daemon_opts *opts, struct config **cfg,
                  struct error *err, int *code);

/* Says that it is ready, and serves until SIGTERM or SIGINT. Returns the exit code. */
int daemon_run(struct daemon *d);

/* Ends every thread, commits, closes; undoes a half-done start. Sets *d to NULL. */
void daemon_free(struct daemon **d);

#endif
