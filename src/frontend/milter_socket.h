/*
 * Where the milter listens, in libmilter's own syntax (smfi_setconn): "inet:PORT@HOST", "inet:PORT"
 * (every address), "inet6:PORT@HOST", "inet6:PORT", "unix:/PATH", "local:/PATH". HOST is an IP
 * address, with or without brackets, or "localhost"; libmilter would look up other names, too, but
 * the milter has to know its own socket.
 *
 * Threads: any, but for the umask that milter_socket_open() changes for a moment.
 */
#ifndef FRONTEND_MILTER_SOCKET_H
#define FRONTEND_MILTER_SOCKET_H

#include <stdbool.h>

#include "base/error.h"
#include "frontend/listener.h"

/* On failure err is "is no ...". */
bool milter_socket_parse(const char *text, struct listen_spec *out, struct error *err);

/*
 * Has libmilter listen there, after smfi_register(). A unix socket gets the mode and group of
 * `opts` and becomes `user`'s, if this is root's process. Call before root is dropped.
 */
bool milter_socket_open(const struct listen_spec *spec, const struct listener_opts *opts,
                        const char *user, struct error *err);

/* Removes the file of a unix socket, which may still be listened on. */
void milter_socket_remove(const struct listen_spec *spec);

/* Knocks at that socket: a connection that is closed at once. Any thread. */
void milter_socket_knock(const struct listen_spec *spec);

#endif
