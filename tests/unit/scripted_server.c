#include "base/str.h"
#include "scripted_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/netaddr.h"

#define PATIENCE_S 20 /* longer than any test; only a broken one meets it */
#define DRIP_MS    5

static EVP_PKEY *key;
static X509 *certificate;

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(ext);
    ck_assert_int_eq(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static X509 *new_certificate(EVP_PKEY *for_key)
{
    X509 *made = X509_new();
    X509_NAME *name;

    ck_assert(for_key != NULL && made != NULL);
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, for_key);
    name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(made, name);
    add_extension(made, NID_subject_alt_name, "DNS:mx.example,IP:127.0.0.1");
    add_extension(made, NID_basic_constraints, "critical,CA:TRUE");
    ck_assert_int_ne(X509_sign(made, for_key, EVP_sha256()), 0);
    return made;
}

static void make_certificate(void)
{
    if (certificate != NULL)
        return;
    key = EVP_EC_gen("P-256");
    certificate = new_certificate(key);
}

void scripted_server_save_certificate(const char *path)
{
    FILE *f = fopen(path, "w");

    make_certificate();
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(PEM_write_X509(f, certificate), 1);
    ck_assert_int_eq(fclose(f), 0);
}

/* In the server's thread */

static void complain(struct scripted_server *s, const char *what, const char *about)
{
    if (s->error[0] == '\0')
        (void)str_format(s->error, sizeof(s->error), "%s: %s", what, about);
}

static bool put(struct scripted_server *s, const char *data, size_t len)
{
    if (s->ssl != NULL)
        return SSL_write(s->ssl, data, (int)len) == (int)len;
    return send(s->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool get(struct scripted_server *s, char *c)
{
    if (s->ssl != NULL)
        return SSL_read(s->ssl, c, 1) == 1;
    return recv(s->fd, c, 1, 0) == 1;
}

static void note(struct scripted_server *s, const char *line)
{
    size_t n = strlen(s->transcript);

    snprintf(s->transcript + n, sizeof(s->transcript) - n, "%s\n", line);
}

/* A line without its end; false at the end of the connection. */
static bool get_line(struct scripted_server *s, char *line, size_t size)
{
    size_t n = 0;
    char c;

    while (get(s, &c)) {
        if (c == '\n') {
            line[n] = '\0';
            note(s, line);
            return true;
        }
        if (c != '\r' && n + 1 < size)
            line[n++] = c;
    }
    return false;
}

static void do_send(struct scripted_server *s, const char *text)
{
    char line[1024];
    size_t n = strlen(text);
    bool whole = n == 0 || text[n - 1] != '\\';
    int len =
        snprintf(line, sizeof(line), "%.*s%s", (int)(whole ? n : n - 1), text, whole ? "\r\n" : "");

    if (!put(s, line, (size_t)len))
        complain(s, "cannot send", text);
}

static void do_expect(struct scripted_server *s, const char *text)
{
    char line[1024];

    if (!get_line(s, line, sizeof(line)))
        complain(s, "connection ended before", text);
    else if (strcmp(line, text) != 0)
        complain(s, "unexpected line", line);
}

static void do_tls(struct scripted_server *s, bool wanted)
{
    s->ssl = SSL_new(s->tls);
    if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1 || (SSL_accept(s->ssl) == 1) != wanted)
        complain(s, "handshake", wanted ? "failed" : "succeeded");
}

static void do_certain_tls(struct scripted_server *s, bool resumed)
{
    do_tls(s, true);
    if (s->ssl != NULL && (SSL_session_reused(s->ssl) == 1) != resumed)
        complain(s, "handshake is not", resumed ? "resumed" : "whole");
}

static void do_forget(struct scripted_server *s)
{
    unsigned char keys[80] = {1};

    if (SSL_CTX_set_tlsext_ticket_keys(s->tls, keys, sizeof(keys)) != 1)
        complain(s, "cannot forget", "tickets");
}

static void do_another(struct scripted_server *s)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");
    X509 *made = new_certificate(other);

    if (SSL_CTX_use_certificate(s->tls, made) != 1 || SSL_CTX_use_PrivateKey(s->tls, other) != 1)
        complain(s, "cannot use", "another certificate");
    X509_free(made);
    EVP_PKEY_free(other);
}

/* As servers show that were set up by heaping. */
static void do_long_chain(struct scripted_server *s)
{
    for (int i = 0; i < 64; i++)
        if (SSL_CTX_add1_chain_cert(s->tls, certificate) != 1)
            complain(s, "cannot use", "a long chain");
}

static void drain(struct scripted_server *s)
{
    char bytes[4096];

    while (recv(s->fd, bytes, sizeof(bytes), 0) > 0)
        ;
}

/* TLS 1.3 clients learn only after their handshake that no certificate is not good enough. */
static void do_demanding_tls(struct scripted_server *s)
{
    SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    do_tls(s, false);
    drain(s); /* else what it said meanwhile would make the kernel reset the connection */
}

static void do_not_tls(struct scripted_server *s)
{
    char hello[4096];

    if (recv(s->fd, hello, sizeof(hello), 0) <= 0)
        complain(s, "no ClientHello", "connection ended");
    put(s, "500 what is that\r\n", 18);
}

