/*
 * Asks a filter about recipients as an MTA does for many clients at a time: each connection waits
 * for the reply to its RCPT before it says more.
 */
#include <errno.h>
#include <getopt.h>
#include <libmilter/mfapi.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "milter_wire.h"
#include "quantiles.h"
#include "recipients.h"
#include "unix_socket.h"

#define EVENTS_MAX  64
#define PATIENCE_MS 30000

/* What a connection says next. */
enum step { STEP_CONNECT, STEP_HELO, STEP_MAIL, STEP_RCPT, STEP_ABORT };

struct mta {
    int fd;
    struct wire_terms terms;
    enum step next;
    uint64_t left;  /* recipients of this message */
    uint64_t asked; /* when; 0: not about a recipient */
    uint8_t in[WIRE_PACKET_MAX];
    size_t in_len;
};

struct load {
    struct recipients recipients;
    uint64_t connections, wanted, per_message;
    const char *path;
    int epoll;
    uint64_t asked;
    unsigned talking; /* connections that are not through */
    struct quantiles times;
};

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void say(const struct mta *m, const struct wire *w)
{
    if (send(m->fd, w->bytes, w->len, MSG_NOSIGNAL) != (ssize_t)w->len)
        fail("send", strerror(errno));
}

static void ask(struct load *l, struct mta *m, struct wire *w)
{
    wire_rcpt(w, &m->terms, recipients_at(&l->recipients, l->asked++));
    m->asked = now_ns();
}

/* The next step, if the filter wants it. True when a reply is to be waited for. */
static bool take_step(struct load *l, struct mta *m, struct wire *w)
{
    uint32_t steps = m->terms.steps;

    switch (m->next++) {
    case STEP_CONNECT:
        if ((steps & SMFIP_NOCONNECT) == 0)
            wire_connect(w, &m->terms);
        return (steps & (SMFIP_NOCONNECT | SMFIP_NR_CONN)) == 0;
    case STEP_HELO:
        if ((steps & SMFIP_NOHELO) == 0)
            wire_helo(w);
        return (steps & (SMFIP_NOHELO | SMFIP_NR_HELO)) == 0;
    case STEP_MAIL:
        m->left = l->per_message;
        if ((steps & SMFIP_NOMAIL) == 0)
            wire_mail(w, &m->terms);
        return (steps & (SMFIP_NOMAIL | SMFIP_NR_MAIL)) == 0;
    case STEP_RCPT:
        ask(l, m, w);
        if (--m->left > 0)
            m->next = STEP_RCPT;
        return true;
    case STEP_ABORT:
        break;
    }
    wire_abort(w);
    m->next = STEP_MAIL;
    return false;
}

/* Says all up to the next command that has a reply. */
static void go_on(struct load *l, struct mta *m)
{
    struct wire w;

    w.len = 0;
    while (!take_step(l, m, &w))
        ;
    say(m, &w);
}

static void leave(struct load *l, struct mta *m)
{
    struct wire w;

    w.len = 0;
    wire_abort(&w);
    wire_quit(&w);
    say(m, &w);
    close(m->fd);
    l->talking--;
}

/* Reads on. The size of the packet that is there, and nothing behind it; 0: not all of it. */
static size_t hear(struct mta *m)
{
    ssize_t n = recv(m->fd, m->in + m->in_len, sizeof(m->in) - m->in_len, 0);
    size_t size;

    if (n <= 0)
        fail("recv", n == 0 ? "the filter has hung up" : strerror(errno));
    m->in_len += (size_t)n;
    size = wire_packet_size(m->in, m->in_len);
    if (size != 0 && (size < WIRE_HEADER || size > sizeof(m->in)))
        fail("the filter", "a packet of a length that no reply has");
    if (size == 0 || m->in_len < size)
        return 0;
    if (m->in_len > size)
        fail("the filter", "says more than one reply");
    m->in_len = 0;
    return size;
}

