/*
 * The control API: HTTP/1.1 + JSON over a listening socket, for calloutctl and scripts.
 *
 *   GET /v1/verify?address=…[&fresh=1][&probe=0][&trace=1]   one verdict (policy/verdict_json)
 *   GET /v1/status                                          what is under way
 *   GET /healthz                                            "ok"
 *
 * Errors are {"error": "text"} with 400, 404 or 405. Headers and bodies are bounded.
 *
 * Threads: the front loop's only.
 */
#ifndef FRONTEND_CONTROL_H
#define FRONTEND_CONTROL_H

#include <stdbool.h>

#include "base/error.h"
#include "frontend/frontend.h"

struct control;

/* Serves a listening socket that stays the caller's, who closes it after the free. */
bool control_new(struct control **c, struct frontend *fe, int fd, struct error *err);

/*
 * on_idle(arg) once when no request is left, perhaps before this returns. Who comes while the
 * loop runs is answered, too: the verifier has nothing to wait for any more.
 */
void control_stop(struct control *c, loop_fn on_idle, void *arg);

/* Closes the door, once the loop has ended: nobody would be answered any more. */
void control_stop_listening(struct control *c);
void control_free(struct control **c);

#endif
