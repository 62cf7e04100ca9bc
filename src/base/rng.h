/*
 * Random numbers from the kernel: shuffles, jitter. Not a secret generator's seed.
 *
 * Threads: any.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* Uniform in [0, bound); bound must be at least 1. */
uint32_t rng_below(uint32_t bound);

#endif
