#include "conf/options.h"

#include "conf/restart.h"
#include "conf/setters.h"
#include "conf/values.h"

#define AT(member)        .offset = offsetof(struct config, member)
#define AT_POLICY(member) .offset = offsetof(struct policy_opts, member), .in_policy = true
#define HOUR              INT64_C(3600000)

#define LIFETIME(nm, member, dflt) \
    { \
        .section = "cache", .name = nm, .set = set_lifetime, AT(verifier.member), .list = true, \
        .min = 1000, .max = 3650 * 24 * HOUR, .fallback = dflt \
    }

#define ACTION(class, cls, nm, setter, n) \
    { \
        .section = "action " class, .name = nm, .set = setter, .index = n, .offset = CLASS_##cls \
    }

/* Who is not called out is no matter of configuration. */
#define NOT_ASKED(id, setter) REASON_##id == REASON_SKIPPED ? NULL : (setter)
#define NO_KEY(id, text)      REASON_##id == REASON_SKIPPED ? (text) : NULL

#define ACTION_REASON(class, cls, id, nm) \
    { \
        .section = "action " class, .name = nm, .set = NOT_ASKED(id, set_reason_action), \
        .index = REASON_##id, .offset = CLASS_##cls, \
        .refusal = NO_KEY(id, "there is no such key: who is not called out is always accepted") \
    }

#define ACTION_STATUS(class, cls, id, nm) ACTION(class, cls, nm, set_status_action, STATUS_##id)
#define ACTION_FLAG(class, cls, id, nm)   ACTION(class, cls, nm, set_flag_action, FLAG_##id)

#define REPLY_STATUS(id, nm) \
    { \
        .section = "reply", .name = nm, .set = set_status_reply, .index = STATUS_##id \
    }
#define REPLY_REASON(id, nm) \
    { \
        .section = "reply", .name = nm, .set = NOT_ASKED(id, set_reason_reply), \
        .index = REASON_##id, \
        .refusal = NO_KEY(id, "there is no such key: who is not called out is always accepted") \
    }

