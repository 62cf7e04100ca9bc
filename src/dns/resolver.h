/*
 * DNS answers with their TTLs, over c-ares on a loop, with a cache in memory. Fences c-ares.
 *
 * Threads: the loop's only.
 */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/netaddr.h"

#define RESOLVER_SERVERS_MAX 8

struct resolver_server {
    struct netaddr ip;
    uint16_t port;
};

/* A plain value. */
struct resolver_opts {
    size_t server_count; /* dns_servers; 0: those of resolv.conf, watched for changes */
    struct resolver_server servers[RESOLVER_SERVERS_MAX];
};

struct resolver;

bool resolver_new(struct resolver **r, struct loop *loop, const struct resolver_opts *opts,
                  struct error *err);

/* New servers (SIGHUP): later queries use them, those under way finish on the old ones. */
bool resolver_reconfigure(struct resolver *r, const struct resolver_opts *opts, struct error *err);

/* Queries under way are dropped without their callbacks: cancel or await lookups first. */
void resolver_free(struct resolver **r);

#endif
