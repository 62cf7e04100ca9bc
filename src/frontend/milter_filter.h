/*
 * What libmilter calls: one filter, that looks at recipients and at nothing else of a mail. It
 * answers each RCPT with continue, or a 4yz or 5yz reply; every other step it asks the MTA not to
 * send, or not to wait for.
 *
 * Threads: begin, end and busy are the main thread's. libmilter's callbacks run in threads of its
 * own, those of one connection in different ones, and wait there for the decision.
 *
 * smfi_register(), xxfi_* of the libmilter API (/usr/share/doc/libmilter-dev).
 */
#ifndef FRONTEND_MILTER_FILTER_H
#define FRONTEND_MILTER_FILTER_H

#include <stdbool.h>

#include "base/error.h"
#include "policy/rcpt.h"

/* Tells libmilter of the filter; once a process. */
bool milter_filter_register(struct error *err);

/* From now on recipients are decided about; before, and after the end, everything may pass. `env`
   is borrowed up to the end. */
void milter_filter_begin(const struct rcpt_env *env);

/* Waits for those that are being decided about: they must be on their way to their answers. */
void milter_filter_end(void);

/* Recipients that are being decided about now. */
unsigned milter_filter_busy(void);

#endif
