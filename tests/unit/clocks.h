/* The clocks, in place of base/clock, as a test sets them. Set them before there are threads. */
#ifndef CLOCKS_H
#define CLOCKS_H

#include <stdatomic.h>
#include <stdint.h>

extern int64_t clocks_wall;             /* seconds since the epoch; it stands still */
extern int64_t clocks_mono_ms;          /* the same; 0: it goes as it does, */
extern _Atomic int64_t clocks_ahead_ms; /* so far ahead. To be set at any time */

#endif
