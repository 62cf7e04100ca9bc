/*
 * Probing: the candidates of a plan are asked, one preference after the other, until one of them
 * answers. Of one preference all that is known to be alive is raced (smtp/session), with one turn
 * at the gate.
 *
 *  - a transport failure (refused, silent, closed, not SMTP, TLS) leads to the candidates that are
 *    left, the same preference first;
 *  - so does a 521 greeting: that host takes no mail at all (RFC 7504);
 *  - after a 4yz before RCPT one more host is asked, at most (never another address of the same);
 *  - of a route's servers the next is asked after any reply before RCPT;
 *  - a session that was kept and is of no use any more is no answer: a new one is made;
 *  - addresses that are known to be dead are left out; where all are, that is the answer;
 *  - every other reply, and any at RCPT, is the destination's answer.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_PROBE_H
#define CALLOUT_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/engine.h"
#include "callout/gate.h"
#include "dns/mxlookup.h"
#include "smtp/outcome.h"

struct probe_run;

/* How the candidates are to be asked. What it points to is borrowed as long as the run. */
struct probe_opts {
    const struct session_opts *session;
    const char *sender;  /* MAIL FROM; "": the null sender */
    uint16_t port;       /* of candidates that have none of their own */
    bool routed;         /* they are servers of our own: no TLS with those on this host */
    const char *went_to; /* was asked about the same recipient just now; "": none. For the call */
    bool fresh;          /* also what is known to be dead, or to refuse us */
    unsigned more;       /* other recipients that on_reply may come with */
    bool any_source;     /* else `source`: see struct turn_ask */
    struct netaddr source;
    enum callout_priority priority;
    struct providers *providers;
};

/* Another recipient of the session that answered. */
struct probe_question {
    const struct address *recipient; /* borrowed as long as the run */
    bool new_transaction;
};

/* Where an outcome comes from; valid during the call. */
struct probe_place {
    const struct mx_candidate *host;
    const char *destination; /* callout/destination */
    struct netaddr source;
    bool backup; /* there is a better host, which could not be asked or did not answer */
    bool proved; /* see struct turn_place */
};

struct probe_handler {
    /* Each outcome about the first recipient, as it comes, whether it will be the answer or not. */
    void (*on_outcome)(void *arg, const struct outcome *o, const struct probe_place *at);
    /*
     * After the destination's answer, before it is told: true, with *next filled, for asking about
     * another recipient on the same session, and then again with what came of that, be it that the
     * session broke; false for no more. Where the session cannot be used any more it is not asked,
     * and nothing more is told here.
     */
    bool (*on_reply)(void *arg, const struct outcome *o, const struct probe_place *at,
                     struct probe_question *next);
    /* Exactly once, or on_refused, never inside probe_start(): the outcome of the first recipient.
     */
    void (*on_answer)(void *arg, const struct outcome *o, const struct probe_place *at);
    /* Nobody was asked: *v is the answer, of this moment only. */
    void (*on_refused)(void *arg, const struct verdict *v);
    void (*on_trace)(void *arg, char dir, const char *line); /* may be NULL */
    void *arg;
};

/*
 * The plan and the recipient are borrowed as long as the run. `deadline` (clock_mono_ms) bounds
 * all of it, the wait for turns included. Of several failures the one that came farthest is
 * reported. NULL only when out of memory.
 */
struct probe_run *probe_start(struct engine *e, const struct probe_opts *opts,
                              const struct mx_plan *plan, const struct address *recipient,
                              int64_t deadline, const struct probe_handler *handler);

/* Somebody waits for it now. */
void probe_hurry(struct probe_run *p, enum callout_priority priority);

/* True while it waits for its turn: at `*destination`, borrowed. */
bool probe_waits(const struct probe_run *p, const char **destination);

/* No callback any more; the session under way gets its QUIT. Sets *p to NULL; NULL is allowed. */
void probe_cancel(struct probe_run **p);

#endif
