/*
 * What flights and probes share: the engine loop and what belongs to it. Internal to callout/.
 *
 * Threads: the engine loop's only, so there are no locks; `store` excepted, which has its own.
 * Ownership: verifier.c makes and frees it.
 */
#ifndef CALLOUT_ENGINE_H
#define CALLOUT_ENGINE_H

#include <stdbool.h>

#include "base/log.h"
#include "base/loop.h"
#include "callout/dead.h"
#include "callout/facts.h"
#include "callout/keep.h"
#include "callout/outage.h"
#include "callout/sources.h"
#include "callout/verifier.h"
#include "dns/resolver.h"
#include "smtp/tls.h"
#include "store/store.h"

struct flight;
struct selfcheck;
struct gate;
struct reprobe;

struct engine {
    struct loop *loop;
    struct verifier_opts opts; /* those in force; what is under way keeps the ones it began with */
    struct resolver *resolver;
    struct tls_context *tls;
    struct store *store; /* borrowed; NULL: cacheless */
    struct keep *keep;   /* before `store` */
    struct facts *facts;
    struct tally *tally;
    struct selfcheck *selfcheck; /* NULL: not wanted */
    struct flight *flights;      /* uthash, by key: under way or waiting for their commit */
    struct gate *gate;           /* every session is there */
    struct dead *dead;
    struct sources *sources;
    struct outage network, dns;
    struct reprobe *reprobe; /* NULL while there is none yet */
    unsigned flight_count;
    unsigned landed_count; /* of them, those that only wait for their commit */
    unsigned waiter_count;
    struct log_ratelimit overload;
    bool stopping;
    loop_fn on_idle; /* called when stopping and nothing is left; set by verifier.c */
    void *idle_arg;
};

/* To be called after a flight or a session is gone. */
void engine_check_idle(struct engine *e);

#endif
