/*
 * What libmilter calls: one filter, that looks at recipients and at nothing else of a mail. It
 * answers each RCPT with continue, or a 4yz or 5yz reply; every other step it asks the MTA not to
 * send, or not to wait for.
 *
 * Threads: begin, stop, early and end are the main thread's. libmilter's callbacks run in threads
 * of its own, those of one connection in different ones, and wait there for the decision.
 *
 * smfi_register(), xxfi_* of the libmilter API (/usr/share/doc/libmilter-dev).
 */
#ifndef FRONTEND_MILTER_FILTER_H
#define FRONTEND_MILTER_FILTER_H

#include <stdbool.h>

#include "base/error.h"
#include "frontend/listener.h"
#include "policy/rcpt.h"

/* Tells libmilter of the filter; once a process. */
bool milter_filter_register(struct error *err);

/*
 * From now on recipients are decided about; before, and after the end, everything may pass. `env`
 * and `spec`, where the milter listens, are borrowed up to the end.
 *
 * Whoever is about to wait for a decision knocks there. libmilter's pool gives what many MTAs say
 * at once to the two workers that it keeps idle, and the rest waits until one of those is through;
 * but for a new connection it starts a worker where none is idle, and that one, done with the knock
 * at once, takes what waits. If it comes to wait as well, it has knocked for the next.
 */
void milter_filter_begin(const struct rcpt_env *env, const struct listen_spec *spec);

/* The daemon stops. Recipients are decided about all the same, which now waits for nothing. */
void milter_filter_stop(void);

/* Those from before milter_filter_stop() that are still being decided about. */
unsigned milter_filter_early(void);

/* From now on everything may pass. Waits for those that are being decided about, which must be on
   their way to their answers. */
void milter_filter_end(void);

#endif
