#include "policy/class.h"

#include <strings.h>

static bool is_set(const char *s)
{
    return s != NULL && s[0] != '\0';
}

static bool in_networks(const struct policy_opts *opts, const char *text)
{
    struct netaddr ip;

    if (!is_set(text) || !netaddr_parse(text, &ip))
        return false;
    for (size_t i = 0; i < opts->network_count; i++)
        if (cidr_contains(&opts->networks[i], &ip))
            return true;
    return false;
}

enum mail_class mail_class_of(const struct policy_opts *opts, const struct mail_client *client)
{
    if (is_set(client->sasl_username) || is_set(client->ccert_fingerprint))
        return CLASS_OUTBOUND;
    return in_networks(opts, client->address) ? CLASS_OUTBOUND : CLASS_INBOUND;
}

bool domain_is_local(const struct policy_opts *opts, const char *domain)
{
    for (size_t i = 0; i < opts->local_domain_count; i++)
        if (strcasecmp(opts->local_domains[i], domain) == 0)
            return true;
    return false;
}
