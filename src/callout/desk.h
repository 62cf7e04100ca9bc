/*
 * The desks: one for each destination that anybody was at lately. Internal to the gate.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_DESK_H
#define CALLOUT_DESK_H

#include "callout/line.h"

/* The one to ask at, with the limits of now. NULL: out of memory. */
struct desk *desk_of(struct gate *g, const struct turn_ask *ask);

/* NULL: nobody was there lately. */
struct desk *desk_find(const struct gate *g, const char *name);

/* At the end of the gate; else only a sweep does. */
void desk_free(struct desk *d);

/* It waits until there is room within `total`. */
void desk_starve(struct desk *d);

/* It does not any more. */
void desk_unstarve(struct desk *d);

#endif
