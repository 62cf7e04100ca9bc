#include "dns/ownaddr.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define KEPT_MS       5000
#define ADDRESSES_MAX 4096

/* Refused as loopback anyway, unless such places are allowed, and then they are not "we". */
static bool counts(const struct ifaddrs *i, struct netaddr *ip)
{
    return i->ifa_addr != NULL && netaddr_from_sockaddr(i->ifa_addr, ip) &&
           netaddr_scope(ip) != NETADDR_LOOPBACK;
}

static bool fill(struct own_addresses *own, const struct ifaddrs *all)
{
    size_t most = 0;
    struct netaddr ip, *ips;

    for (const struct ifaddrs *i = all; i != NULL && most < ADDRESSES_MAX; i = i->ifa_next)
        if (counts(i, &ip))
            most++;
    ips = calloc(most + 1, sizeof(*ips));
    if (ips == NULL)
        return false;
    free(own->ips);
    own->ips = ips;
    own->count = 0;
    for (const struct ifaddrs *i = all; i != NULL && own->count < most; i = i->ifa_next)
        if (counts(i, &ip))
            own->ips[own->count++] = ip;
    return true;
}

void own_addresses_refresh(struct own_addresses *own, int64_t now_ms)
{
    struct ifaddrs *all;

    if (own->known && now_ms - own->read_at < KEPT_MS)
        return;
    own->known = true;
    own->read_at = now_ms;
    if (getifaddrs(&all) != 0) {
        log_warning("cannot read this host's addresses, what is known of them stays: %s",
                    strerror(errno));
        return;
    }
    if (!fill(own, all))
        log_warning("cannot read this host's addresses, what is known of them stays: no memory");
    freeifaddrs(all);
}

void own_addresses_free(struct own_addresses *own)
{
    free(own->ips);
    *own = (struct own_addresses){0};
}
