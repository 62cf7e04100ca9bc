/*
 * The gate: nobody speaks to a destination without a turn. Whoever wants one waits in its queue,
 * interactive callouts before refreshes, re-probes and bulk; a turn is a session that is kept open,
 * or a new one, within the destination's limits (connections, recipients a connection, rate), those
 * of the server (RFC 9422), and `total`. Where there is trouble (callout/standing), or our own
 * network is out (callout/outage), it is refused at once.
 *
 * Servers of a route are ours: they have limits of their own, and no trouble is held against them.
 *
 * Threads: the engine loop's only. No callback fires inside a call made for the same turn; one that
 * waits may be refused inside a call made for another.
 */
#ifndef CALLOUT_GATE_H
#define CALLOUT_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callout/destination.h"
#include "callout/engine.h"
#include "callout/gate_report.h"
#include "callout/providers.h"
#include "callout/verdict.h"
#include "smtp/session.h"

struct gate;
struct turn;

struct turn_ask {
    char destination[DESTINATION_NAME_SIZE];
    const struct provider
        *provider; /* whose limits count; NULL: those of everybody. For the call */
    bool routed;
    enum callout_priority priority;
    bool goes_on; /* a callout that had its turn there just now: it is not kept waiting again */
    struct turn *before; /* of the same callout, about to end: if it is the trial there, so is this.
                            May be NULL; for the call */
    bool fresh_session;  /* none that was kept */
    bool try_now;        /* where the destination refuses us: this is the breaker's trial */
    unsigned more;       /* recipients that may follow on the same session: turn_ask_more() */
    bool any_source;     /* else `source` alone, as long as it is in the pool, and its family */
    struct netaddr source;
    const char *domain;                 /* of the recipient. It, */
    const struct session_opts *session; /* this, and what the job points to, live as long as the
                                           turn */
    struct session_job job;
    const struct session_target *targets; /* without their sources; for the call */
    size_t count;
};

/* Where the answer comes from. */
struct turn_place {
    size_t target; /* number of the one that the session is with, or of the first if with none */
    struct netaddr source; /* 0.0.0.0 or ::, the system's choice */
    bool proved; /* if nothing was heard: that is not for our own network's sake, or for want of
                    time */
    unsigned refused; /* recipients of the session before, by 5yz */
};

struct turn_handler {
    /* As in struct session_handler, for each recipient. */
    void (*on_outcome)(void *arg, const struct outcome *o, const struct turn_place *place);
    /* Instead: no turn, and *v is the answer, of this moment only. */
    void (*on_refused)(void *arg, const struct verdict *v);
    void (*on_trace)(void *arg, char dir, const char *line); /* may be NULL */
    void *arg;
};

struct gate *gate_new(struct engine *e);

/* No session may be left. Sets *g to NULL; NULL is allowed. */
void gate_free(struct gate **g);

/* Joins the queue. The turn is the caller's until turn_end(), or on_refused, which is called when
   it is gone already. NULL: refused, and *refused is the answer, of this moment only. */
struct turn *gate_wait(struct gate *g, const struct turn_ask *ask, const struct turn_handler *h,
                       struct verdict *refused);

/* In on_outcome: another recipient, as session_ask(), but that it gets a transaction of its own
   where the one under way takes no more. */
bool turn_ask_more(struct turn *t, const struct session_job *job, bool new_transaction);

/* It is over: the session is kept for others, or gets its QUIT. No callback any more. Sets *t to
   NULL; NULL is allowed. */
void turn_end(struct turn **t);

/* What who waited in vain is told. */
void turn_too_late(const char *destination, struct verdict *v);

/* Still in the queue; a NULL one is not. */
bool turn_waits(const struct turn *t);

/* Somebody wants it sooner. */
void turn_hurry(struct turn *t, enum callout_priority priority);

/* What a destination said to a callout, as it comes: its budget, trouble and breaker go by that. */
struct gate_word {
    const char *destination;
    const char *domain; /* of the recipient */
    const struct verdict *verdict;
    struct netaddr source;
    bool made_up; /* the recipient was */
};

void gate_heard(struct gate *g, const struct gate_word *w);

/* Other options are in force: their limits count at once. */
void gate_reconfigure(struct gate *g);

/* From now on it is known which destinations were refusing us when this daemon was stopped. */
void gate_recall(struct gate *g);

/* What is kept of a destination was changed by hand: it is gone by from now on. */
void gate_reread(struct gate *g, const char *destination);

/* Sessions not closed yet, QUITs included. */
unsigned gate_session_count(const struct gate *g);

/* Asks every session to end with QUIT (daemon stop). */
void gate_quit_all(struct gate *g);

/* Of at most `max` destinations where anything is to be told, those whose breaker is not closed
   first; returns how many there are in all. */
size_t gate_tell(struct gate *g, struct gate_report *out, size_t max);

#endif
