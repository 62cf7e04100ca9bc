/*
 * TLS as bare_callout needs it: OpenSSL on the socket itself, with the options and checks that
 * smtp/tls has under `tls = may`.
 */
#ifndef BARE_TLS_H
#define BARE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bare_tls_context;
struct bare_tls;

enum bare_tls_step { BARE_TLS_DONE, BARE_TLS_WAITING, BARE_TLS_FAILED };

/* With `resume`: each of so many targets is asked to go on with the last session it gave. */
struct bare_tls_context *bare_tls_context_new(unsigned targets, bool resume);
void bare_tls_context_free(struct bare_tls_context **ctx);

/* Of all that were made; 0 of NULL. */
unsigned bare_tls_handshakes(const struct bare_tls_context *ctx);
unsigned bare_tls_resumed(const struct bare_tls_context *ctx);

/* On a connected socket, which stays the caller's. NULL when out of memory. */
struct bare_tls *bare_tls_new(struct bare_tls_context *ctx, int fd, unsigned target,
                              const char *name);
void bare_tls_free(struct bare_tls **tls);

enum bare_tls_step bare_tls_handshake(struct bare_tls *tls);

/* As recv(2) and send(2) have it: errno is EAGAIN where there is nothing yet. */
ssize_t bare_tls_read(struct bare_tls *tls, char *to, size_t room);
ssize_t bare_tls_write(struct bare_tls *tls, const char *data, size_t len);

/* Why the last one failed. */
const char *bare_tls_reason(void);

#endif
