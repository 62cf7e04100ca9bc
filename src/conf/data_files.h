/*
 * Where replies.conf and providers.conf come from: each from beside the configuration file, else
 * from the package's data directory, else as it was when the program was built.
 *
 * Threads: none.
 */
#ifndef CONF_DATA_FILES_H
#define CONF_DATA_FILES_H

#include <stdbool.h>

#include "callout/providers.h"
#include "callout/reply_rules.h"
#include "conf/problems.h"

#define DATA_FILES_PATH_MAX 4096

struct data_files {
    struct reply_rules *replies; /* one reference each */
    struct providers *providers;
    char replies_from[DATA_FILES_PATH_MAX]; /* which was taken: its path, or "NAME (built in)" */
    char providers_from[DATA_FILES_PATH_MAX];
};

/*
 * `path` is that of the configuration file. False, with a problem and without any reference, when
 * anything is wrong with what was taken.
 */
bool data_files_load(const char *path, struct data_files *out, struct config_problems *problems);

/* What is built in. The same. Both add to *problems, which are to be zeroes at first. */
bool data_files_builtin(struct reply_rules **replies, struct providers **providers,
                        struct config_problems *problems);

/* The package's data directory. In an object of its own, so that a test can put one before it. */
const char *data_files_dir(void);

#endif
