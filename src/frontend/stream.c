#include "frontend/stream.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_FIRST 2048 /* octets of a buffer that grows; more than a request of Postfix has */
#define INPUT_KEPT  8192 /* of one that is kept while nothing is in it */

static bool passes(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static void listen_to(struct stream *s, bool on)
{
    if (s->deaf != on)
        return;
    s->deaf = !on;
    if ((on ? event_add(s->readable, NULL) : event_del(s->readable)) != 0)
        s->broken = true;
}

/* Makes room behind the input: what was dropped before it, or else a bigger buffer. */
static bool make_room(struct stream *s)
{
    size_t size = s->size == 0 ? INPUT_FIRST : 2 * s->size;
    char *grown;

    if (s->from > 0) {
        memmove(s->input, s->input + s->from, s->until - s->from);
        s->until -= s->from;
        s->from = 0;
    }
    if (s->until < s->size)
        return true;
    if (size > s->most)
        size = s->most;
    grown = size > s->size ? realloc(s->input, size) : NULL;
    if (grown == NULL)
        return false;
    s->input = grown;
    s->size = size;
    return true;
}

/* False when there is nothing to tell. */
static bool take_input(struct stream *s)
{
    ssize_t n = -1;

    errno = ENOBUFS;
    if (make_room(s))
        n = recv(s->fd, s->input + s->until, s->size - s->until, 0);
    if (n < 0 && passes(errno))
        return false;
    if (n > 0)
        s->until += (size_t)n;
    else
        listen_to(s, false);
    s->eof |= n == 0;
    s->broken |= n < 0;
    return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;

    (void)fd;
    (void)what;
    if (s->held)
        listen_to(s, false);
    else if (take_input(s))
        s->on_ready(s->arg);
}

/* Writes what there is to be sent; what is left then waits until the socket takes it. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;

    (void)what;
    s->broken |= evbuffer_write(s->unsent, fd) < 0 && !passes(errno);
    if (!s->broken && evbuffer_get_length(s->unsent) > 0) {
        s->broken = event_add(s->writable, NULL) != 0;
        if (!s->broken)
            return;
    }
    s->on_ready(s->arg);
}

bool stream_open(struct stream *s, struct loop *l, int fd, size_t most, loop_fn on_ready, void *arg)
{
    *s = (struct stream){.fd = fd, .most = most, .on_ready = on_ready, .arg = arg, .deaf = true};
    s->readable = event_new(loop_base(l), fd, EV_READ | EV_PERSIST, on_readable, s);
    s->writable = event_new(loop_base(l), fd, EV_WRITE, on_writable, s);
    s->unsent = evbuffer_new();
    if (s->readable != NULL && s->writable != NULL && s->unsent != NULL)
        listen_to(s, true);
    if (!s->deaf && !s->broken)
        return true;
    s->fd = -1;
    stream_close(s);
    return false;
}

void stream_close(struct stream *s)
{
    if (s->fd >= 0 && !s->broken && evbuffer_get_length(s->unsent) > 0)
        (void)evbuffer_write(s->unsent, s->fd);
    if (s->readable != NULL)
        event_free(s->readable);
    if (s->writable != NULL)
        event_free(s->writable);
    if (s->unsent != NULL)
        evbuffer_free(s->unsent);
    if (s->fd >= 0)
        close(s->fd);
    free(s->input);
    *s = (struct stream){.fd = -1};
}

char *stream_input(const struct stream *s, size_t *len)
{
    *len = s->until - s->from;
    return s->input != NULL ? s->input + s->from : NULL;
}

void stream_drop(struct stream *s, size_t len)
{
    s->from += len;
    if (s->from < s->until)
        return;
    s->from = s->until = 0;
    if (s->size > INPUT_KEPT) {
        free(s->input);
        s->input = NULL;
        s->size = 0;
    }
}

void stream_hold(struct stream *s, bool held)
{
    s->held = held;
    if (!held && !s->eof)
        listen_to(s, true);
}

void stream_send(struct stream *s, const char *data, size_t len)
{
    if (evbuffer_get_length(s->unsent) == 0)
        event_active(s->writable, EV_WRITE, 0); /* behind those that are active already */
    s->broken |= evbuffer_add(s->unsent, data, len) != 0;
}

size_t stream_unsent(const struct stream *s)
{
    return evbuffer_get_length(s->unsent);
}
