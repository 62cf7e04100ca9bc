/* The clocks, in place of base/clock, as a test sets them. Set them before there are threads. */
#ifndef CLOCKS_H
#define CLOCKS_H

#include <stdint.h>

extern int64_t clocks_wall;    /* seconds since the epoch; it stands still */
extern int64_t clocks_mono_ms; /* the same; 0: it goes as it does */

#endif
