#include "clocks.h"

#include <time.h>

#include "base/clock.h"

int64_t clocks_wall, clocks_mono_ms;
_Atomic int64_t clocks_ahead_ms;

int64_t clock_wall(void)
{
    return clocks_wall;
}

int64_t clock_wall_ms(void)
{
    return clocks_wall * 1000;
}

int64_t clock_mono_ms(void)
{
    struct timespec ts;

    if (clocks_mono_ms != 0)
        return clocks_mono_ms;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + atomic_load(&clocks_ahead_ms);
}
