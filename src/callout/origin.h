/*
 * Where a turn comes from: one of source_addresses for each of its targets. Internal to the gate.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_ORIGIN_H
#define CALLOUT_ORIGIN_H

#include <stdbool.h>

#include "callout/line.h"

/*
 * Sets the sources of the turn's targets, by what rests and what is missing now; targets without
 * one are left out. False: none is left, and *refused is the answer, of this moment only.
 */
bool origin_choose(struct turn *t, struct verdict *refused);

#endif
