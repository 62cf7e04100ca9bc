/*
 * An answer on its way to the loop of who asked. Internal to callout/.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_DELIVERY_H
#define CALLOUT_DELIVERY_H

#include "callout/verifier.h"

/* Answers one asker, later, on the loop `on`. Copies *v and `trace`, which may be NULL. Aborts the
   process when out of memory: a lost answer would be a client that hangs for ever. */
void delivery_send(struct loop *on, verifier_cb cb, void *arg, const struct verdict *v,
                   const char *trace);

#endif
