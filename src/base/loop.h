/*
 * An event loop: a libevent base, its timers, and a mailbox through which other threads hand it
 * work. The daemon has two: the front loop (main thread) and the engine loop.
 *
 * Threads: loop_post() and loop_stop() may be called from any thread; everything else only from
 * the loop's own thread, or before it runs.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_timer;

typedef void (*loop_fn)(void *arg);

/* NULL when out of memory or file descriptors. */
struct loop *loop_new(const char *name);

/* Ends a loop that is not running; work still in the mailbox is run first. Sets *l to NULL. */
void loop_free(struct loop **l);

/* For the modules that talk to libevent themselves; owned by the loop. */
struct event_base *loop_base(struct loop *l);

/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Runs the loop in a new thread with all signals blocked; loop_join() waits for its end. */
bool loop_start_thread(struct loop *l);
void loop_join(struct loop *l);

/*
 * Runs fn(arg) on the loop's thread, later, in the order posted; never inside this call. Aborts
 * the process when out of memory: a lost callback would be a client that hangs for ever.
 */
void loop_post(struct loop *l, loop_fn fn, void *arg);

/* The same for what comes by the hundred: a loop's own callback wakes the other loop with all of
   them, when its turn is over. Not for who then waits for it. */
void loop_post_gathered(struct loop *l, loop_fn fn, void *arg);

/* Runs what was posted and what that posts, in the calling thread, once the loop has ended. */
void loop_drain(struct loop *l);

/* One-shot timers. A fresh timer is disarmed; loop_timer_free() disarms and sets *t to NULL. */
struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg);
void loop_timer_arm(struct loop_timer *t, int64_t ms); /* re-arming replaces; ms < 0 means 0 */
void loop_timer_disarm(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);
void loop_timer_free(struct loop_timer **t);

#endif
