#include "conf/setters.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/values.h"
#include "frontend/milter_socket.h"

/* Checked, and found when it is empty, by conf/helo once the whole file is read. */
bool set_helo_name(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    (void)o;
    return value_text(value, cfg->verifier.session.helo_name,
                      sizeof(cfg->verifier.session.helo_name), err);
}

/* Index 0: the usual one. 1: the one in place of a null sender that is refused. */
bool set_probe_sender(struct config *cfg, const struct option *o, const char *value,
                      struct error *err)
{
    char *sender = o->index == 0 ? cfg->verifier.probe_sender : cfg->verifier.probe_sender_fallback;
    char *own = cfg->policy->own_senders[o->index];
    struct address a;
    const char *why;

    sender[0] = own[0] = '\0';
    if (value[0] == '\0')
        return true;
    if (!address_parse(value, strlen(value), &a, &why)) {
        error_set(err, "is no mail address: %s", why);
        return false;
    }
    if (a.smtputf8) {
        error_set(err, "must be ASCII: not every server takes another sender");
        return false;
    }
    address_format(&a, sender);
    (void)str_copy(own, ADDRESS_TEXT_SIZE, a.canonical);
    return true;
}

bool set_state_dir(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    (void)o;
    if (value[0] != '/') {
        error_set(err, "is no absolute path");
        return false;
    }
    return value_text(value, cfg->state_dir, sizeof(cfg->state_dir), err) &&
           value_text(value, cfg->store.dir, sizeof(cfg->store.dir), err);
}

bool set_user(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    (void)o;
    if (value[0] == '\0') {
        error_set(err, "is empty");
        return false;
    }
    return value_text(value, cfg->user, sizeof(cfg->user), err);
}

bool set_log(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    static const struct value_word words[] = {{"syslog", LOG_TARGET_SYSLOG},
                                              {"stderr", LOG_TARGET_STDERR},
                                              {"journal", LOG_TARGET_JOURNAL},
                                              {NULL, 0}};
    int n;

    (void)o;
    if (!value_word(value, words, &n, err))
        return false;
    cfg->log.target = (enum log_target)n;
    return true;
}

bool set_duration(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    return value_duration(value, (int64_t)o->min, (int64_t)o->max, option_member(cfg, o), err);
}

/* What counts whole seconds does not take a part of one for none. */
bool set_seconds(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    int64_t ms;

    if (!value_duration(value, (int64_t)o->min, (int64_t)o->max, &ms, err))
        return false;
    if (ms % 1000 != 0) {
        error_set(err, "is no whole number of seconds");
        return false;
    }
    *(int64_t *)option_member(cfg, o) = ms / 1000;
    return true;
}

bool add_greylist_retry(struct config *cfg, const struct option *o, const char *value,
                        struct error *err)
{
    struct greylist_opts *g = &cfg->verifier.greylist;

    if (g->count == GREYLIST_STEPS_MAX) {
        error_set(err, "is one too many (%d at most)", GREYLIST_STEPS_MAX);
        return false;
    }
    if (!value_duration(value, (int64_t)o->min, (int64_t)o->max, &g->retry_ms[g->count], err))
        return false;
    g->count++;
    return true;
}

bool add_dns_server(struct config *cfg, const struct option *o, const char *value,
                    struct error *err)
{
    struct resolver_opts *r = &cfg->verifier.resolver;

    (void)o;
    if (r->server_count == RESOLVER_SERVERS_MAX) {
        error_set(err, "is one too many (%d at most)", RESOLVER_SERVERS_MAX);
        return false;
    }
    if (!value_server(value, &r->servers[r->server_count], err))
        return false;
    r->server_count++;
    return true;
}

bool set_socket_mode(struct config *cfg, const struct option *o, const char *value,
                     struct error *err)
{
    unsigned mode;

    (void)o;
    if (!value_mode(value, &mode, err))
        return false;
    cfg->listener.socket_mode = (mode_t)mode;
    return true;
}

bool set_socket_group(struct config *cfg, const struct option *o, const char *value,
                      struct error *err)
{
    (void)o;
    return value_text(value, cfg->listener.socket_group, sizeof(cfg->listener.socket_group), err);
}

bool set_tls(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    static const struct value_word words[] = {{"none", TLS_NONE},
                                              {"may", TLS_MAY},
                                              {"encrypt", TLS_ENCRYPT},
                                              {"verify", TLS_VERIFY},
                                              {NULL, 0}};
    int n;

    (void)o;
    if (!value_word(value, words, &n, err))
        return false;
    cfg->verifier.session.tls = (enum tls_mode)n;
    return true;
}

bool add_own_address(struct config *cfg, const struct option *o, const char *value,
                     struct error *err)
{
    struct mxlist_opts *mx = &cfg->verifier.mx;

    (void)o;
    if (mx->own_count == MX_OWN_MAX) {
        error_set(err, "is one too many (%d at most)", MX_OWN_MAX);
        return false;
    }
    if (!netaddr_parse(value, &mx->own[mx->own_count])) {
        error_set(err, "is no IP address");
        return false;
    }
    mx->own_count++;
    return true;
}

