/*
 * Where from: which of a turn's targets can be asked now, each from which source address. Internal
 * to the gate.
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

#include <stdbool.h>

#include "callout/line.h"

/*
 * Sets the sources of the turn's targets, by what rests and what is missing now; targets without
 * one are left out. False: none is left, and *refused is the answer, of this moment only.
 */
bool origin_choose(struct turn *t, struct verdict *refused);

/* Whether the sources chosen may all still be used. */
bool origin_stands(const struct turn *t);

#endif
