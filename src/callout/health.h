/*
 * What is wrong, in one place: how we are set up, our network, and who refuses us.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_HEALTH_H
#define CALLOUT_HEALTH_H

#include "callout/engine.h"

/* As known by now. */
void health_tell(struct engine *e, struct verifier_health *out);

#endif
