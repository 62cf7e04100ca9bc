#include "smtp/connection.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    struct event_base *base;
    struct bufferevent *bev;
    struct connection_handler handler;
    bool tls;     /* the bufferevent is OpenSSL's */
    bool secured; /* the handshake is over */
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

/* No callback from here on; what arrives stays where it is. */
static void deafen(struct connection *c)
{
    bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
}

/*
 * The handler comes last: it may close the connection. OpenSSL's bufferevent overruns the
 * watermark by up to a TLS record; should it be more, there will be another callback.
 */
static void on_read(struct bufferevent *bev, void *arg)
{
    struct connection *c = arg;
    char data[2 * CONNECTION_READ_MAX];
    size_t n = bufferevent_read(bev, data, sizeof(data));

    if (evbuffer_get_length(bufferevent_get_input(bev)) > 0)
        bufferevent_trigger(bev, EV_READ, BEV_OPT_DEFER_CALLBACKS);
    if (n > 0)
        c->handler.on_data(c->handler.arg, data, n);
}

static void lose(struct connection *c, enum smtp_failure failure, const char *detail)
{
    deafen(c);
    c->handler.on_lost(c->handler.arg, failure, detail);
}

static void lose_plain(struct connection *c, short what, int err)
{
    char text[128];

    if ((what & BEV_EVENT_EOF) != 0)
        err = 0;
    lose(c, connection_failure(err), err == 0 ? "" : strerror_r(err, text, sizeof(text)));
}

static void lose_tls(struct connection *c, short what, int err)
{
    char text[128];

    tls_explain(c->bev, text, sizeof(text));
    if (text[0] != '\0')
        lose(c, SMTP_FAILURE_TLS, text);
    else if (!c->secured)
        lose(c, SMTP_FAILURE_TLS, "connection closed during the handshake");
    else
        lose_plain(c, what, err);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct connection *c = arg;
    int err = EVUTIL_SOCKET_ERROR();

    if ((what & BEV_EVENT_CONNECTED) != 0) {
        c->secured = true;
        bufferevent_enable(bev, EV_READ);
        c->handler.on_secured(c->handler.arg, tls_version(bev));
    } else if (c->tls) {
        lose_tls(c, what, err);
    } else if ((what & BEV_EVENT_WRITING) == 0) {
        lose_plain(c, what, err);
    }
    /* After a failed write the server's last words are still to be read; then its end is seen. */
}

/* Reading begins at once, or once secured. */
static void listen_to(struct connection *c)
{
    bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, CONNECTION_READ_MAX);
    bufferevent_enable(c->bev, EV_WRITE);
}

struct connection *connection_open(struct loop *loop, int fd,
                                   const struct connection_handler *handler)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (c == NULL)
        goto fail;
    c->base = loop_base(loop);
    c->handler = *handler;
    c->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (c->bev == NULL)
        goto fail;
    listen_to(c);
    bufferevent_enable(c->bev, EV_READ);
    return c;
fail:
    free(c);
    (void)close(fd);
    return NULL;
}

bool connection_write(struct connection *c, const void *data, size_t len)
{
    return bufferevent_write(c->bev, data, len) == 0;
}

bool connection_is_quiet(const struct connection *c)
{
    char byte;

    return evbuffer_get_length(bufferevent_get_input(c->bev)) == 0 &&
           recv(bufferevent_getfd(c->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

/* Nothing in either buffer, nothing in the kernel: the server waits for a TLS ClientHello. */
static bool is_drained(struct connection *c)
{
    char byte;

    return evbuffer_get_length(bufferevent_get_input(c->bev)) == 0 &&
           evbuffer_get_length(bufferevent_get_output(c->bev)) == 0 &&
           recv(bufferevent_getfd(c->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

enum smtp_failure connection_start_tls(struct connection *c, struct tls_context *tls,
                                       const struct tls_peer *peer)
{
    int fd = bufferevent_getfd(c->bev);
    struct bufferevent *bev;

    bufferevent_disable(c->bev, EV_READ | EV_WRITE);
    if (!is_drained(c))
        return SMTP_FAILURE_PROTOCOL;
    bev = tls_start(tls, c->base, fd, peer);
    if (bev == NULL)
        return SMTP_FAILURE_LOCAL;
    bufferevent_setfd(c->bev, -1);
    bufferevent_free(c->bev);
    c->bev = bev;
    c->tls = true;
    listen_to(c);
    return SMTP_FAILURE_NONE;
}

void connection_close(struct connection **cp)
{
    struct connection *c = *cp;

    if (c == NULL)
        return;
    if (c->bev != NULL) {
        deafen(c);
        if (c->secured)
            tls_goodbye(c->bev);
        bufferevent_free(c->bev);
    }
    free(c);
    *cp = NULL;
}
