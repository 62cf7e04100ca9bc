/*
 * Listening sockets: TCP and unix-domain, bound before root is dropped, with mode and group; stale
 * unix sockets removed; or taken over from systemd (sd_listen_fds(3), matched by address).
 *
 * Threads: the owner's only. Ownership: the caller owns the descriptors.
 */
#ifndef FRONTEND_LISTENER_H
#define FRONTEND_LISTENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/netaddr.h"

struct listen_spec {
    char text[160];    /* as configured, for messages */
    struct netaddr ip; /* AF_UNSPEC: a unix socket */
    uint16_t port;     /* 1..65535, or 0: any free port (tests) */
    char path[108];    /* of a unix socket, absolute */
};

struct listener_opts {
    mode_t socket_mode;    /* of unix sockets */
    char socket_group[64]; /* "": leave as it is */
};

/* "inet:127.0.0.1:8893", "inet:[::1]:8893", "unix:/absolute/path". */
bool listen_spec_parse(const char *text, struct listen_spec *out, struct error *err);

/*
 * A non-blocking, close-on-exec, listening socket; -1 with err set on failure. One of the service
 * manager's that has this address is handed out, once. An existing unix socket that nobody answers
 * on is removed first; one that is answered, or a file that is no socket, is an error, and so is a
 * missing directory. Call as root where the path or the group need it, and before other threads
 * make files: the umask is changed for a moment.
 */
int listener_open(const struct listen_spec *spec, const struct listener_opts *opts,
                  struct error *err);

/* Gives a unix socket's file the group of `opts`, where there is one. */
bool listener_set_group(const struct listen_spec *spec, const struct listener_opts *opts,
                        struct error *err);

/* Closes *fd (if >= 0) and removes the unix socket's file if it is still ours. Sets *fd to -1. */
void listener_close(int *fd, const struct listen_spec *spec);

#endif
