#include "smtp/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

struct connection {
    struct event_base *base;
    struct event ready;
    short awaited; /* by `ready`: EV_READ, EV_WRITE or both; 0: it is not in use */
    int fd;
    struct connection_handler handler;
    struct tls *tls; /* NULL: plaintext */
    bool secured;    /* the handshake is over */
    bool more;       /* OpenSSL holds, or has seen, what the loop does not see */
    bool blocked;    /* OpenSSL has an answer to give first, which the socket does not take */
    char *rest;      /* what the socket did not take at once */
    size_t rest_len;
};

enum smtp_failure connection_failure(int err)
{
    switch (err) {
    case ECONNREFUSED:
        return SMTP_FAILURE_REFUSED;
    case ETIMEDOUT:
        return SMTP_FAILURE_TIMEOUT;
    case ECONNRESET:
    case EPIPE:
    case 0:
        return SMTP_FAILURE_CLOSED;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return SMTP_FAILURE_LOCAL;
    default: /* routes, firewalls, and what ICMP has to say of them */
        return SMTP_FAILURE_UNREACHABLE;
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static short due(const struct connection *c)
{
    if (c->blocked)
        return EV_WRITE; /* else what is there to be read would call again and again */
    return c->rest_len > 0 ? EV_READ | EV_WRITE : EV_READ;
}

/* Waits for what is due. What OpenSSL holds has a turn of its own. False when out of memory. */
static bool await(struct connection *c)
{
    short what = due(c);

    if (c->awaited != what) {
        if (c->awaited != 0)
            event_del(&c->ready);
        c->awaited = what;
        (void)event_assign(&c->ready, c->base, c->fd, (short)(what | EV_PERSIST), on_ready, c);
        if (event_add(&c->ready, NULL) != 0)
            return false;
    }
    if (c->more)
        event_active(&c->ready, EV_READ, 0);
    return true;
}

/* No callback from here on; what arrives stays where it is. */
static void deafen(struct connection *c)
{
    if (c->awaited != 0)
        event_del(&c->ready);
    c->awaited = 0;
}

/* The handler comes last: it may close the connection. */
static void lose(struct connection *c, enum smtp_failure failure, const char *detail)
{
    deafen(c);
    c->handler.on_lost(c->handler.arg, failure, detail);
}

/* `err`: 0 where the server has closed it. */
static void lose_plain(struct connection *c, int err)
{
    char text[128];

    lose(c, connection_failure(err), err == 0 ? "" : strerror_r(err, text, sizeof(text)));
}

static void lose_tls(struct connection *c, int err)
{
    char text[128];

    tls_explain(c->tls, text, sizeof(text));
    if (text[0] == '\0' && !c->secured)
        (void)str_copy(text, sizeof(text), "connection closed during the handshake");
    if (text[0] == '\0') {
        lose_plain(c, err);
        return;
    }
    tls_blame(c->tls);
    lose(c, SMTP_FAILURE_TLS, text);
}

static void shake_hands(struct connection *c)
{
    enum tls_step step = tls_handshake(c->tls);
    int err = step == TLS_FAILED ? errno : 0;

    if (step == TLS_ENDED || step == TLS_FAILED) {
        lose_tls(c, err);
        return;
    }
    c->blocked = step == TLS_WAITS_TO_WRITE;
    if (!await(c)) {
        lose(c, SMTP_FAILURE_LOCAL, "out of memory");
    } else if (step == TLS_DONE) {
        c->secured = true;
        c->handler.on_secured(c->handler.arg, tls_version(c->tls));
    }
}

/* How much the socket takes now. Where it is broken it takes all: the server's last words are still
   to be read, and then its end is seen. */
static size_t send_some(struct connection *c, const char *data, size_t len)
{
    enum tls_step step;
    size_t used = 0;
    ssize_t n;

    if (c->tls == NULL) {
        n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : len;
        return (size_t)n;
    }
    step = tls_write(c->tls, data, len, &used);
    return step == TLS_ENDED || step == TLS_FAILED ? len : used;
}

static void send_rest(struct connection *c)
{
    size_t n = send_some(c, c->rest, c->rest_len);

    c->rest_len -= n;
    memmove(c->rest, c->rest + n, c->rest_len);
    (void)await(c);
}

/* How much there is to read, up to `size`; and then, or in its place, what comes next. */
static enum tls_step receive(struct connection *c, char *data, size_t size, size_t *len)
{
    enum tls_step step = TLS_DONE;
    size_t used = 0;
    ssize_t n;

    *len = 0;
    if (c->tls == NULL) {
        n = recv(c->fd, data, size, 0);
        if (n <= 0)
            return n == 0                              ? TLS_ENDED
                   : errno == EAGAIN || errno == EINTR ? TLS_WAITS_TO_READ
                                                       : TLS_FAILED;
        *len = (size_t)n;
        return TLS_WAITS_TO_READ; /* the loop sees what is left */
    }
    while (*len < size && step == TLS_DONE) {
        step = tls_read(c->tls, data + *len, size - *len, &used);
        if (step == TLS_DONE)
            *len += used;
    }
    return step;
}

static void hear(struct connection *c)
{
    char data[CONNECTION_READ_MAX];
    size_t len;
    enum tls_step step = receive(c, data, sizeof(data), &len);
    int err = step == TLS_FAILED ? errno : 0;

    c->more = step == TLS_DONE || step == TLS_ENDED || step == TLS_FAILED;
    c->blocked = step == TLS_WAITS_TO_WRITE;
    if (len > 0 || !c->more)
        (void)await(c);
    if (len > 0)
        c->handler.on_data(c->handler.arg, data, len);
    else if (c->more && c->tls != NULL)
        lose_tls(c, err);
    else if (c->more)
        lose_plain(c, err);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;

    (void)fd;
    if (c->tls != NULL && !c->secured) {
        shake_hands(c);
        return;
    }
    if (c->rest_len > 0)
        send_rest(c);
    if ((what & EV_READ) != 0 || c->blocked)
        hear(c);
}

struct connection *connection_open(struct loop *loop, int fd,
                                   const struct connection_handler *handler)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        (void)close(fd);
        return NULL;
    }
    c->base = loop_base(loop);
    c->fd = fd;
    c->handler = *handler;
    if (!await(c))
        connection_close(&c);
    return c;
}

