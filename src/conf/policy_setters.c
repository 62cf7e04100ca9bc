#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/setters.h"
#include "conf/values.h"

#define NETWORKS_MAX      10000
#define LOCAL_DOMAINS_MAX 100000

/* Grows an array kept in a configuration by one element; false when full or out of memory. */
static bool grow(void **array, size_t count, size_t size, size_t max, struct error *err)
{
    void *grown = count < max ? realloc(*array, (count + 1) * size) : NULL;

    if (grown == NULL) {
        error_set(err, "is one too many (%zu at most)", max);
        return false;
    }
    *array = grown;
    return true;
}

static bool read_mode(const char *value, bool *monitor, struct error *err)
{
    static const struct value_word words[] = {{"enforce", 0}, {"monitor", 1}, {NULL, 0}};
    int n;

    if (!value_word(value, words, &n, err))
        return false;
    *monitor = n == 1;
    return true;
}

bool set_mode(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    bool monitor;

    (void)o;
    if (!read_mode(value, &monitor, err))
        return false;
    for (int c = 0; c < MAIL_CLASS_COUNT; c++)
        cfg->policy->decision.monitor[c] = monitor;
    return true;
}

bool set_class_mode(struct config *cfg, const struct option *o, const char *value,
                    struct error *err)
{
    return read_mode(value, &cfg->policy->decision.monitor[o->offset], err);
}

bool add_network(struct config *cfg, const struct option *o, const char *value, struct error *err)
{
    struct policy_opts *p = cfg->policy;
    struct cidr net;

    (void)o;
    if (!cidr_parse(value, &net)) {
        error_set(err, "is no network (192.0.2.0/24; the bits behind the prefix must be 0)");
        return false;
    }
    if (!grow((void **)&p->networks, p->network_count, sizeof(net), NETWORKS_MAX, err))
        return false;
    p->networks[p->network_count++] = net;
    return true;
}

bool add_local_domain(struct config *cfg, const struct option *o, const char *value,
                      struct error *err)
{
    struct policy_opts *p = cfg->policy;
    char domain[ADDRESS_DOMAIN_MAX + 1];

    (void)o;
    if (!value_domain(value, domain, sizeof(domain), err) ||
        !grow((void **)&p->local_domains, p->local_domain_count, sizeof(char *), LOCAL_DOMAINS_MAX,
              err))
        return false;
    p->local_domains[p->local_domain_count] = strdup(domain);
    if (p->local_domains[p->local_domain_count] == NULL) {
        error_set(err, "out of memory");
        return false;
    }
    p->local_domain_count++;
    return true;
}

static bool read_action(const char *value, enum action *a, struct error *err)
{
    if (action_parse(value, a))
        return true;
    error_set(err, "is none of: accept, tempfail, reject");
    return false;
}

bool set_status_action(struct config *cfg, const struct option *o, const char *value,
                       struct error *err)
{
    enum action a;

    if (!read_action(value, &a, err))
        return false;
    decision_set_status(&cfg->policy->decision, (enum mail_class)o->offset,
                        (enum verdict_status)o->index, a);
    return true;
}

bool set_reason_action(struct config *cfg, const struct option *o, const char *value,
                       struct error *err)
{
    enum action a;

    if (!read_action(value, &a, err))
        return false;
    cfg->policy->decision.actions[o->offset][o->index] = a;
    return true;
}

bool set_flag_action(struct config *cfg, const struct option *o, const char *value,
                     struct error *err)
{
    return read_action(value, &cfg->policy->decision.flag_actions[o->offset][o->index], err);
}

static void put_reply(struct config *cfg, int reason, const char *text)
{
    char *to = cfg->policy->decision.reply[reason];

    (void)str_copy(to, sizeof(cfg->policy->decision.reply[reason]), text);
}

bool set_status_reply(struct config *cfg, const struct option *o, const char *value,
                      struct error *err)
{
    if (!template_check(value, err))
        return false;
    for (int r = 0; r < VERDICT_REASON_COUNT; r++)
        if (verdict_reason_status((enum verdict_reason)r) == (enum verdict_status)o->index)
            put_reply(cfg, r, value);
    return true;
}

bool set_reason_reply(struct config *cfg, const struct option *o, const char *value,
                      struct error *err)
{
    if (!template_check(value, err))
        return false;
    put_reply(cfg, o->index, value);
    return true;
}

bool set_catch_all_test(struct config *cfg, const struct option *o, const char *value,
                        struct error *err)
{
    static const struct value_word words[] = {
#define X(id, name) {name, CATCH_ALL_TEST_##id},
        CATCH_ALL_TESTS(X)
#undef X
            {NULL, 0}};
    int n;

    (void)o;
    if (!value_word(value, words, &n, err))
        return false;
    cfg->policy->catch_all_test = (enum catch_all_test)n;
    return true;
}
