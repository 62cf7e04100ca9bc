/*
 * A scripted DNS server on loopback for the tests: UDP and TCP on one port, on the same loop as
 * what is tested, so nothing ever has to be waited for but answers.
 */
#ifndef TESTS_DNS_FIXTURE_H
#define TESTS_DNS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "dns/answer.h"
#include "dns/resolver.h"

#define FIXTURE_RRS 24

enum { RR_A = 1, RR_NS = 2, RR_CNAME = 5, RR_SOA = 6, RR_MX = 15, RR_AAAA = 28 };
enum { RCODE_OK = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

/*
 * A record. Names may hold escapes as in zone files ("a\\000b.test"). `data`: an address as text or
 * a name; of an SOA unused, its minimum is `number`; of an MX the preference is `number`.
 */
struct fixture_rr {
    const char *owner;
    uint16_t type;
    uint32_t ttl;
    uint32_t number;
    const char *data;
    bool authority; /* in the authority section instead of the answer */
};

#define A(o, t, ip) \
    { \
        .owner = o, .type = RR_A, .ttl = t, .data = ip \
    }
#define AAAA(o, t, ip) \
    { \
        .owner = o, .type = RR_AAAA, .ttl = t, .data = ip \
    }
#define CNAME(o, t, name) \
    { \
        .owner = o, .type = RR_CNAME, .ttl = t, .data = name \
    }
#define MX(o, t, n, name) \
    { \
        .owner = o, .type = RR_MX, .ttl = t, .number = n, .data = name \
    }
#define NS(o, t, name) \
    { \
        .owner = o, .type = RR_NS, .ttl = t, .data = name, .authority = true \
    }
#define SOA(o, t, n) \
    { \
        .owner = o, .type = RR_SOA, .ttl = t, .number = n, .authority = true \
    }

/* What is said to one question, and how often it was put. */
struct fixture_rule {
    const char *name;
    enum dns_type type;
    int rcode;
    unsigned drop;      /* this many are not answered at first */
    unsigned garbage;   /* and this many get bytes that mean nothing */
    bool truncate;      /* over UDP: TC, and nothing in it */
    bool not_recursive; /* RA is clear */
    struct fixture_rr rrs[FIXTURE_RRS];
    unsigned asked, asked_tcp;
};

/* The message that says `rule`. Returns its length. */
size_t fixture_message(const struct fixture_rule *rule, uint16_t id, uint8_t *buf, size_t size);

struct fixture;

/*
 * Listens on `ip`, on `port` or (0) on one that is free. Rules end with a NULL name; a question
 * without a rule is answered NXDOMAIN with an SOA of 60 s.
 */
struct fixture *fixture_new(struct loop *loop, const char *ip, uint16_t port,
                            struct fixture_rule *rules);
uint16_t fixture_port(const struct fixture *f);
unsigned fixture_asked(const struct fixture *f); /* questions of any kind */
void fixture_free(struct fixture **f);

/* Options that ask this server alone. */
struct resolver_opts fixture_opts(const struct fixture *f);

#endif
