/*
 * Flights: one callout under way for one address, and the waiters who want its answer. Flight and
 * waiter are apart: a waiter's deadline ends its wait, never the callout; a flight without waiters
 * warms the store.
 *
 * States:  lookup (DNS) -> callout -> landed (answered, its record waits for the commit) -> gone.
 * A landed flight still answers those who come between the answer and the commit, so that one
 * address costs one callout however many ask at once.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_FLIGHT_H
#define CALLOUT_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/callout.h"
#include "callout/engine.h"
#include "callout/verifier.h"

/* One ask, as it travels to the engine loop. */
struct flight_ask {
    struct address address;
    int64_t deadline;  /* clock_mono_ms of the waiter's answer; INT64_MAX: none of its own */
    uint64_t stale_ok; /* as in struct verifier_request, like all below */
    bool fresh, no_probe, trace, want_catch_all;
    bool null_sender; /* MAIL FROM:<> whatever `probe_sender` is */
    bool apart;       /* and that is not the usual: its answer is no other's */
    enum callout_priority priority;
    bool again; /* a re-probe: asked as `trail` says */
    struct callout_trail trail;
    struct loop *on; /* where cb is to run */
    verifier_cb cb;  /* NULL: nobody waits, this is a refresh */
    void *arg;
};

/* Joins the flight to the same address, or starts one. Every ask is answered exactly once. False:
   that was done already, or soon will be; no callout is made for it. */
bool flight_join(struct engine *e, const struct flight_ask *ask);

/* Answers every waiter with what is known by now, or deferred/pending, and ends every flight
   (daemon stop). */
void flight_end_all(struct engine *e);

#endif