/* Until the client is gone; it has to answer each, and nobody reads the answers. */
static void do_key_updates(struct scripted_server *s, int kind)
{
    while (SSL_key_update(s->ssl, kind) == 1 && SSL_do_handshake(s->ssl) == 1)
        ;
}

static void do_flood(struct scripted_server *s)
{
    char noise[4000];

    memset(noise, 'x', sizeof(noise));
    while (put(s, noise, sizeof(noise)))
        ;
}

/* The pace is kept by waiting for the client to say something or to go. */
static void do_drip(struct scripted_server *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};

    while (poll(&p, 1, DRIP_MS) == 0)
        if (!put(s, "2", 1))
            return;
}

static void do_wait(struct scripted_server *s)
{
    char line[1024];

    while (get_line(s, line, sizeof(line)))
        ;
}

static void do_cork(struct scripted_server *s)
{
    const int on = 1;

    if (setsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) != 0)
        complain(s, "cork", strerror(errno));
}

static void do_step(struct scripted_server *s, const char *step)
{
    if (step[0] == '<')
        do_send(s, step + 1);
    else if (step[0] == '>')
        do_expect(s, step + 1);
    else if (strcmp(step, "!tls") == 0)
        do_tls(s, true);
    else if (strcmp(step, "!tls refused") == 0)
        do_tls(s, false);
    else if (strcmp(step, "!tls demanding") == 0)
        do_demanding_tls(s);
    else if (strcmp(step, "!tls whole") == 0 || strcmp(step, "!tls resumed") == 0)
        do_certain_tls(s, strcmp(step, "!tls resumed") == 0);
    else if (strcmp(step, "!tls1.2") == 0)
        SSL_CTX_set_max_proto_version(s->tls, TLS1_2_VERSION);
    else if (strcmp(step, "!forget") == 0)
        do_forget(s);
    else if (strcmp(step, "!another") == 0)
        do_another(s);
    else if (strcmp(step, "!long chain") == 0)
        do_long_chain(s);
    else if (strcmp(step, "!not tls") == 0)
        do_not_tls(s);
    else if (strcmp(step, "!key updates") == 0)
        do_key_updates(s, SSL_KEY_UPDATE_NOT_REQUESTED);
    else if (strcmp(step, "!key updates for both") == 0)
        do_key_updates(s, SSL_KEY_UPDATE_REQUESTED);
    else if (strcmp(step, "!close_notify") == 0)
        SSL_shutdown(s->ssl);
    else if (strcmp(step, "!flood") == 0)
        do_flood(s);
    else if (strcmp(step, "!drip") == 0)
        do_drip(s);
    else if (strcmp(step, "!cork") == 0)
        do_cork(s);
    else if (strcmp(step, "!wait") == 0)
        do_wait(s);
    else
        complain(s, "no such step", step);
}

static void *serve(void *arg)
{
    struct scripted_server *s = arg;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const int on = 1;

    for (const char *const *const *script = s->scripts; *script != NULL; script++) {
        s->fd = accept(s->listener, NULL, NULL);
        if (s->fd < 0) {
            complain(s, "accept", strerror(errno));
            break;
        }
        setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* no wait between lines */
        note(s, "#");
        for (const char *const *step = *script; *step != NULL; step++)
            do_step(s, *step);
        if (s->ssl != NULL)
            SSL_shutdown(s->ssl);
        SSL_free(s->ssl);
        s->ssl = NULL;
        close(s->fd);
    }
    return NULL;
}

/* In the test's thread */

static socklen_t address_of(const char *where, struct sockaddr_storage *sa)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct netaddr ip;

    if (where[0] != '/') {
        ck_assert(netaddr_parse(where, &ip));
        return netaddr_to_sockaddr(&ip, 0, sa);
    }
    ck_assert(str_copy(un.sun_path, sizeof(un.sun_path), where));
    memcpy(sa, &un, sizeof(un));
    return sizeof(un);
}

static bool bind_to(struct scripted_server *s, const char *where)
{
    struct sockaddr_storage sa;
    socklen_t len = address_of(where, &sa);
    const struct timeval patience = {.tv_sec = PATIENCE_S};

    s->listener = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&sa, len) != 0)
        return false;
    ck_assert_int_eq(listen(s->listener, 16), 0);
    setsockopt(s->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (sa.ss_family == AF_UNIX)
        return true;
    len = sizeof(sa);
    ck_assert_int_eq(getsockname(s->listener, (struct sockaddr *)&sa, &len), 0);
    /* The port lies in the same place for both families. */
    s->port = ntohs(((const struct sockaddr_in *)&sa)->sin_port);
    return true;
}

bool scripted_server_start(struct scripted_server *s, const char *where,
                           const char *const *const *scripts)
{
    memset(s, 0, sizeof(*s));
    s->scripts = scripts;
    if (!bind_to(s, where))
        return false;
    make_certificate();
    s->tls = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(s->tls);
    ck_assert_int_eq(SSL_CTX_use_certificate(s->tls, certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(s->tls, key), 1);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
    return true;
}

void scripted_server_finish(struct scripted_server *s)
{
    pthread_join(s->thread, NULL);
    close(s->listener);
    SSL_CTX_free(s->tls);
}
