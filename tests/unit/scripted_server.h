/*
 * An SMTP server for tests, in a thread of its own on a loopback port or a unix socket: one script
 * a connection, in the order the connections come. What goes wrong in it is noted and found by the
 * joiner.
 *
 * Steps: "<text" sends the text and CRLF, unless it ends in a backslash; ">text" expects that line.
 * "!tls" is the server's side of a handshake, "!tls refused" of one that the client ends, "!tls
 * demanding" of one that wants a certificate of the client, "!tls whole" and "!tls resumed" of one
 * that has to be that. "!tls1.2" lets it have no newer version, "!forget" makes it know its tickets
 * no more, "!another" gives it another certificate for the same names, "!long chain" more behind it
 * than anybody needs. "!not tls" reads a ClientHello and answers nonsense. "!key updates" sends TLS
 * 1.3 key updates until the client is gone, "!key updates for both" those that the client has to
 * answer, "!close_notify" the end of TLS and no more. "!flood" sends without end until the client
 * is gone, "!drip" a byte at a time and slowly until it says something; "!wait" reads until the
 * client is gone, into the transcript. At the end of its script a connection is closed. What is
 * sent after "!cork" goes out with that, in one segment.
 */
#ifndef TESTS_SCRIPTED_SERVER_H
#define TESTS_SCRIPTED_SERVER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct scripted_server {
    const char *const *const *scripts; /* ended by NULL, like each of them */
    int listener;
    uint16_t port;
    pthread_t thread;
    SSL_CTX *tls;
    char transcript[4096]; /* lines heard, "#" before each connection; NUL-terminated */
    char error[256];       /* "" when every script was followed */
    /* of the connection in hand */
    int fd;
    SSL *ssl;
};

/* `where` is "127.0.0.1", "::1" or a path, which stays. False when there is no such place here. */
bool scripted_server_start(struct scripted_server *s, const char *where,
                           const char *const *const *scripts);

/* Joins; closes everything. */
void scripted_server_finish(struct scripted_server *s);

/*
 * Writes the certificate the servers of this process show (self-signed, made at first use, of
 * mx.example and 127.0.0.1) to `path`.
 */
void scripted_server_save_certificate(const char *path);

#endif
