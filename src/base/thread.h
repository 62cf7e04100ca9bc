/*
 * Starting threads. Every thread but the main one blocks all signals: those are the main thread's.
 *
 * Threads: any.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* pthread_create() with all signals blocked in the new thread; an errno on failure, or 0. */
int thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);

#endif
