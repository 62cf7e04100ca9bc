#include "smtp/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/netaddr.h"
#include "base/str.h"
#include "smtp/connection.h"
#include "smtp/session.h"

struct attempt {
    struct dial *dial;
    const struct session_target *target;
    int fd;       /* -1: not begun, or over */
    bool watched; /* by `writable` */
    struct event writable;
    int64_t began; /* clock_mono_ms */
};

struct dial {
    struct event_base *base;
    struct dial_handler handler;
    struct loop_timer *timer; /* for the next attempt */
    enum smtp_failure first_failure;
    char first_detail[sizeof(((struct outcome *)NULL)->detail)];
    size_t next; /* attempt to begin */
    size_t count;
    struct attempt attempts[];
};

/* Ends the attempt, but for its descriptor. */
static int detach(struct attempt *a)
{
    int fd = a->fd;

    if (a->watched)
        event_del(&a->writable);
    a->watched = false;
    a->fd = -1;
    return fd;
}

static void give_up(struct attempt *a)
{
    int fd = detach(a);

    if (fd >= 0)
        (void)close(fd);
}

void dial_close(struct dial **dp)
{
    struct dial *d = *dp;

    if (d == NULL)
        return;
    for (size_t i = 0; i < d->count; i++)
        give_up(&d->attempts[i]);
    loop_timer_free(&d->timer);
    free(d);
    *dp = NULL;
}

/* What came of it. The owner is told last: by then the dial may be gone. */

static bool under_way(const struct dial *d)
{
    for (size_t i = 0; i < d->next; i++)
        if (d->attempts[i].fd >= 0)
            return true;
    return false;
}

/* Also whoever has not failed and is not the last to have begun. */
static bool had_head_start(const struct attempt *a)
{
    return a != &a->dial->attempts[a->dial->next - 1] ||
           clock_mono_ms() - a->began >= DIAL_HEAD_START_MS;
}

static void fail(struct attempt *a, enum smtp_failure how, const char *detail)
{
    struct dial *d = a->dial;
    size_t index = (size_t)(a - d->attempts);

    give_up(a);
    if (index == 0) {
        d->first_failure = how;
        str_printable(d->first_detail, sizeof(d->first_detail), detail, strlen(detail));
    }
    d->handler.on_address_failed(d->handler.arg, index, how);
}

static void lose(struct dial *d)
{
    const struct dial_handler h = d->handler;
    enum smtp_failure how = d->first_failure;
    char detail[sizeof(d->first_detail)];

    memcpy(detail, d->first_detail, sizeof(detail));
    dial_close(&d);
    h.on_failed(h.arg, how, detail);
}

static void win(struct attempt *a)
{
    struct dial *d = a->dial;
    const struct dial_handler h = d->handler;
    size_t index = (size_t)(a - d->attempts);
    int fd = detach(a);
    const struct session_target *target = a->target;

    for (size_t i = 0; i < d->next; i++)
        if (d->attempts[i].fd >= 0 && had_head_start(&d->attempts[i]))
            h.on_address_late(h.arg, i);
    dial_close(&d);
    h.on_connected(h.arg, index, target, fd);
}

/* One attempt */

/* Where the target is; returns the length of its address. */
static socklen_t target_address(const struct session_target *t, struct sockaddr_storage *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)out;

    if (t->path == NULL)
        return netaddr_to_sockaddr(&t->ip, t->port, out);
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    (void)str_copy(un->sun_path, sizeof(un->sun_path), t->path);
    return sizeof(*un);
}

/* The port is chosen at connect(), where only both ends together need be unique. */
static bool bind_source(int fd, const struct netaddr *source)
{
    struct sockaddr_storage from;
    socklen_t len = netaddr_to_sockaddr(source, 0, &from);

#ifdef IP_BIND_ADDRESS_NO_PORT
    int on = 1;

    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
#endif
    return bind(fd, (const struct sockaddr *)&from, len) == 0;
}

static void fail_with_errno(struct attempt *a, int err)
{
    char text[128];
    enum smtp_failure how = connection_failure(err);

    if (err == EADDRNOTAVAIL && a->target->source.family != AF_UNSPEC)
        how = SMTP_FAILURE_LOCAL; /* no port left */
    fail(a, how, strerror_r(err, text, sizeof(text)));
}

static void fail_at_source(struct attempt *a, int err)
{
    char ip[NETADDR_TEXT_MAX], text[128], detail[256];

    (void)str_format(detail, sizeof(detail), "cannot connect from %s: %s",
                     netaddr_format(&a->target->source, ip), strerror_r(err, text, sizeof(text)));
    fail(a, SMTP_FAILURE_LOCAL, detail);
}

static void try_next(struct dial *d);

/* The next one's head start is over with the last one's chance. */
static void after_failure(struct attempt *a)
{
    struct dial *d = a->dial;

    if (a == &d->attempts[d->next - 1] || !under_way(d))
        try_next(d);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct attempt *a = arg;
    int err = 0;
    socklen_t len = sizeof(err);

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        err = errno;
    if (err == 0) {
        win(a);
        return;
    }
    fail_with_errno(a, err);
    after_failure(a);
}

/* False when it failed at once. */
static bool begin(struct attempt *a)
{
    const struct session_target *t = a->target;
    struct sockaddr_storage to;
    socklen_t to_len = target_address(t, &to);
    int on = 1;

    a->began = clock_mono_ms();
    a->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0) {
        fail_with_errno(a, errno);
        return false;
    }
    /* QUIT right behind RCPT is not to wait for an acknowledgement; that it would is no error. */
    (void)setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (to.ss_family != AF_UNIX && t->source.family != AF_UNSPEC &&
        !bind_source(a->fd, &t->source)) {
        fail_at_source(a, errno);
        return false;
    }
    if (connect(a->fd, (const struct sockaddr *)&to, to_len) != 0 && errno != EINPROGRESS) {
        fail_with_errno(a, errno);
        return false;
    }
    (void)event_assign(&a->writable, a->dial->base, a->fd, EV_WRITE, on_writable, a);
    a->watched = event_add(&a->writable, NULL) == 0;
    if (!a->watched)
        fail_with_errno(a, ENOMEM);
    return a->watched;
}

static void try_next(struct dial *d)
{
    bool begun = false;

    while (d->next < d->count && !begun) {
        d->handler.on_attempt(d->handler.arg);
        begun = begin(&d->attempts[d->next++]);
    }
    if (d->next < d->count)
        loop_timer_arm(d->timer, DIAL_HEAD_START_MS);
    else if (!under_way(d))
        lose(d);
}

static void on_timer(void *arg)
{
    try_next(arg);
}

struct dial *dial_start(struct loop *loop, const struct session_target *targets, size_t count,
                        const struct dial_handler *handler)
{
    struct dial *d = calloc(1, sizeof(*d) + count * sizeof(d->attempts[0]));

    if (d == NULL)
        return NULL;
    d->timer = loop_timer_new(loop, on_timer, d);
    if (d->timer == NULL) {
        free(d);
        return NULL;
    }
    d->base = loop_base(loop);
    d->handler = *handler;
    d->count = count;
    for (size_t i = 0; i < count; i++)
        d->attempts[i] = (struct attempt){.dial = d, .target = &targets[i], .fd = -1};
    loop_timer_arm(d->timer, 0);
    return d;
}

void dial_time_is_up(struct dial *d)
{
    for (size_t i = 0; i < d->next; i++)
        if (d->attempts[i].fd >= 0)
            fail(&d->attempts[i], SMTP_FAILURE_TIMEOUT, "");
    try_next(d);
}
