/* A connection of the fake MX: plain, or with TLS. Nothing here waits. */
#ifndef MX_LINK_H
#define MX_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_ctx_st;
struct ssl_st;

struct mx_link {
    int fd;
    struct ssl_st *ssl; /* NULL: plain */
    bool shook_hands;
};

/* `files` is "CERT,KEY". Sessions can be resumed by ticket. Says itself what is wrong. */
bool mx_tls_new(struct ssl_ctx_st **tls, const char *files);
void mx_tls_free(struct ssl_ctx_st **tls);

/* What comes from here on is a handshake, done while reading. */
bool mx_link_secure(struct mx_link *l, struct ssl_ctx_st *tls);

/* True once: the handshake is done. */
bool mx_link_shook_hands(struct mx_link *l, bool *resumed);

/* Bytes; 0 at the end, also at a broken one; -1: nothing yet. */
ssize_t mx_link_read(struct mx_link *l, char *buf, size_t size);

/* Has been read from the socket, and is to be read from here: no event will tell. */
bool mx_link_has_more(const struct mx_link *l);

/* All of it, or false: nobody reads it. */
bool mx_link_write(struct mx_link *l, const char *buf, size_t len);
void mx_link_close(struct mx_link *l);

#endif
