/*
 * Questions to DNS servers and the bytes that come back: c-ares on a loop. Fences c-ares; nothing
 * is kept and nothing is read here.
 *
 * Up to 3 tries a server, the first of try_ms, TCP where an answer was truncated. Neither the hosts
 * file nor search domains are used.
 *
 * Threads: the loop's only.
 */
#ifndef DNS_CHANNEL_H
#define DNS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "dns/answer.h"
#include "dns/resolver.h"

struct dns_channel;

/*
 * `msg`: a whole answer, valid during the call; else NULL, and `status` says what became of the
 * question. With a message `status` means nothing.
 */
typedef void (*dns_channel_cb)(void *arg, enum dns_status status, const uint8_t *msg, size_t len);

/* The file the servers are read from where the options name none. */
const char *dns_channel_conf_path(const struct resolver_opts *opts);

/* How long the first try of a question waits at most, in ms. */
int dns_channel_try_ms(const struct resolver_opts *opts);

/* Reads resolv.conf unless the options name servers; a missing or empty one means 127.0.0.1. */
bool dns_channel_open(struct dns_channel **c, struct loop *loop, const struct resolver_opts *opts,
                      struct error *err);

/*
 * `name` must be clean (dns_name_clean), or "" for the root. The callback fires exactly once, and
 * may do so inside this call, or at the latest inside dns_channel_close(). It must not call this
 * module.
 */
void dns_channel_ask(struct dns_channel *c, const char *name, enum dns_type type, dns_channel_cb cb,
                     void *arg);

/* Questions not answered yet. */
size_t dns_channel_pending(const struct dns_channel *c);

/* What is pending ends as SERVFAIL. Sets *c to NULL; allowed on NULL; not from a callback. */
void dns_channel_close(struct dns_channel **c);

#endif
