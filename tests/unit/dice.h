/* Chance that a seed decides: a test that failed fails again. */
#ifndef DICE_H
#define DICE_H

#include <stdint.h>

struct dice {
    uint64_t seed;
};

/* 0 … sides - 1, by splitmix64. */
static inline uint64_t dice_throw(struct dice *d, uint64_t sides)
{
    uint64_t n = d->seed += 0x9E3779B97F4A7C15;

    n = (n ^ (n >> 30)) * 0xBF58476D1CE4E5B9;
    n = (n ^ (n >> 27)) * 0x94D049BB133111EB;
    return (n ^ (n >> 31)) % sides;
}

#endif
