/*
 * Probing: the candidates of a plan are asked one after the other until one of them answers.
 *
 *  - a transport failure (refused, silent, closed, not SMTP, TLS) leads to the next candidate;
 *  - so does a 521 greeting: that host takes no mail at all (RFC 7504);
 *  - after a 4yz before RCPT one more host is asked, at most (never another address of the same);
 *  - of a route's servers the next is asked after any reply before RCPT;
 *  - every other reply, and any at RCPT, is the destination's answer.
 *
 * Threads: the engine loop's only. Sessions outlive the run for their QUIT; the engine lists them.
 */
#ifndef CALLOUT_PROBE_H
#define CALLOUT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/engine.h"
#include "dns/mxlookup.h"
#include "smtp/outcome.h"

struct probe_run;

/* How the candidates are to be asked. Copied. */
struct probe_opts {
    struct session_opts session;
    char sender[ADDRESS_TEXT_SIZE]; /* MAIL FROM; "": the null sender */
    uint16_t port;                  /* of candidates that have none of their own */
    bool lmtp;
    bool routed; /* they are servers of our own: no TLS with those on this host */
};

/* Another recipient of the session that answered. */
struct probe_question {
    struct address recipient;
    bool new_transaction;
};

struct probe_handler {
    /*
     * After the destination's answer, before it is told: true, with *next filled, for asking about
     * another recipient on the same session, and then again with what came of that, be it that the
     * session broke; false for no more. Where the session cannot be used any more it is not asked,
     * and nothing more is told here. NULL: there is no other.
     */
    bool (*on_reply)(void *arg, const struct outcome *o, const struct mx_candidate *host,
                     bool backup, struct probe_question *next);
    /* Exactly once, never inside probe_start(): the outcome of the first recipient. `host`: whose
       it is. `backup`: there is a better host, which could not be asked or did not answer. */
    void (*on_answer)(void *arg, const struct outcome *o, const struct mx_candidate *host,
                      bool backup);
    void (*on_trace)(void *arg, char dir, const char *line); /* may be NULL */
    void *arg;
};

/*
 * Copies plan and address. `deadline` (clock_mono_ms) bounds the whole run. Of several failures the
 * one that came farthest is reported. NULL only when out of memory.
 */
struct probe_run *probe_start(struct engine *e, const struct probe_opts *opts,
                              const struct mx_plan *plan, const struct address *recipient,
                              int64_t deadline, const struct probe_handler *handler);

/* No callback any more; the session under way gets its QUIT. Sets *p to NULL; NULL is allowed. */
void probe_cancel(struct probe_run **p);

/* Asks every session to end with QUIT (daemon stop). */
void probe_quit_all(struct engine *e);

#endif
