/*
 * The configuration: calloutd.conf read into one options struct per module. calloutd.conf(5).
 * libConfuse is fenced in conf/language.
 *
 * Threads: none; a loaded configuration is immutable and owned by whoever loaded it.
 */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "callout/verifier.h"
#include "conf/data_files.h"
#include "conf/problems.h"
#include "frontend/listener.h"
#include "policy/policy.h"
#include "store/store.h"

#define CONFIG_LISTEN_MAX 16

#define CONFIG_PATH_MAX 1024

/* Files of exempt maps, as they are configured; "": none. */
struct config_exempt {
    char recipients[CONFIG_PATH_MAX];
    char senders[CONFIG_PATH_MAX];
    char clients[CONFIG_PATH_MAX];
};

struct config {
    struct log_opts log;
    char state_dir[1024];
    char user[64];
    struct verifier_opts verifier;          /* one reference to its routes, replies and providers */
    struct store_opts store;                /* in state_dir */
    struct policy_opts *policy;             /* one reference */
    struct config_exempt exempt;            /* read into *policy */
    char replies_from[DATA_FILES_PATH_MAX]; /* which replies.conf was taken: conf/data_files */
    char providers_from[DATA_FILES_PATH_MAX];
    struct listener_opts listener;
    struct listen_spec policy_listen[CONFIG_LISTEN_MAX];
    size_t policy_listen_count;
    char milter_listen[160]; /* libmilter's syntax; "": no milter */
    struct listen_spec control_listen;
};

/*
 * Reads `path`, and the data files that go with it. NULL when anything is wrong: every bad value
 * and the first syntax error or unknown key is in *problems, which the caller frees either way
 * (warnings may be there on success, too).
 */
struct config *config_load(const char *path, struct config_problems *problems);

/* Sets *cfg to NULL; allowed twice. */
void config_free(struct config **cfg);

/* Calls fn with the name of every key that needs a restart and differs between the two. */
void config_restart_keys(const struct config *running, const struct config *wanted,
                         void (*fn)(void *arg, const char *key), void *arg);

#endif
