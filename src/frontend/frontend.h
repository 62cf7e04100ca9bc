/*
 * What the frontends share: the front loop, the verifier, and the options in force.
 *
 * Threads: the front loop's only. A reload replaces `policy`; what is answered afterwards is
 * answered by the new options. `policy` is borrowed.
 */
#ifndef FRONTEND_FRONTEND_H
#define FRONTEND_FRONTEND_H

#include "base/loop.h"
#include "callout/verifier.h"
#include "policy/policy.h"

struct frontend {
    struct loop *loop;
    struct verifier *verifier;
    const struct policy_opts *policy;
};

#endif
