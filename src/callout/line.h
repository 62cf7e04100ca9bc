/*
 * A line: one session with a host of a destination, from its first connection attempt to its end,
 * and the turn that uses it. Between turns it is kept. Internal to the gate.
 *
 * Threads: the engine loop's only. Ownership: a desk lists its turns and lines. A turn is freed by
 * turn_end(), or when it is refused, before on_refused is called. A line frees itself when its
 * session has closed; the session is borrowed, and frees itself.
 */
#ifndef CALLOUT_LINE_H
#define CALLOUT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "base/loop.h"
#include "callout/engine.h"
#include "callout/gate.h"
#include "callout/standing.h"
#include "smtp/session.h"

#define QUEUE_COUNT (CALLOUT_PRIORITY_COUNT + 1) /* those that go on come first */

/* Where a session may lead, names and all in one piece; counted, since a line outlives the turn
   that opened it. */
struct targets {
    unsigned refs;
    size_t count;
    struct session_target list[];
};

/* One that waits in its destination's queue, or has a line. */
struct turn {
    struct desk *desk;
    struct line *line; /* NULL: waits */
    struct turn_handler handler;
    unsigned queue;
    bool goes_on, fresh_session;
    unsigned more;
    bool any_source; /* else `source`: see struct turn_ask */
    struct netaddr source;
    bool trial;         /* the breaker's */
    bool network_trial; /* see outage_admit() */
    const char *domain;
    const struct session_opts *session;
    struct session_job job;
    struct turn *prev, *next;
    size_t target;                    /* the one that its session is with */
    uint8_t map[SESSION_TARGETS_MAX]; /* its number among those that were asked for */
    struct targets *targets;
};

/* A destination at the gate: who waits, and what is open. */
struct desk {
    struct gate *gate;
    struct standing standing;
    struct pace_limits limits; /* those in force, before any trouble */
    bool routed;
    struct turn *queues[QUEUE_COUNT];
    unsigned queued[QUEUE_COUNT];
    unsigned waiting; /* in all queues */
    struct line *lines;
    unsigned line_count;
    bool is_served;  /* right now */
    bool is_starved; /* waits for `total` */
    struct desk *starved_prev, *starved_next;
    struct loop_timer *timer;
    UT_hash_handle hh; /* by standing.name; iterates in the order of insertion */
};

struct line {
    struct engine *engine;
    struct desk *desk;
    struct session *session;
    struct turn *turn;                 /* who uses it; NULL: nobody, it is kept or ends */
    struct targets *targets;           /* of the turn that opened it */
    const struct session_target *peer; /* the one it is with; NULL: not connected */
    bool kept;
    int64_t asked_at;        /* clock_mono_ms: when its turn began */
    unsigned asked, refused; /* recipients; those of them with a 5yz */
    enum tls_mode tls;
    bool lmtp;
    const char *helo_name;              /* the session's */
    struct line *prev, *next;           /* of the desk */
    struct line *kept_prev, *kept_next; /* while it is kept */
};

struct gate {
    struct engine *engine;
    struct desk *desks;
    struct desk *swept; /* where the next sweep begins; NULL: at the first */
    unsigned line_count;
    struct line *kept;    /* of all desks, the one kept longest first */
    struct desk *starved; /* the one that waits longest first */
    struct desk *fed;     /* whose turn that is, right now */
    struct loop_timer *timer;
    loop_fn on_desk; /* a desk's timer */
};

/* A copy of them; NULL when out of memory. */
struct targets *targets_new(const struct session_target *list, size_t count);
void targets_unref(struct targets **t); /* sets *t to NULL; NULL is allowed */

/* Between two turns, or not any more. */
void line_set_kept(struct line *l, bool kept);

/* A new session for the turn. False when out of memory. */
bool line_open(struct desk *d, struct turn *t);

/* Whether a line is kept, and one that the turn may use. */
bool line_serves(const struct line *l, const struct turn *t);

/* It does, from now on. False when the session cannot be used after all. */
bool line_take(struct line *l, struct turn *t);

/* In on_outcome of its turn: whether it may be asked about another recipient. */
bool line_is_good(const struct line *l);

/* gate.c: a line is gone, and so is what it held. */
void gate_line_gone(struct desk *d);

#endif
