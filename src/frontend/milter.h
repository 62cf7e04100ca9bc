/*
 * The milter: libmilter in threads of its own, under the front loop's hand.
 *
 * libmilter has one listening socket, opens it itself, and is never stopped: at its end it destroys
 * locks that its threads still hold or wait for, and hangs now and then. It lives as long as the
 * process; what it hears after milter_free() it lets pass.
 *
 * A thread of it waits for HUP, TERM and INT in sigwait(), and would stop it at one. Signals are
 * the main thread's, but while that one runs a handler, or has another signal to be delivered, the
 * kernel gives them to whoever waits: so this program's sigwait(), which is the one libmilter
 * calls, never returns. Nothing else here may use it.
 *
 * Threads: the front loop's. One struct milter a process.
 */
#ifndef FRONTEND_MILTER_H
#define FRONTEND_MILTER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/loop.h"
#include "frontend/frontend.h"
#include "frontend/listener.h"

struct milter;

/* Listens at `spec` (frontend/milter_socket.h). To be called as root, before other threads. */
bool milter_open(struct milter **m, const struct listen_spec *spec,
                 const struct listener_opts *opts, const char *user, struct error *err);

/* Serves. on_end(arg) is called when libmilter has given up. `fe` is borrowed. */
bool milter_start(struct milter *m, struct frontend *fe, loop_fn on_end, void *arg,
                  struct error *err);

/*
 * Those who wait get their answers, which must be on their way, and on_idle(arg) is called once
 * when they have them, never before this returns. Until milter_free() there are answers, of a
 * verifier that has been stopped.
 */
void milter_stop(struct milter *m, loop_fn on_idle, void *arg);

/* Stops, if that was not done, and removes a unix socket. Every answer must be in. Sets *m to NULL;
   NULL is allowed. */
void milter_free(struct milter **m);

#endif
