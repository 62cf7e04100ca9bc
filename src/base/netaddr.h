/*
 * IP addresses and networks as values: parsing, printing, matching, and what kind of place an
 * address names (RFC 6890 registries, RFC 4193, RFC 6052). No names, no sockets opened.
 *
 * Threads: any.
 */
#ifndef BASE_NETADDR_H
#define BASE_NETADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NETADDR_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

struct netaddr {
    int family;        /* AF_INET or AF_INET6; AF_UNSPEC: none */
    uint8_t bytes[16]; /* network order; AF_INET uses the first 4, the rest is zero */
};

struct cidr {
    struct netaddr base;
    unsigned bits; /* prefix length; 0..32 or 0..128 */
};

/*
 * What an address is good for as a callout's target. Documentation networks (192.0.2.0/24 and
 * their like) count as global. IPv4 inside IPv6 (mapped ::ffff:0:0/96, RFC 6052 64:ff9b::/96,
 * 6to4 2002::/16) is judged by the IPv4 address.
 */
enum netaddr_scope {
    NETADDR_GLOBAL,
    NETADDR_UNSPECIFIED, /* 0.0.0.0/8, :: */
    NETADDR_LOOPBACK,    /* 127.0.0.0/8, ::1 */
    NETADDR_LINK_LOCAL,  /* 169.254.0.0/16, fe80::/10 */
    NETADDR_PRIVATE,     /* RFC 1918, 100.64.0.0/10, fc00::/7, fec0::/10 */
    NETADDR_MULTICAST,   /* 224.0.0.0/4, ff00::/8, and 240.0.0.0/4 with the broadcast address */
};

/* Strict textual forms (inet_pton); no scope ids, no surrounding space. */
bool netaddr_parse(const char *text, struct netaddr *out);

/* A port of TCP in decimal digits, 1 to 65535, in `len` octets. */
bool netaddr_parse_port(const char *text, size_t len, uint16_t *port);

/* "192.0.2.0/24", "2001:db8::/32", or a bare address (all bits). Host bits set are an error. */
bool cidr_parse(const char *text, struct cidr *out);

/* An IPv4-mapped IPv6 address matches IPv4 networks. */
bool cidr_contains(const struct cidr *net, const struct netaddr *addr);

bool netaddr_equal(const struct netaddr *a, const struct netaddr *b);
enum netaddr_scope netaddr_scope(const struct netaddr *addr);

/* Writes the canonical text (RFC 5952); returns `buf`. */
const char *netaddr_format(const struct netaddr *addr, char buf[NETADDR_TEXT_MAX]);

/* Fills a socket address; returns its length. `port` in host order. */
socklen_t netaddr_to_sockaddr(const struct netaddr *addr, uint16_t port,
                              struct sockaddr_storage *out);

/* False for families other than AF_INET and AF_INET6. */
bool netaddr_from_sockaddr(const struct sockaddr *sa, struct netaddr *out);

#endif
