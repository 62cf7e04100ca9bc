/*
 * A TCP or unix-domain connection to an SMTP or LMTP server, in plaintext and then perhaps in TLS,
 * as bytes and events. What is written goes out at once, as far as the socket takes it. It has no
 * deadlines; its owner has.
 *
 * Threads: the loop's only. Ownership: the owner closes it, also from inside any callback. No
 * callback fires inside a call made here, and none after connection_close() or on_lost.
 */
#ifndef SMTP_CONNECTION_H
#define SMTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "smtp/outcome.h"
#include "smtp/tls.h"

/* Bytes handed over at once at most; what is beyond stays in the kernel until they were read. */
#define CONNECTION_READ_MAX 16384

struct connection_handler {
    void (*on_data)(void *arg, const char *data, size_t len); /* all that could be read */
    void (*on_secured)(void *arg, const char *version);
    /* Closed by the server, or not secured; `detail` may be "". All data came before. */
    void (*on_lost)(void *arg, enum smtp_failure failure, const char *detail);
    void *arg;
};

struct connection;

/* Of a connected, non-blocking socket, which is the connection's from here on, also where it is
   NULL: out of memory. */
struct connection *connection_open(struct loop *loop, int fd,
                                   const struct connection_handler *handler);

/* False when out of memory. */
bool connection_write(struct connection *c, const void *data, size_t len);

/* The server is there and has said nothing that was not handed over; known without waiting. */
bool connection_is_quiet(const struct connection *c);

/*
 * From plaintext to TLS on the same descriptor. NONE: on_secured or on_lost follows. PROTOCOL: the
 * server has said something that is not TLS, or answered before it was asked; LOCAL: out of
 * memory. After either only connection_close() is left.
 */
enum smtp_failure connection_start_tls(struct connection *c, struct tls_context *tls,
                                       const struct tls_peer *peer);

/* The handshake rests, or has failed, on what an earlier one with the same peer had come to. */
bool connection_resumes_tls(const struct connection *c);

/* Sets *c to NULL; allowed on NULL. What was written and is not yet sent is lost. */
void connection_close(struct connection **c);

/* What an errno of socket(), connect(), read() or write() is for an outcome. */
enum smtp_failure connection_failure(int err);

#endif
