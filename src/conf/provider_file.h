/*
 * providers.conf: a text of it, read into a set of providers. doc/calloutd.conf.5.
 *
 * Threads: none.
 */
#ifndef CONF_PROVIDER_FILE_H
#define CONF_PROVIDER_FILE_H

#include <stddef.h>

#include "callout/providers.h"
#include "conf/grammar.h"
#include "conf/problems.h"

extern const struct grammar provider_file_grammar;

/*
 * `name` is what its places are told by. One reference, or NULL when anything is wrong.
 */
struct providers *provider_file_read(const char *name, const char *text, size_t len,
                                     struct config_problems *problems);

#endif
