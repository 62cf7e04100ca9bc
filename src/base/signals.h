/*
 * Signals as events of a loop.
 *
 * libevent's own signal events block every signal while their handler runs. A process-wide signal
 * that comes just then goes to any other thread that waits for it, and libmilter has one in
 * sigwait(): it would take the signal for its own and close the milter for good. This handler
 * blocks nothing: as long as the main thread leaves its signals unblocked it is the one that gets
 * them.
 *
 * Threads: the loop's, which is to be the main thread; every other blocks these signals. One
 * struct signals at a time.
 */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stddef.h>

#include "base/loop.h"

struct signals;

/* Fires from the loop, once for one or more of a number that have come. */
typedef void (*signals_fn)(void *arg, int number);

/* NULL when out of memory or descriptors. */
struct signals *signals_new(struct loop *l, const int *numbers, size_t count, signals_fn fn,
                            void *arg);

/* Puts the handlers there were before back. Sets *s to NULL; NULL is allowed. */
void signals_free(struct signals **s);

#endif
