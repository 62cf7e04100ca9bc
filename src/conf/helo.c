#include "conf/helo.h"

#include <netdb.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/str.h"
#include "conf/values.h"
#include "smtp/address.h"

static const char *const hint = "set helo_name to this host's name in the DNS, or to an address "
                                "literal such as \"[192.0.2.1]\"";

static bool is_literal(const char *name)
{
    char text[ADDRESS_TEXT_SIZE];
    struct address a;
    const char *why;

    return name[0] == '[' && str_format(text, sizeof(text), "a@%s", name) &&
           address_parse(text, strlen(text), &a, &why) && a.literal.family != AF_UNSPEC;
}

static bool is_localhost(const char *name)
{
    return strcasecmp(name, "localhost") == 0 || str_has_suffix(name, ".localhost") ||
           str_has_suffix(name, ".localdomain");
}

/* Puts a good name in place as it goes on the wire: lower case, A-labels. */
static bool check_name(char *name, size_t size, const char **warning, struct error *err)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct netaddr ip;
    struct error why;

    if (is_literal(name)) {
        *warning = "servers trust an address literal less than a name";
        return true;
    }
    if (netaddr_parse(name, &ip))
        error_set(err, "\"%s\" is an address without its brackets: %s", name, hint);
    else if (is_localhost(name) || strchr(name, '.') == NULL)
        error_set(err, "\"%s\" is no name that servers accept: %s", name, hint);
    else if (!value_domain(name, domain, sizeof(domain), &why))
        error_set(err, "\"%s\" %s: %s", name, why.text, hint);
    else
        return str_copy(name, size, domain);
    return false;
}

/* What `hostname -f` prints. */
static bool find_fqdn(char *name, size_t size)
{
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}, *found;
    char host[256] = "";
    bool ok;

    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
        return false;
    if (strchr(host, '.') != NULL && !is_localhost(host))
        return str_copy(name, size, host);
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return str_copy(name, size, host);
    ok = str_copy(name, size, found->ai_canonname != NULL ? found->ai_canonname : host);
    freeaddrinfo(found);
    return ok;
}

bool helo_settle(char *name, size_t size, const char **warning, struct error *err)
{
    *warning = NULL;
    if (name[0] == '\0' && !find_fqdn(name, size)) {
        error_set(err, "this host has no name: %s", hint);
        return false;
    }
    return check_name(name, size, warning, err);
}
