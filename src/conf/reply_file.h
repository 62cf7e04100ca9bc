/*
 * replies.conf: a text of it, read into a set of reply rules. doc/calloutd.conf.5.
 *
 * Threads: none.
 */
#ifndef CONF_REPLY_FILE_H
#define CONF_REPLY_FILE_H

#include <stddef.h>

#include "callout/providers.h"
#include "callout/reply_rules.h"
#include "conf/grammar.h"
#include "conf/problems.h"

extern const struct grammar reply_file_grammar;

/*
 * `name` is what its places are told by. Rules that name none of the `known` providers are warned
 * of, where that is not NULL. One reference, or NULL when anything is wrong.
 */
struct reply_rules *reply_file_read(const char *name, const char *text, size_t len,
                                    const struct providers *known,
                                    struct config_problems *problems);

#endif
