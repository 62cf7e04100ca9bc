#include "base/rng.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#define DRAWN 64 /* with one system call; the kernel gives up to 256 octets whole */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards these two */
static uint32_t drawn[DRAWN];
static size_t left;

static void draw(void)
{
    while (getrandom(drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn))
        if (errno != EINTR)
            abort(); /* every kernel we run on has getrandom(2) */
    left = DRAWN;
}

static uint32_t rng_u32(void)
{
    uint32_t r;

    pthread_mutex_lock(&lock);
    if (left == 0)
        draw();
    r = drawn[--left];
    pthread_mutex_unlock(&lock);
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
