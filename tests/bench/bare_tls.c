#include "bare_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct bare_tls_context {
    SSL_CTX *ssl;
    bool resume;
    unsigned targets, handshakes, resumed;
    SSL_SESSION *sessions[]; /* of each target */
};

struct bare_tls {
    struct bare_tls_context *ctx;
    SSL *ssl;
    unsigned target;
};

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct bare_tls *tls = SSL_get_app_data(ssl);
    SSL_SESSION **kept = &tls->ctx->sessions[tls->target];

    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

/* As in smtp/tls.c. */
static bool set_options(struct bare_tls_context *ctx)
{
    if (!SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION) ||
        !SSL_CTX_set_default_verify_paths(ctx->ssl))
        return false;
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
    if (ctx->resume) {
        SSL_CTX_set_session_cache_mode(ctx->ssl,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx->ssl, keep_session);
    }
    return true;
}

struct bare_tls_context *bare_tls_context_new(unsigned targets, bool resume)
{
    struct bare_tls_context *ctx = calloc(1, sizeof(*ctx) + targets * sizeof(ctx->sessions[0]));

    if (ctx == NULL)
        return NULL;
    ctx->targets = targets;
    ctx->resume = resume;
    ctx->ssl = SSL_CTX_new(TLS_client_method());
    if (ctx->ssl == NULL || !set_options(ctx))
        bare_tls_context_free(&ctx);
    return ctx;
}

void bare_tls_context_free(struct bare_tls_context **ctx)
{
    if (*ctx == NULL)
        return;
    for (unsigned i = 0; i < (*ctx)->targets; i++)
        SSL_SESSION_free((*ctx)->sessions[i]);
    SSL_CTX_free((*ctx)->ssl);
    free(*ctx);
    *ctx = NULL;
}

unsigned bare_tls_handshakes(const struct bare_tls_context *ctx)
{
    return ctx != NULL ? ctx->handshakes : 0;
}

unsigned bare_tls_resumed(const struct bare_tls_context *ctx)
{
    return ctx != NULL ? ctx->resumed : 0;
}

static bool prepare(struct bare_tls *tls, int fd, const char *name)
{
    SSL_SESSION *session = tls->ctx->sessions[tls->target];

    if (SSL_set_fd(tls->ssl, fd) != 1 || SSL_set_app_data(tls->ssl, tls) != 1 ||
        SSL_set_tlsext_host_name(tls->ssl, name) != 1)
        return false;
    SSL_set_verify(tls->ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_security_level(tls->ssl, 0);
    SSL_set_connect_state(tls->ssl);
    return session == NULL || SSL_set_session(tls->ssl, session) == 1;
}

struct bare_tls *bare_tls_new(struct bare_tls_context *ctx, int fd, unsigned target,
                              const char *name)
{
    struct bare_tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return NULL;
    *tls = (struct bare_tls){.ctx = ctx, .ssl = SSL_new(ctx->ssl), .target = target};
    if (tls->ssl == NULL || !prepare(tls, fd, name))
        bare_tls_free(&tls);
    return tls;
}

/* Says close_notify where it can. */
void bare_tls_free(struct bare_tls **tls)
{
    if (*tls == NULL)
        return;
    if ((*tls)->ssl != NULL && SSL_is_init_finished((*tls)->ssl))
        SSL_shutdown((*tls)->ssl);
    ERR_clear_error();
    SSL_free((*tls)->ssl);
    free(*tls);
    *tls = NULL;
}

/* What `result` means: whether there is nothing but to wait. */
static bool waits(struct bare_tls *tls, int result)
{
    return SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ;
}

enum bare_tls_step bare_tls_handshake(struct bare_tls *tls)
{
    int result = SSL_do_handshake(tls->ssl);

    if (result != 1)
        return waits(tls, result) ? BARE_TLS_WAITING : BARE_TLS_FAILED;
    tls->ctx->handshakes++;
    tls->ctx->resumed += SSL_session_reused(tls->ssl) == 1;
    return BARE_TLS_DONE;
}

ssize_t bare_tls_read(struct bare_tls *tls, char *to, size_t room)
{
    size_t n;
    int result = SSL_read_ex(tls->ssl, to, room, &n);

    if (result == 1)
        return (ssize_t)n;
    errno = waits(tls, result) ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t bare_tls_write(struct bare_tls *tls, const char *data, size_t len)
{
    size_t n;

    if (SSL_write_ex(tls->ssl, data, len, &n) == 1)
        return (ssize_t)n;
    errno = ECONNRESET;
    return -1;
}

const char *bare_tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    return reason != NULL ? reason : "the connection is lost";
}
