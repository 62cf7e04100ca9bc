/*
 * The Postfix policy service (SMTPD_POLICY_README): any number of requests a connection, one answer
 * each, in order. A connection that sends what is no request loses itself and hurts no other.
 *
 * Threads: the front loop's only.
 */
#ifndef FRONTEND_POLICY_SERVICE_H
#define FRONTEND_POLICY_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "frontend/frontend.h"

struct policy_service;

/* `fe` is borrowed. False when out of memory. */
bool policy_service_new(struct policy_service **ps, struct frontend *fe, struct error *err);

/* Serves a listening socket; the descriptor stays the caller's, who closes it after the free. */
bool policy_service_listen(struct policy_service *ps, int fd, struct error *err);

/*
 * No new connections; idle ones are closed, and the others once they have their answer.
 * on_idle(arg) is called once when none is left, perhaps before this returns.
 */
void policy_service_stop(struct policy_service *ps, loop_fn on_idle, void *arg);

/* Closes what is left. Every answer must be in: end the verifier first, and drain the loop. */
void policy_service_free(struct policy_service **ps);

#endif
