/* What stands between a store and a mail client: the verifier, the policy, the decision. */
#ifndef BENCH_DOOR_H
#define BENCH_DOOR_H

#include "bench_store.h"
#include "policy/rcpt.h"

struct bench_door {
    struct bench_store *in;
    struct rcpt_env env;
};

/* The store is open. Ends the program on an error. */
void bench_door_open(struct bench_door *d, struct bench_store *in);
void bench_door_close(struct bench_door *d);

/*
 * Somebody at random is named as a recipient: all that is done until the decision, but for the
 * socket it comes by, and its log line. Takes a struct bench_door *, returns nanoseconds.
 */
uint64_t bench_decide(void *door);

#endif
