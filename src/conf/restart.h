/*
 * Which options a reload cannot take: for each, whether two configurations agree on it.
 *
 * Threads: any; pure.
 */
#ifndef CONF_RESTART_H
#define CONF_RESTART_H

#include <stdbool.h>

#include "conf/config.h"

bool same_state_dir(const struct config *a, const struct config *b);
bool same_user(const struct config *a, const struct config *b);
bool same_socket_mode(const struct config *a, const struct config *b);
bool same_socket_group(const struct config *a, const struct config *b);
bool same_policy_listen(const struct config *a, const struct config *b);
bool same_milter_listen(const struct config *a, const struct config *b);
bool same_control_listen(const struct config *a, const struct config *b);
bool same_cache_size(const struct config *a, const struct config *b);
bool same_commit_interval(const struct config *a, const struct config *b);
bool same_commit_records(const struct config *a, const struct config *b);

#endif
