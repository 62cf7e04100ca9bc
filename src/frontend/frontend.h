/*
 * What the frontends share: the front loop, and what decides about recipients.
 *
 * Threads: the front loop's, but for `rcpt`, which is any thread's. A reload sets new options;
 * what is asked afterwards is answered by them.
 */
#ifndef FRONTEND_FRONTEND_H
#define FRONTEND_FRONTEND_H

#include "base/loop.h"
#include "policy/rcpt.h"
#include "store/store.h"

struct frontend {
    struct loop *loop;
    struct store *store;
    struct rcpt_env rcpt; /* verifier, brake, and the options in force */
};

#endif
