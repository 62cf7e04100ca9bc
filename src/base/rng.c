#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static uint32_t rng_u32(void)
{
    uint32_t r;

    while (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
        if (errno != EINTR)
            abort(); /* every kernel we run on has getrandom(2) */
    return r;
}

uint32_t rng_below(uint32_t bound)
{
    /* Drop the low end that would make small results likelier. */
    uint32_t floor = (0U - bound) % bound;
    uint32_t r;

    do
        r = rng_u32();
    while (r < floor);
    return r % bound;
}
