/*
 * The control API: HTTP/1.1 + JSON over a listening socket, for calloutctl and scripts.
 *
 *   GET /v1/verify?address=…[&fresh=1][&probe=0][&bulk=1][&trace=1]
 *       One verdict (policy/verdict_json).
 *   GET /v1/status
 *       What is under way, how much was asked, and the store's own (as below). "greylisted": how
 *       many are to be asked again, after greylisting or to confirm that a valid one does not exist
 *       (cache.confirm_invalid).
 *   GET /healthz
 *       "ok", or "degraded" and why.
 *   GET /v1/cache/entries[?address=… | ?domain=… | ?destination=…][&table=…]…
 *       What the store has, as JSON lines (cache/entry, cache/list), application/x-ndjson. A list
 *       that ends without its last chunk is not whole: the store failed, the daemon stops, or the
 *       client took nothing for ten minutes.
 *   DELETE /v1/cache/entries?address=… | ?domain=… | ?destination=…
 *       {"forgotten": n} (cache/forget). A destination is one by its name, as "mx/example.com"; to
 *       forget it closes its breaker.
 *   POST /v1/cache/import[?first_line=N]
 *       Such lines in a body of at most 64 KiB (cache/import), the first of which is number N for
 *       those who read "problem". When all is committed: {"taken", "expired", "refused", "failed",
 *       "problem"?}.
 *   GET /v1/cache/stats
 *       struct store_report: {"entries": {TABLE: n, …}, "size", "used", "file", "next_expiry"?,
 *       "commits", "committed", "failed", "swept", "evicted", "failing"?}.
 *
 * Errors are {"error": "text"} with 400, 404, 405, or 503 where the store failed. Headers and
 * bodies are bounded. No step takes long: the loop also answers mail.
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
