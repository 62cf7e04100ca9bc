/*
 * The two clocks. Everything that is pure takes `now` as an argument instead.
 *
 * Threads: any.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: for deadlines and durations. */
int64_t clock_mono_ms(void);

/* Seconds since the Unix epoch: for what is stored and shown. */
int64_t clock_wall(void);

/* The same in milliseconds: for what is stored more exactly than to the second. */
int64_t clock_wall_ms(void);

#endif
