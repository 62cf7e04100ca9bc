/*
 * How each kind of option gets into struct config: the setters of the option table.
 *
 * Threads: none.
 */
#ifndef CONF_SETTERS_H
#define CONF_SETTERS_H

#include "conf/options.h"

#define OPTION_SETTERS(X) \
    X(set_helo_name) \
    X(set_probe_sender) \
    X(set_state_dir) \
    X(set_user) \
    X(set_log) \
    X(set_mode) \
    X(set_duration) \
    X(set_seconds) \
    X(add_greylist_retry) \
    X(add_network) \
    X(add_local_domain) \
    X(add_dns_server) \
    X(set_socket_mode) \
    X(set_socket_group) \
    X(set_tls) \
    X(add_own_address) \
    X(add_source_address) \
    X(set_private_destinations) \
    X(set_port) \
    X(add_policy_listen) \
    X(set_milter_listen) \
    X(set_control_listen) \
    X(set_lifetime) \
    X(set_cache_size) \
    X(set_commit_interval) \
    X(set_unsigned) \
    X(set_rate) \
    X(set_bool) \
    X(set_catch_all_test) \
    X(set_path) \
    X(set_class_mode) \
    X(set_status_action) \
    X(set_reason_action) \
    X(set_flag_action) \
    X(set_status_reply) \
    X(set_reason_reply)

/* Of a route; the domain is its section's title. */
bool add_route_target(struct route *r, const char *value, struct error *err);
bool set_route_protocol(struct route *r, const char *value, struct error *err);
bool set_route_outage(struct route *r, const char *value, struct error *err);

#define X(name) \
    bool name(struct config *cfg, const struct option *o, const char *value, struct error *err);
OPTION_SETTERS(X)
#undef X

#endif