bool connection_write(struct connection *c, const void *data, size_t len)
{
    const char *bytes = data;
    size_t sent = c->rest_len == 0 ? send_some(c, bytes, len) : 0;
    char *rest;

    if (sent == len)
        return true;
    rest = realloc(c->rest, c->rest_len + len - sent);
    if (rest == NULL)
        return false;
    memcpy(rest + c->rest_len, bytes + sent, len - sent);
    c->rest = rest;
    c->rest_len += len - sent;
    return await(c);
}

/* Known without waiting. */
static ssize_t peek(const struct connection *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
}

bool connection_is_quiet(const struct connection *c)
{
    return !c->more && peek(c) < 0 && errno == EAGAIN;
}

enum smtp_failure connection_start_tls(struct connection *c, struct tls_context *tls,
                                       const struct tls_peer *peer)
{
    /* Nothing to be sent, nothing in the kernel: the server waits for a ClientHello. */
    if (c->rest_len > 0 || peek(c) > 0) {
        deafen(c);
        return SMTP_FAILURE_PROTOCOL;
    }
    c->tls = tls_new(tls, c->fd, peer);
    if (c->tls == NULL) {
        deafen(c);
        return SMTP_FAILURE_LOCAL;
    }
    event_active(&c->ready, EV_WRITE, 0);
    return SMTP_FAILURE_NONE;
}

bool connection_resumes_tls(const struct connection *c)
{
    return c->tls != NULL && tls_resumes(c->tls);
}

void connection_close(struct connection **cp)
{
    struct connection *c = *cp;

    if (c == NULL)
        return;
    deafen(c);
    if (c->tls != NULL && !c->secured)
        tls_blame(c->tls); /* it may hang because it was to be resumed */
    tls_free(&c->tls);
    (void)close(c->fd);
    free(c->rest);
    free(c);
    *cp = NULL;
}
