/*
 * Where from: which of a turn's targets can be asked, each from which source address. Internal to
 * the gate.
 *
 *  - servers of our own, and where there is no pool of the family: the system's choice;
 *  - who asks again does so from the same address as before, while it is of the pool; by it we are
 *    known there, so the targets of the other family are left out, also where the address was the
 *    system's choice;
 *  - else callout/sources says.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_ORIGIN_H
#define CALLOUT_ORIGIN_H

#include <stddef.h>

#include "callout/gate.h"
#include "callout/line.h"
#include "callout/sources.h"

/* Fills the targets of `t`, and returns how many. Of those that are left out *why is the reason. */
size_t origin_choose(struct engine *e, const struct turn_ask *ask, struct turn *t,
                     enum sources_pick *why);

#endif
