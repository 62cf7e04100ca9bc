#include "smtp/tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/str.h"

struct tls_context {
    SSL_CTX *ssl;
};

/* The one mapper from OpenSSL's errors; `code` 0 takes them from the thread's queue. */
static void explain(unsigned long code, char *buf, size_t size)
{
    const char *reason;

    if (code == 0)
        code = ERR_peek_error();
    reason = ERR_reason_error_string(code);
    if (reason != NULL)
        str_copy(buf, size, reason);
    else if (code != 0)
        str_format(buf, size, "OpenSSL error %lx", code);
    else
        str_copy(buf, size, "");
    ERR_clear_error();
}

static void context_error(struct error *err, const char *what)
{
    char why[128];

    explain(0, why, sizeof(why));
    error_set(err, "TLS: %s: %s", what, why[0] != '\0' ? why : "out of memory");
}

bool tls_context_new(struct tls_context **out, struct error *err)
{
    struct tls_context *ctx = calloc(1, sizeof(*ctx));

    ERR_clear_error();
    if (ctx != NULL)
        ctx->ssl = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL || ctx->ssl == NULL || !SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION))
        goto fail;
    if (!SSL_CTX_set_default_verify_paths(ctx->ssl))
        goto fail;
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS);
    /* Servers close without close_notify; replies end in a line end, so nothing hides there. */
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    *out = ctx;
    return true;
fail:
    context_error(err, "no context");
    tls_context_free(&ctx);
    return false;
}

void tls_context_free(struct tls_context **ctx)
{
    if (*ctx == NULL)
        return;
    SSL_CTX_free((*ctx)->ssl);
    free(*ctx);
    *ctx = NULL;
}

/* RFC 6125: the name is checked against DNS names only, a nameless host by its address. */
static bool require_certificate(SSL *ssl, const struct tls_peer *peer)
{
    char ip[NETADDR_TEXT_MAX];

    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (peer->name[0] != '\0')
        return SSL_set1_host(ssl, peer->name) == 1;
    netaddr_format(peer->ip, ip);
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), ip) == 1;
}

static SSL *new_ssl(struct tls_context *ctx, const struct tls_peer *peer)
{
    SSL *ssl = SSL_new(ctx->ssl);

    if (ssl == NULL)
        return NULL;
    if (peer->name[0] != '\0' && SSL_set_tlsext_host_name(ssl, peer->name) != 1)
        goto fail;
    if (peer->verify) {
        if (!require_certificate(ssl, peer))
            goto fail;
    } else {
        /* Weak keys are better than the plaintext that would follow (RFC 7435). */
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        SSL_set_security_level(ssl, 0);
    }
    return ssl;
fail:
    SSL_free(ssl);
    return NULL;
}

struct bufferevent *tls_start(struct tls_context *ctx, struct event_base *base, int fd,
                              const struct tls_peer *peer)
{
    SSL *ssl = new_ssl(ctx, peer);
    struct bufferevent *bev;

    if (ssl == NULL)
        return NULL;
    bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING,
                                         BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (bev == NULL) /* which has freed `ssl` */
        return NULL;
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

const char *tls_version(struct bufferevent *bev)
{
    return SSL_get_version(bufferevent_openssl_get_ssl(bev));
}

void tls_explain(struct bufferevent *bev, char *buf, size_t size)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    long verified = SSL_get_verify_result(ssl);
    unsigned long code = bufferevent_get_openssl_error(bev);

    buf[0] = '\0';
    if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && verified != X509_V_OK)
        str_format(buf, size, "certificate: %s", X509_verify_cert_error_string(verified));
    else if (ERR_GET_LIB(code) != 0) /* else an SSL_ERROR_ number: what failed is the connection */
        explain(code, buf, size);
}

void tls_goodbye(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);

    if (!SSL_is_init_finished(ssl))
        return;
    ERR_clear_error();
    SSL_shutdown(ssl);
    ERR_clear_error();
}
