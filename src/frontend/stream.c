#include "frontend/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_FIRST  2048 /* octets of a buffer that grows; more than a request of Postfix has, */
#define UNSENT_FIRST 128  /* and more than most answers */
#define UNSENT_MOST  (1U << 20) /* far more than who asks stream_unsent() lets it be */
#define KEPT_MAX     8192       /* of one that is kept while nothing is in it */

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

/* Makes room for `len` more behind those that are there: what was dropped before them, or else a
   bigger buffer, of `first` to begin with. False where that would be more than `most`. */
static bool make_room(struct stream_octets *o, size_t len, size_t first, size_t most)
{
    size_t size = o->size > 0 ? o->size : first;
    char *grown;

    if (o->from > 0) {
        memmove(o->at, o->at + o->from, o->until - o->from);
        o->until -= o->from;
        o->from = 0;
    }
    if (len <= o->size - o->until)
        return true;
    while (len > size - o->until && size < most)
        size *= 2;
    if (size > most)
        size = most;
    grown = len <= size - o->until ? realloc(o->at, size) : NULL;
    if (grown == NULL)
        return false;
    o->at = grown;
    o->size = size;
    return true;
}

static void drop(struct stream_octets *o, size_t len)
{
    o->from += len;
    if (o->from < o->until)
        return;
    o->from = o->until = 0;
    if (o->size > KEPT_MAX) {
        free(o->at);
        *o = (struct stream_octets){.at = NULL};
    }
}

/* False when there is nothing to tell. */
static bool take_input(struct stream *s)
{
    struct stream_octets *in = &s->input;
    ssize_t n = -1;

    errno = ENOBUFS;
    if (make_room(in, 1, INPUT_FIRST, s->most))
        n = recv(s->fd, in->at + in->until, in->size - in->until, 0);
    if (n < 0 && passes(errno))
        return false;
    if (n > 0)
        in->until += (size_t)n;
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

/* As much as the socket takes. */
static void send_unsent(struct stream *s)
{
    ssize_t n = send(s->fd, s->unsent.at + s->unsent.from, stream_unsent(s), MSG_NOSIGNAL);

    if (n >= 0)
        drop(&s->unsent, (size_t)n);
    else
        s->broken |= !passes(errno);
}

/* What is left then waits until the socket takes it. */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *s = arg;

    (void)fd;
    (void)what;
    if (!s->broken)
        send_unsent(s);
    if (!s->broken && stream_unsent(s) > 0) {
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
    if (s->readable != NULL && s->writable != NULL)
        listen_to(s, true);
    if (!s->deaf && !s->broken)
        return true;
    s->fd = -1;
    stream_close(s);
    return false;
}

void stream_close(struct stream *s)
{
    if (s->fd >= 0 && !s->broken && stream_unsent(s) > 0)
        send_unsent(s);
    if (s->readable != NULL)
        event_free(s->readable);
    if (s->writable != NULL)
        event_free(s->writable);
    if (s->fd >= 0)
        close(s->fd);
    free(s->input.at);
    free(s->unsent.at);
    *s = (struct stream){.fd = -1};
}

char *stream_input(const struct stream *s, size_t *len)
{
    const struct stream_octets *in = &s->input;

    *len = in->until - in->from;
    return in->at != NULL ? in->at + in->from : NULL;
}

void stream_drop(struct stream *s, size_t len)
{
    drop(&s->input, len);
}

void stream_hold(struct stream *s, bool held)
{
    s->held = held;
    if (!held && !s->eof)
        listen_to(s, true);
}

void stream_send(struct stream *s, const char *data, size_t len)
{
    struct stream_octets *out = &s->unsent;

    if (stream_unsent(s) == 0)
        event_active(s->writable, EV_WRITE, 0); /* behind those that are active already */
    if (!make_room(out, len, UNSENT_FIRST, UNSENT_MOST)) {
        s->broken = true;
        return;
    }
    memcpy(out->at + out->until, data, len);
    out->until += len;
}

size_t stream_unsent(const struct stream *s)
{
    return s->unsent.until - s->unsent.from;
}
