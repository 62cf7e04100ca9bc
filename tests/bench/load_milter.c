/*
 * Asks a filter about recipients as an MTA does for many clients at a time: each connection waits
 * for the reply to its RCPT before it says more.
 */
#include <errno.h>
#include <getopt.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "frontend/milter_socket.h"
#include "milter_wire.h"
#include "population.h"
#include "quantiles.h"

#define EVENTS_MAX      64
#define PATIENCE_MS     30000
#define CONNECTIONS_MAX 10000
#define RECIPIENTS_MAX  100000000

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
    struct listen_spec spec;
    struct population people;
    uint64_t connections, recipients, per_message;
    int poll;
    uint64_t asked, random;
    unsigned talking; /* connections that are not through */
    struct quantiles times;
};

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

/* Somebody at random of whom something is known for a day at least. */
static void pick(struct load *l, char text[ADDRESS_TEXT_SIZE])
{
    struct address a;
    uint64_t number;

    do
        number = population_random(l->random++, 8) % l->people.count;
    while (!population_lasts(number));
    population_address(&l->people, number, &a);
    address_format(&a, text);
}

static void say(const struct mta *m, const struct wire *w)
{
    if (send(m->fd, w->bytes, w->len, MSG_NOSIGNAL) != (ssize_t)w->len)
        fail("send", strerror(errno));
}

static void ask(struct load *l, struct mta *m, struct wire *w)
{
    char recipient[ADDRESS_TEXT_SIZE];

    pick(l, recipient);
    wire_rcpt(w, &m->terms, recipient);
    l->asked++;
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
    if (l->asked < l->recipients)
        go_on(l, m);
    else
        leave(l, m);
}

static int dial(const struct listen_spec *spec)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_storage to;
    socklen_t len = sizeof(un);
    int one = 1, fd;

    if (spec->path[0] != '\0') {
        (void)str_copy(un.sun_path, sizeof(un.sun_path), spec->path);
        memcpy(&to, &un, sizeof(un));
    } else {
        len = netaddr_to_sockaddr(&spec->ip, spec->port, &to);
    }
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, len) != 0)
        fail(spec->text, strerror(errno));
    if (to.ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void start(struct load *l, struct mta *m)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = m};
    const char *wrong;
    struct wire w;
    size_t size;

    m->fd = dial(&l->spec);
    w.len = 0;
    wire_negotiate(&w);
    say(m, &w);
    while ((size = hear(m)) == 0)
        ;
    wrong = wire_read_terms(m->in, size, &m->terms);
    if (wrong != NULL)
        fail("the filter", wrong);
    if ((m->terms.steps & (SMFIP_NORCPT | SMFIP_NR_RCPT)) != 0)
        fail("the filter", "does not want to be asked about recipients");
    if (epoll_ctl(l->poll, EPOLL_CTL_ADD, m->fd, &e) != 0)
        fail("epoll_ctl", strerror(errno));
    l->talking++;
}

static void talk(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];

    while (l->talking > 0) {
        int n = epoll_wait(l->poll, events, EVENTS_MAX, PATIENCE_MS);

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
    struct error err;
    bool ok = true;
    int c;

    while (ok && (c = getopt(argc, argv, "c:n:p:r:")) != -1) {
        if (c == 'c')
            ok = population_count(optarg, &l->connections) && l->connections <= CONNECTIONS_MAX;
        else if (c == 'n')
            ok = population_count(optarg, &l->recipients) && l->recipients <= RECIPIENTS_MAX;
        else if (c == 'r')
            ok = population_count(optarg, &l->per_message);
        else
            ok = c == 'p' && population_count(optarg, &l->people.count);
    }
    if (!ok || l->people.count == 0 || optind != argc - 1)
        return false;
    ok = milter_socket_parse(argv[optind], &l->spec, &err);
    if (!ok)
        fprintf(stderr, "%s: %s\n", argv[optind], err.text);
    return ok;
}

int main(int argc, char **argv)
{
    struct load l = {.connections = 16, .recipients = 100000, .per_message = 1};
    struct mta *mtas;
    uint64_t began;

    if (!read_options(argc, argv, &l)) {
        fprintf(stderr,
                "usage: %s [-c CONNECTIONS] [-n RECIPIENTS] [-r PER_MESSAGE] -p POPULATION SOCKET\n"
                "  -p   of how many recipients the store was made (1m); SOCKET is libmilter's\n",
                argv[0]);
        return EXIT_FAILURE;
    }
    quantiles_init(&l.times, l.recipients);
    mtas = calloc(l.connections, sizeof(*mtas));
    l.poll = epoll_create1(EPOLL_CLOEXEC);
    if (mtas == NULL || l.poll < 0)
        fail("start", strerror(errno));
    for (uint64_t i = 0; i < l.connections; i++)
        start(&l, &mtas[i]);
    began = now_ns();
    for (uint64_t i = 0; i < l.connections; i++)
        go_on(&l, &mtas[i]);
    talk(&l);
    quantiles_print(&l.times, now_ns() - began);
    quantiles_free(&l.times);
    free(mtas);
    close(l.poll);
    return EXIT_SUCCESS;
}