/* In the order they are set: the less specific (the mode of all classes; statuses) first. */
const struct option option_table[] = {
    {.section = "", .name = "helo_name", .set = set_helo_name, .fallback = ""},
    {.section = "", .name = "probe_sender", .set = set_probe_sender, .fallback = ""},
    {.section = "",
     .name = "probe_sender_fallback",
     .set = set_probe_sender,
     .index = 1,
     .fallback = ""},
    {.section = "",
     .name = "fold_local_part",
     .set = set_bool,
     AT_POLICY(fold_local_part),
     .fallback = "true"},
    {.section = "",
     .name = "state_dir",
     .set = set_state_dir,
     .same = same_state_dir,
     .fallback = "/var/lib/calloutd"},
    {.section = "", .name = "user", .set = set_user, .same = same_user, .fallback = "calloutd"},
    {.section = "", .name = "log", .set = set_log, .fallback = "syslog"},
    {.section = "", .name = "mode", .set = set_mode, .fallback = "enforce"},
    {.section = "",
     .name = "wait",
     .set = set_duration,
     AT_POLICY(wait_ms),
     .min = 1,
     .max = 100000,
     .fallback = "6s"},
    {.section = "",
     .name = "networks",
     .set = add_network,
     .list = true,
     .fallback = "127.0.0.0/8 ::1"},
    {.section = "", .name = "local_domains", .set = add_local_domain, .list = true, .fallback = ""},
    {.section = "", .name = "dns_servers", .set = add_dns_server, .list = true, .fallback = ""},
    {.section = "",
     .name = "socket_mode",
     .set = set_socket_mode,
     .same = same_socket_mode,
     .fallback = "0660"},
    {.section = "",
     .name = "socket_group",
     .set = set_socket_group,
     .same = same_socket_group,
     .fallback = ""},
    {.section = "", .name = "tls", .set = set_tls, .fallback = "may"},
    {.section = "", .name = "own_addresses", .set = add_own_address, .list = true, .fallback = ""},
    {.section = "",
     .name = "source_addresses",
     .set = add_source_address,
     .list = true,
     .fallback = ""},
    {.section = "",
     .name = "private_destinations",
     .set = set_private_destinations,
     .fallback = "refuse"},
    {.section = "",
     .name = "smtp_port",
     .set = set_port,
     AT(verifier.smtp_port),
     .min = 1,
     .max = 65535,
     .fallback = "25"},
    {.section = "policy",
     .name = "listen",
     .set = add_policy_listen,
     .list = true,
     .same = same_policy_listen,
     .fallback = "inet:127.0.0.1:8893"},
    {.section = "milter",
     .name = "listen",
     .set = set_milter_listen,
     .same = same_milter_listen,
     .fallback = "inet:8894@127.0.0.1"},
    {.section = "control",
     .name = "listen",
     .set = set_control_listen,
     .same = same_control_listen,
     .fallback = "unix:/run/calloutd/control"},
    LIFETIME("valid", lifetimes[STATUS_VALID], "7d 31d"),
    LIFETIME("invalid", lifetimes[STATUS_INVALID], "3h 3d"),
    LIFETIME("routed_invalid", routed_invalid, "5m 1h"),
    LIFETIME("catch_all", lifetimes[STATUS_CATCH_ALL], "7d 31d"),
    LIFETIME("unknown", lifetimes[STATUS_UNKNOWN], "1h 12h"),
    LIFETIME("deferred", lifetimes[STATUS_DEFERRED], "5m 1h"),
    {.section = "cache",
     .name = "size",
     .set = set_cache_size,
     .same = same_cache_size,
     .min = UINT64_C(1) << 20,
     .max = UINT64_C(1) << 46,
     .fallback = "4GiB"},
    {.section = "cache",
     .name = "commit_interval",
     .set = set_commit_interval,
     .same = same_commit_interval,
     .min = 1,
     .max = 1000,
     .fallback = "10ms"},
    {.section = "cache",
     .name = "commit_records",
     .set = set_unsigned,
     AT(store.commit_max),
     .same = same_commit_records,
     .min = 1,
     .max = 8192,
     .fallback = "1000"},
    {.section = "cache",
     .name = "confirm_invalid",
     .set = set_seconds,
     AT(verifier.confirm_invalid),
     .max = 24 * HOUR,
     .fallback = "5m"},
    {.section = "catch_all", .name = "test", .set = set_catch_all_test, .fallback = "auto"},
    {.section = "catch_all",
     .name = "probes",
     .set = set_unsigned,
     AT(verifier.catch_all_probes),
     .max = 3,
     .fallback = "2"},
    {.section = "greylist",
     .name = "retry",
     .set = add_greylist_retry,
     .list = true,
     .min = 1000,
     .max = 24 * HOUR,
     .fallback = "5m 10m 15m 30m 60m"},
    {.section = "limit",
     .name = "connections",
     .set = set_unsigned,
     AT(verifier.limits.connections),
     .min = 1,
     .max = LIMIT_CONNECTIONS_MAX,
     .fallback = "2"},
    {.section = "limit",
     .name = "per_connection",
     .set = set_unsigned,
     AT(verifier.limits.per_connection),
     .min = 1,
     .max = LIMIT_RECIPIENTS_MAX,
     .fallback = "20"},
    {.section = "limit",
     .name = "rate",
     .set = set_rate,
     AT(verifier.limits.rate_milli),
     .fallback = "2/s"},
    {.section = "limit",
     .name = "burst",
     .set = set_unsigned,
     AT(verifier.limits.burst),
     .min = 1,
     .max = LIMIT_BURST_MAX,
     .fallback = "20"},
    {.section = "limit",
     .name = "total",
     .set = set_unsigned,
     AT(verifier.total),
     .min = 1,
     .max = 100000,
     .fallback = "1000"},
    {.section = "limit",
     .name = "max_waiting",
     .set = set_unsigned,
     AT(verifier.max_waiting),
     .min = 1,
     .max = 100000,
     .fallback = "500"},
    {.section = "brake",
     .name = "invalid",
     .set = set_unsigned,
     AT_POLICY(brake.invalid),
     .max = 1000000,
     .fallback = "50"},
    {.section = "brake",
     .name = "share",
     .set = set_unsigned,
     AT_POLICY(brake.share),
     .min = 1,
     .max = 100,
     .fallback = "50"},
    {.section = "brake",
     .name = "window",
     .set = set_duration,
     AT_POLICY(brake.window_ms),
     .min = 1000,
     .max = 31 * 24 * HOUR,
     .fallback = "1h"},
    {.section = "timeout",
     .name = "connect",
     .set = set_duration,
     AT(verifier.session.connect_ms),
     .min = 1,
     .max = HOUR,
     .fallback = "10s"},
    {.section = "timeout",
     .name = "greeting",
     .set = set_duration,
     AT(verifier.session.greeting_ms),
     .min = 1,
     .max = HOUR,
     .fallback = "30s"},
    {.section = "timeout",
     .name = "command",
     .set = set_duration,
     AT(verifier.session.command_ms),
     .min = 1,
     .max = HOUR,
     .fallback = "30s"},
    {.section = "timeout",
     .name = "tls",
     .set = set_duration,
     AT(verifier.session.tls_ms),
     .min = 1,
     .max = HOUR,
     .fallback = "15s"},
    {.section = "timeout",
     .name = "callout",
     .set = set_duration,
     AT(verifier.callout_ms),
     .min = 1,
     .max = HOUR,
     .fallback = "120s"},
    {.section = "timeout",
     .name = "idle",
     .set = set_duration,
     AT(verifier.idle_ms),
     .max = HOUR,
     .fallback = "5s"},
    {.section = OPTION_ROUTES,
     .name = "to",
     .set_route = add_route_target,
     .list = true,
     .one_or_list = true},
    {.section = OPTION_ROUTES,
     .name = "protocol",
     .set_route = set_route_protocol,
     .fallback = "smtp"},
    {.section = OPTION_ROUTES,
     .name = "outage",
     .set_route = set_route_outage,
     .fallback = "stale"},
    {.section = "sender_callout",
     .name = "enable",
     .set = set_bool,
     AT_POLICY(sender_callout),
     .fallback = "false"},
    {.section = "exempt",
     .name = "recipients",
     .set = set_path,
     AT(exempt.recipients),
     .fallback = ""},
    {.section = "exempt", .name = "senders", .set = set_path, AT(exempt.senders), .fallback = ""},
    {.section = "exempt", .name = "clients", .set = set_path, AT(exempt.clients), .fallback = ""},
    ACTION("outbound", OUTBOUND, "mode", set_class_mode, 0),
#define X(id, nm) ACTION_STATUS("outbound", OUTBOUND, id, nm),
    VERDICT_STATUSES(X)
#undef X
#define X(id, nm, status) ACTION_REASON("outbound", OUTBOUND, id, nm),
        VERDICT_REASONS(X)
#undef X
#define X(id, nm) ACTION_FLAG("outbound", OUTBOUND, id, nm),
            ADDRESS_FLAGS(X)
#undef X
                ACTION("inbound", INBOUND, "mode", set_class_mode, 0),
#define X(id, nm) ACTION_STATUS("inbound", INBOUND, id, nm),
    VERDICT_STATUSES(X)
#undef X
#define X(id, nm, status) ACTION_REASON("inbound", INBOUND, id, nm),
        VERDICT_REASONS(X)
#undef X
#define X(id, nm) ACTION_FLAG("inbound", INBOUND, id, nm),
            ADDRESS_FLAGS(X)
#undef X
                ACTION("sender", SENDER, "mode", set_class_mode, 0),
#define X(id, nm) ACTION_STATUS("sender", SENDER, id, nm),
    VERDICT_STATUSES(X)
#undef X
#define X(id, nm, status) ACTION_REASON("sender", SENDER, id, nm),
        VERDICT_REASONS(X)
#undef X
#define X(id, nm) ACTION_FLAG("sender", SENDER, id, nm),
            ADDRESS_FLAGS(X)
#undef X
#define X(id, nm) REPLY_STATUS(id, nm),
                VERDICT_STATUSES(X)
#undef X
#define X(id, nm, status) REPLY_REASON(id, nm),
                    VERDICT_REASONS(X)
#undef X
};

const size_t option_count = sizeof(option_table) / sizeof(option_table[0]);

static bool option_key(size_t index, struct grammar_key *out)
{
    const struct option *o = &option_table[index];

    if (index >= option_count)
        return false;
    *out = (struct grammar_key){
        .section = o->section,
        .name = o->name,
        .list = o->list,
        .one_or_list = o->one_or_list,
        .refusal = o->refusal,
    };
    return true;
}

static const char *const option_titles[] = {"route \"example.com\"", "action \"outbound\"", NULL};

const struct grammar option_grammar = {
    .key = option_key,
    .titles = option_titles,
    .includes = true,
};

void *option_member(struct config *cfg, const struct option *o)
{
    return (o->in_policy ? (char *)cfg->policy : (char *)cfg) + o->offset;
}
