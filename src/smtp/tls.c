#include "smtp/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "smtp/tls_tickets.h"

#define PEERS_MAX        1000  /* that may be resumed with */
#define SESSION_SIZE_MAX 16384 /* octets of its ticket and certificates; usual are 4000 */

struct tls_context {
    SSL_CTX *ssl;
    struct tls_tickets *tickets;
};

struct tls {
    SSL *ssl;
    struct tls_context *ctx;
    struct ticket_key key;
    bool verify;
    bool offered;  /* a session to resume, ... */
    int64_t until; /* ... which may be used so long, in ms: what is renewed by it, no longer */
};

/* The one mapper from OpenSSL's errors, those of the thread's queue. */
static void explain(char *buf, size_t size)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);

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

    explain(why, sizeof(why));
    error_set(err, "TLS: %s: %s", what, why[0] != '\0' ? why : "out of memory");
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* In seconds: how long what the handshake has shown may count; a certificate, no longer than it is
   valid. */
static int64_t life_of(const struct tls *t, const SSL_SESSION *session, int64_t now_ms)
{
    int64_t life = (int64_t)SSL_SESSION_get_timeout(session);
    X509 *certificate = SSL_get0_peer_certificate(t->ssl);
    int days = 0, seconds = 0;

    if (SSL_session_reused(t->ssl) == 1)
        return least(life, (t->until - now_ms) / 1000);
    if (!t->verify)
        return life;
    if (certificate == NULL ||
        ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1)
        return 0;
    return days < 1 ? least(life, seconds) : life;
}

/* Whoever sends tickets of 64 KB and chains of 100 KB shakes hands each time. */
static bool is_small(const struct tls *t, const SSL_SESSION *session)
{
    const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(t->ssl);
    const unsigned char *ticket;
    size_t size = 0;

    SSL_SESSION_get0_ticket(session, &ticket, &size);
    for (int i = 0; i < sk_X509_num(chain); i++)
        size += (size_t)i2d_X509(sk_X509_value(chain, i), NULL);
    return size <= SESSION_SIZE_MAX;
}

/* The server has something to resume by: 1 when its reference was taken. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls *t = SSL_get_app_data(ssl);
    int64_t now = clock_mono_ms();

    if (SSL_SESSION_is_resumable(session) != 1 || !is_small(t, session) ||
        (t->verify && SSL_get_verify_result(ssl) != X509_V_OK))
        return 0;
    return tls_tickets_put(t->ctx->tickets, &t->key, session, life_of(t, session, now), now);
}

bool tls_context_new(struct tls_context **out, struct error *err)
{
    struct tls_context *ctx = calloc(1, sizeof(*ctx));

    ERR_clear_error();
    if (ctx != NULL) {
        ctx->ssl = SSL_CTX_new(TLS_client_method());
        ctx->tickets = tls_tickets_new(PEERS_MAX);
    }
    if (ctx == NULL || ctx->ssl == NULL || ctx->tickets == NULL ||
        !SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION) ||
        !SSL_CTX_set_default_verify_paths(ctx->ssl))
        goto fail;
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* After a message that is no data others have their turn first: it may be one without end. */
    SSL_CTX_clear_mode(ctx->ssl, SSL_MODE_AUTO_RETRY);
    /* Servers close without close_notify; replies end in a line end, so nothing hides there. */
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx->ssl, on_session);
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
    tls_tickets_free(&(*ctx)->tickets);
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

static bool set_demands(SSL *ssl, const struct tls_peer *peer)
{
    if (peer->name[0] != '\0' && SSL_set_tlsext_host_name(ssl, peer->name) != 1)
        return false;
    if (peer->verify)
        return require_certificate(ssl, peer);
    /* Weak keys are better than the plaintext that would follow (RFC 7435). */
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_security_level(ssl, 0);
    return true;
}

/* One that cannot be used is no loss. */
static void offer_session(struct tls *t)
{
    SSL_SESSION *session = tls_tickets_take(t->ctx->tickets, &t->key, clock_mono_ms(), &t->until);

    if (session == NULL)
        return;
    t->offered = SSL_set_session(t->ssl, session) == 1;
    SSL_SESSION_free(session);
}

struct tls *tls_new(struct tls_context *ctx, int fd, const struct tls_peer *peer)
{
    struct tls *t = calloc(1, sizeof(*t));

    ERR_clear_error();
    if (t == NULL)
        return NULL;
    t->ctx = ctx;
    t->verify = peer->verify;
    ticket_key_make(&t->key, peer);
    t->ssl = SSL_new(ctx->ssl);
    if (t->ssl == NULL || SSL_set_app_data(t->ssl, t) != 1 || SSL_set_fd(t->ssl, fd) != 1 ||
        !set_demands(t->ssl, peer)) {
        tls_free(&t);
        return NULL;
    }
    SSL_set_connect_state(t->ssl);
    offer_session(t);
    return t;
}

void tls_free(struct tls **tp)
{
    struct tls *t = *tp;

    if (t == NULL)
        return;
    if (t->ssl != NULL && SSL_is_init_finished(t->ssl)) {
        ERR_clear_error();
        SSL_shutdown(t->ssl);
        ERR_clear_error();
    }
    SSL_free(t->ssl);
    free(t);
    *tp = NULL;
}

static void clear_errors(void)
{
    ERR_clear_error();
    errno = 0;
}

static enum tls_step step_of(const struct tls *t, int rc)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_WAITS_TO_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WAITS_TO_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        return TLS_FAILED;
    }
}

static bool is_refused(const struct tls *t)
{
    return t->verify && SSL_get_verify_result(t->ssl) != X509_V_OK;
}

enum tls_step tls_handshake(struct tls *t)
{
    enum tls_step step;

    clear_errors();
    step = step_of(t, SSL_do_handshake(t->ssl));
    return step == TLS_DONE && is_refused(t) ? TLS_FAILED : step;
}

enum tls_step tls_read(struct tls *t, char *buf, size_t size, size_t *used)
{
    clear_errors();
    return step_of(t, SSL_read_ex(t->ssl, buf, size, used));
}

enum tls_step tls_write(struct tls *t, const char *data, size_t len, size_t *used)
{
    clear_errors();
    return step_of(t, SSL_write_ex(t->ssl, data, len, used));
}

const char *tls_version(const struct tls *t)
{
    return SSL_get_version(t->ssl);
}

/* A certificate that is refused was shown in a whole handshake. */
bool tls_resumes(const struct tls *t)
{
    if (SSL_is_init_finished(t->ssl))
        return SSL_session_reused(t->ssl) == 1;
    return t->offered && !is_refused(t);
}

void tls_blame(struct tls *t)
{
    if (tls_resumes(t))
        tls_tickets_refused(t->ctx->tickets, &t->key, clock_mono_ms());
}

void tls_explain(const struct tls *t, char *buf, size_t size)
{
    buf[0] = '\0';
    if (is_refused(t))
        str_format(buf, size, "certificate: %s",
                   X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
    else if (ERR_peek_error() != 0) /* else what failed is the connection */
        explain(buf, size);
}
