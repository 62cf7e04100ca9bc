/*
 * The two ways calloutctl gets verdicts: from the daemon over its control socket, or from the same
 * engine in this process.
 *
 * Threads: the main thread's; the local way starts an engine of its own and ends it.
 */
#ifndef CTL_VERIFY_H
#define CTL_VERIFY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "ctl/ctl.h"
#include "ctl/http.h"

struct ctl_question {
    char **addresses;
    size_t count;
    bool fresh, no_probe, trace;
};

/*
 * Fills results[0..count-1] with verdict objects (policy/verdict_json, plus "trace"); the caller
 * gives an array of NULLs and releases what is in it.
 */
enum ctl_result ctl_verify_daemon(const struct ctl_env *env, const struct ctl_question *q,
                                  json_t **results, struct error *err);
enum ctl_result ctl_verify_local(const struct ctl_env *env, const struct ctl_question *q,
                                 json_t **results, struct error *err);

#endif
