#include "mx_link.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool mx_tls_new(SSL_CTX **tls, const char *files)
{
    const char *comma = strchr(files, ',');
    char cert[4096];

    if (comma == NULL || (size_t)(comma - files) >= sizeof(cert)) {
        fprintf(stderr, "not CERT,KEY: %s\n", files);
        return false;
    }
    memcpy(cert, files, (size_t)(comma - files));
    cert[comma - files] = '\0';
    *tls = SSL_CTX_new(TLS_server_method());
    if (*tls != NULL && SSL_CTX_use_certificate_chain_file(*tls, cert) == 1 &&
        SSL_CTX_use_PrivateKey_file(*tls, comma + 1, SSL_FILETYPE_PEM) == 1) {
        SSL_CTX_set_mode(*tls, SSL_MODE_RELEASE_BUFFERS);
        return true;
    }
    ERR_print_errors_fp(stderr);
    mx_tls_free(tls);
    return false;
}

void mx_tls_free(SSL_CTX **tls)
{
    SSL_CTX_free(*tls);
    *tls = NULL;
}

bool mx_link_secure(struct mx_link *l, SSL_CTX *tls)
{
    l->ssl = SSL_new(tls);
    if (l->ssl == NULL || SSL_set_fd(l->ssl, l->fd) != 1)
        return false;
    SSL_set_accept_state(l->ssl);
    return true;
}

bool mx_link_shook_hands(struct mx_link *l, bool *resumed)
{
    if (l->ssl == NULL || l->shook_hands || !SSL_is_init_finished(l->ssl))
        return false;
    l->shook_hands = true;
    *resumed = SSL_session_reused(l->ssl) == 1;
    return true;
}

ssize_t mx_link_read(struct mx_link *l, char *buf, size_t size)
{
    ssize_t got;

    if (l->ssl == NULL) {
        got = recv(l->fd, buf, size, 0);
        return got >= 0 ? got : errno == EAGAIN ? -1 : 0;
    }
    ERR_clear_error();
    got = SSL_read(l->ssl, buf, (int)size);
    return got > 0 ? got : SSL_get_error(l->ssl, (int)got) == SSL_ERROR_WANT_READ ? -1 : 0;
}

bool mx_link_has_more(const struct mx_link *l)
{
    return l->ssl != NULL && SSL_pending(l->ssl) > 0;
}

bool mx_link_write(struct mx_link *l, const char *buf, size_t len)
{
    if (l->ssl == NULL)
        return send(l->fd, buf, len, MSG_NOSIGNAL) == (ssize_t)len;
    ERR_clear_error();
    return SSL_write(l->ssl, buf, (int)len) == (int)len;
}

void mx_link_close(struct mx_link *l)
{
    if (l->ssl != NULL && l->shook_hands)
        (void)SSL_shutdown(l->ssl);
    SSL_free(l->ssl);
    close(l->fd);
}