/* What a socket for TCP to somebody else can be bound to; IPv4 in IPv6 goes by its IPv4 address. */
static bool is_source(const struct netaddr *ip)
{
    const struct cidr ipv4 = {.base = {.family = AF_INET}};

    if (ip->family == AF_INET6 && cidr_contains(&ipv4, ip))
        return false;
    switch (netaddr_scope(ip)) {
    case NETADDR_UNSPECIFIED:
    case NETADDR_LINK_LOCAL:
    case NETADDR_MULTICAST:
        return false;
    case NETADDR_GLOBAL:
    case NETADDR_LOOPBACK:
    case NETADDR_PRIVATE:
        break;
    }
    return true;
}

bool add_source_address(struct config *cfg, const struct option *o, const char *value,
                        struct error *err)
{
    struct sources_opts *pool = &cfg->verifier.sources;
    struct netaddr ip;

    (void)o;
    if (pool->count == SOURCES_MAX) {
        error_set(err, "is one too many (%d at most)", SOURCES_MAX);
        return false;
    }
    if (!netaddr_parse(value, &ip)) {
        error_set(err, "is no IP address");
        return false;
    }
    if (!is_source(&ip)) {
        error_set(err, "is no address that a connection can come from");
        return false;
    }
    for (size_t i = 0; i < pool->count; i++) {
        if (netaddr_equal(&pool->list[i], &ip)) {
            error_set(err, "is given twice");
            return false;
        }
    }
    pool->list[pool->count++] = ip;
    return true;
}

bool set_private_destinations(struct config *cfg, const struct option *o, const char *value,
                              struct error *err)
{
    static const struct value_word words[] = {{"refuse", 0}, {"allow", 1}, {NULL, 0}};
    int n;

    (void)o;
    if (!value_word(value, words, &n, err))
        return false;
    cfg->verifier.mx.allow_private = n == 1;
    return true;
}

bool set_port(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    uint64_t n;

    if (!value_number(value, o->min, o->max, &n, err))
        return false;
    *(uint16_t *)option_member(cfg, o) = (uint16_t)n;
    return true;
}

bool set_unsigned(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    uint64_t n;

    if (!value_number(value, o->min, o->max, &n, err))
        return false;
    *(unsigned *)option_member(cfg, o) = (unsigned)n;
    return true;
}

bool set_rate(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    return value_rate(value, option_member(cfg, o), err);
}

bool set_bool(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    return value_bool(value, option_member(cfg, o), err);
}

bool set_path(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    return value_text(value, option_member(cfg, o), CONFIG_PATH_MAX, err);
}

bool set_cache_size(struct config *cfg, const struct option *o, const char *value,
                    struct error *err)
{
    return value_size(value, o->min, o->max, &cfg->store.size, err);
}

bool set_commit_interval(struct config *cfg, const struct option *o, const char *value,
                         struct error *err)
{
    int64_t ms;

    if (!value_duration(value, (int64_t)o->min, (int64_t)o->max, &ms, err))
        return false;
    cfg->store.commit_ms = (unsigned)ms;
    return true;
}

static bool read_listen(const char *value, struct listen_spec *out, struct error *err)
{
    struct error why; /* it repeats the value */

    if (listen_spec_parse(value, out, &why) && (out->ip.family == AF_UNSPEC || out->port > 0))
        return true;
    error_set(err, "is neither \"inet:ADDRESS:PORT\" nor \"unix:/PATH\" (of at most %zu octets)",
              sizeof(out->path) - 1);
    return false;
}

bool add_policy_listen(struct config *cfg, const struct option *o, const char *value,
                       struct error *err)
{
    size_t count = cfg->policy_listen_count;

    (void)o;
    if (count == CONFIG_LISTEN_MAX) {
        error_set(err, "is one too many (%d at most)", CONFIG_LISTEN_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cfg->policy_listen[i].text, value) == 0) {
            error_set(err, "is given twice");
            return false;
        }
    }
    if (!read_listen(value, &cfg->policy_listen[count], err))
        return false;
    cfg->policy_listen_count++;
    return true;
}

/* "": there is no milter. */
bool set_milter_listen(struct config *cfg, const struct option *o, const char *value,
                       struct error *err)
{
    struct listen_spec spec;

    (void)o;
    return (value[0] == '\0' || milter_socket_parse(value, &spec, err)) &&
           value_text(value, cfg->milter_listen, sizeof(cfg->milter_listen), err);
}

bool set_control_listen(struct config *cfg, const struct option *o, const char *value,
                        struct error *err)
{
    (void)o;
    if (!read_listen(value, &cfg->control_listen, err))
        return false;
    if (cfg->control_listen.ip.family == AF_UNSPEC)
        return true;
    error_set(err, "needs a token, which this version does not have: use \"unix:/PATH\"");
    return false;
}

/* First refresh, then forget: {7d, 31d}. Kept in seconds. */
bool set_lifetime(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    struct lifetime *life = option_member(cfg, o);
    int64_t ms;

    if (!value_duration(value, (int64_t)o->min, (int64_t)o->max, &ms, err))
        return false;
    if (life->refresh == 0) {
        life->refresh = ms / 1000;
    } else if (life->forget != 0) {
        error_set(err, "is one too many: {refresh after, forget after}");
        return false;
    } else {
        life->forget = ms / 1000;
    }
    return true;
}