static void on_reply(struct load *l, struct mta *m)
{
    size_t size = hear(m);
    const char *wrong;

    if (size == 0)
        return;
    wrong = wire_read_reply(m->in, size);
    if (wrong != NULL)
        fail("the filter", wrong);
    if (m->asked != 0)
        quantiles_add(&l->times, now_ns() - m->asked);
    m->asked = 0;
    if (l->asked < l->wanted)
        go_on(l, m);
    else
        leave(l, m);
}

static void start(struct load *l, struct mta *m)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = m};
    const char *wrong;
    struct wire w;
    struct pollfd reply;
    size_t size;

    m->fd = unix_connect(l->path);
    w.len = 0;
    wire_negotiate(&w);
    say(m, &w);
    reply = (struct pollfd){.fd = m->fd, .events = POLLIN};
    do
        if (poll(&reply, 1, PATIENCE_MS) <= 0)
            fail("the filter", "does not negotiate");
    while ((size = hear(m)) == 0);
    wrong = wire_read_terms(m->in, size, &m->terms);
    if (wrong != NULL)
        fail("the filter", wrong);
    if ((m->terms.steps & (SMFIP_NORCPT | SMFIP_NR_RCPT)) != 0)
        fail("the filter", "does not want to be asked about recipients");
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, m->fd, &e) != 0)
        fail("epoll_ctl", strerror(errno));
    l->talking++;
}

static void talk(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];

    while (l->talking > 0) {
        int n = epoll_wait(l->epoll, events, EVENTS_MAX, PATIENCE_MS);

        if (n < 0 && errno != EINTR)
            fail("epoll_wait", strerror(errno));
        if (n == 0)
            fail("the filter", "does not reply");
        for (int i = 0; i < n; i++)
            on_reply(l, events[i].data.ptr);
    }
}

static bool read_options(int argc, char **argv, struct load *l)
{
    bool ok = true;
    int c;

    while (ok && (c = getopt(argc, argv, "c:n:r:" RECIPIENTS_OPTIONS)) != -1) {
        if (c == 'c')
            ok = population_count(optarg, &l->connections);
        else if (c == 'n')
            ok = population_count(optarg, &l->wanted);
        else if (c == 'r')
            ok = population_count(optarg, &l->per_message);
        else
            ok = recipients_option(&l->recipients, c, optarg);
    }
    l->path = argv[optind];
    return ok && optind == argc - 1 && l->connections <= l->wanted &&
           recipients_usable(&l->recipients);
}

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s [-c CONNECTIONS] [-n RECIPIENTS] [-r PER_MESSAGE] [-u] [-s START]\n"
            "       {-p POPULATION | -f FORMAT [-d DOMAINS]} PATH\n" RECIPIENTS_USAGE,
            name);
    return EXIT_FAILURE;
}

static struct mta *prepare(struct load *l)
{
    struct mta *mtas = calloc(l->connections, sizeof(*mtas));

    recipients_make(&l->recipients, l->wanted);
    quantiles_init(&l->times, l->wanted);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (mtas == NULL || l->epoll < 0)
        fail("load", "out of memory");
    for (uint64_t i = 0; i < l->connections; i++)
        start(l, &mtas[i]);
    return mtas;
}

static void finish(struct load *l, struct mta *mtas)
{
    free(mtas);
    quantiles_free(&l->times);
    recipients_free(&l->recipients);
    close(l->epoll);
}

int main(int argc, char **argv)
{
    struct load l = {.connections = 1, .wanted = 100000, .per_message = 1};
    struct mta *mtas;
    uint64_t began;

    l.recipients.domains = 1;
    if (!read_options(argc, argv, &l))
        return usage(argv[0]);
    mtas = prepare(&l);
    began = now_ns();
    for (uint64_t i = 0; i < l.connections; i++)
        go_on(&l, &mtas[i]);
    talk(&l);
    quantiles_print(&l.times, now_ns() - began);
    finish(&l, mtas);
    return EXIT_SUCCESS;
}
