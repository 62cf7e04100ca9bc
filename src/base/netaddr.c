#include "base/netaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static unsigned netaddr_bits(const struct netaddr *a)
{
    return a->family == AF_INET ? 32 : 128;
}

bool netaddr_parse(const char *text, struct netaddr *out)
{
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, out->bytes) == 1)
        out->family = AF_INET;
    else if (inet_pton(AF_INET6, text, out->bytes) == 1)
        out->family = AF_INET6;
    else
        return false;
    return true;
}

/* True when the first `bits` bits are the same. */
static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00U >> rest);

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

static bool host_bits_clear(const struct cidr *net)
{
    unsigned total = netaddr_bits(&net->base);

    for (unsigned i = net->bits; i < total; i++)
        if (net->base.bytes[i / 8] & (0x80U >> (i % 8)))
            return false;
    return true;
}

bool netaddr_parse_port(const char *text, size_t len, uint16_t *port)
{
    unsigned n = 0;

    for (size_t i = 0; i < len && n <= 65535; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (unsigned)(text[i] - '0');
    }
    *port = (uint16_t)n;
    return n >= 1 && n <= 65535;
}

bool cidr_parse(const char *text, struct cidr *out)
{
    char addr[NETADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char *end;

    if (!str_copyn(addr, sizeof(addr), text, len) || !netaddr_parse(addr, &out->base))
        return false;
    out->bits = netaddr_bits(&out->base);
    if (slash == NULL)
        return true;
    if (slash[1] < '0' || slash[1] > '9')
        return false;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || bits > out->bits)
        return false;
    out->bits = (unsigned)bits;
    return host_bits_clear(out);
}

/*
 * The IPv4 address inside an IPv6 one, where there is one: mapped (RFC 4291 2.5.5.2), the NAT64
 * well-known prefix (RFC 6052 2.1), 6to4 (RFC 3056 2).
 */
static bool embedded_v4(const struct netaddr *a, bool mapped_only, struct netaddr *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    size_t at;

    if (a->family != AF_INET6)
        return false;
    if (memcmp(a->bytes, mapped, 12) == 0)
        at = 12;
    else if (mapped_only)
        return false;
    else if (memcmp(a->bytes, nat64, 12) == 0)
        at = 12;
    else if (a->bytes[0] == 0x20 && a->bytes[1] == 0x02)
        at = 2;
    else
        return false;
    memset(out, 0, sizeof(*out));
    out->family = AF_INET;
    memcpy(out->bytes, a->bytes + at, 4);
    return true;
}

bool cidr_contains(const struct cidr *net, const struct netaddr *addr)
{
    struct netaddr v4;

    if (net->base.family == AF_INET && embedded_v4(addr, true, &v4))
        addr = &v4;
    return net->base.family == addr->family &&
           prefix_equal(net->base.bytes, addr->bytes, net->bits);
}

bool netaddr_equal(const struct netaddr *a, const struct netaddr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static enum netaddr_scope scope_v4(const uint8_t *b)
{
    if (b[0] == 0)
        return NETADDR_UNSPECIFIED;
    if (b[0] == 127)
        return NETADDR_LOOPBACK;
    if (b[0] == 169 && b[1] == 254)
        return NETADDR_LINK_LOCAL;
    if (b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
        (b[0] == 100 && (b[1] & 0xc0) == 64))
        return NETADDR_PRIVATE;
    if (b[0] >= 224)
        return NETADDR_MULTICAST;
    return NETADDR_GLOBAL;
}

static enum netaddr_scope scope_v6(const uint8_t *b)
{
    static const uint8_t zero[16];

    if (memcmp(b, zero, 15) == 0 && b[15] <= 1)
        return b[15] == 0 ? NETADDR_UNSPECIFIED : NETADDR_LOOPBACK;
    if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
        return NETADDR_LINK_LOCAL;
    if ((b[0] & 0xfe) == 0xfc || (b[0] == 0xfe && (b[1] & 0xc0) == 0xc0))
        return NETADDR_PRIVATE;
    if (b[0] == 0xff)
        return NETADDR_MULTICAST;
    return NETADDR_GLOBAL;
}

enum netaddr_scope netaddr_scope(const struct netaddr *addr)
{
    struct netaddr v4;

    if (addr->family == AF_INET)
        return scope_v4(addr->bytes);
    if (addr->family != AF_INET6)
        return NETADDR_UNSPECIFIED;
    if (embedded_v4(addr, false, &v4))
        return scope_v4(v4.bytes);
    return scope_v6(addr->bytes);
}

/* inet_ntop() does that by printf, and it is done for every line of the log. */
static void format_ipv4(const uint8_t bytes[4], char buf[NETADDR_TEXT_MAX])
{
    char *at = buf;

    for (int i = 0; i < 4; i++) {
        unsigned n = bytes[i];

        if (n >= 100)
            *at++ = (char)('0' + n / 100);
        if (n >= 10)
            *at++ = (char)('0' + n / 10 % 10);
        *at++ = (char)('0' + n % 10);
        *at++ = i < 3 ? '.' : '\0';
    }
}

const char *netaddr_format(const struct netaddr *addr, char buf[NETADDR_TEXT_MAX])
{
    if (addr->family == AF_INET)
        format_ipv4(addr->bytes, buf);
    else if (addr->family == AF_UNSPEC ||
             inet_ntop(addr->family, addr->bytes, buf, NETADDR_TEXT_MAX) == NULL)
        buf[0] = '\0';
    return buf;
}

socklen_t netaddr_to_sockaddr(const struct netaddr *addr, uint16_t port,
                              struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (addr->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;

        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, addr->bytes, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, addr->bytes, 16);
    return sizeof(*in6);
}

bool netaddr_from_sockaddr(const struct sockaddr *sa, struct netaddr *out)
{
    memset(out, 0, sizeof(*out));
    if (sa->sa_family == AF_INET)
        memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    else if (sa->sa_family == AF_INET6)
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    else
        return false;
    out->family = sa->sa_family;
    return true;
}
