/*
 * What the subcommands of calloutctl get from the command line and the configuration.
 *
 * Threads: the main thread's. Exit codes: as calloutctl(1) says, errors from sysexits.h.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include "callout/verifier.h"
#include "policy/policy.h"
#include "store/store.h"

struct ctl_env {
    const char *control_path; /* of the daemon's control socket */
    const char *user;         /* whom a standalone run becomes first, when it is root's */
    const struct verifier_opts *verifier;
    const struct store_opts *store;
    const struct policy_opts *policy;
};

/* One subcommand: argv[0] is its name. Returns the exit code. */
int ctl_check(const struct ctl_env *env, int argc, char **argv);
int ctl_cache(const struct ctl_env *env, int argc, char **argv);
int ctl_status(const struct ctl_env *env, int argc, char **argv);

#endif
