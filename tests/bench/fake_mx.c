/*
 * A mail exchanger that knows everybody, for thousands of callouts at once: what a client sends is
 * answered after a set delay, as if it were so far away. What clients do wrong is counted, and is
 * this program's failure.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "mx_dialogue.h"
#include "mx_link.h"
#include "quantiles.h"

#define EVENTS_MAX  512
#define FLIGHTS_MAX 65536 /* on their way at once: some for each session */
#define TOLD_MAX    10    /* of what was wrong */

struct session {
    struct mx_link link;
    uint32_t number; /* a descriptor is soon somebody else's */
    struct mx_dialogue dialogue;
};

/* Replies on their way. All are as long on it, so they arrive in order. */
struct flight {
    uint64_t due;
    int fd;
    uint32_t number;
    size_t len;
};

struct mx {
    struct mx_opts opts;
    struct ssl_ctx_st *tls; /* NULL: no STARTTLS */
    uint64_t delay_ns;
    int epoll, timer;
    uint64_t armed;            /* when the timer fires */
    struct session **sessions; /* by descriptor; of listeners NULL */
    int sessions_max;
    struct flight *flights; /* a ring */
    unsigned first, last;
    uint64_t accepted, recipients, handshakes, resumed, cut, wrong;
};

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
    (void)signal_number;
    ended = 1;
}

static void die(const char *what)
{
    fprintf(stderr, "fake_mx: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void watch(struct mx *m, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};

    if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        die("epoll_ctl");
}

static void close_session(struct mx *m, int fd)
{
    struct session *s = m->sessions[fd];

    m->recipients += s->dialogue.recipients;
    m->sessions[fd] = NULL;
    mx_link_close(&s->link);
    free(s);
}

static void blame(struct mx *m, int fd, const char *why)
{
    if (m->wrong++ < TOLD_MAX)
        fprintf(stderr, "fake_mx: %s\n", why);
    close_session(m, fd);
}

/* All that is in `out` and not on its way yet. */
static void send_off(struct mx *m, int fd, size_t before)
{
    struct session *s = m->sessions[fd];

    if (s->dialogue.out_len == before)
        return;
    if (m->last - m->first == FLIGHTS_MAX) {
        blame(m, fd, "too many replies on their way");
        return;
    }
    m->flights[m->last++ % FLIGHTS_MAX] =
        (struct flight){now_ns() + m->delay_ns, fd, s->number, s->dialogue.out_len - before};
}

static void welcome(struct mx *m, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct session *s;

    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
        return;
    if (fd < 0 || fd >= m->sessions_max)
        die("accept");
    s = malloc(sizeof(*s));
    if (s == NULL)
        die("a session");
    m->sessions[fd] = s;
    s->link = (struct mx_link){.fd = fd};
    s->number = (uint32_t)++m->accepted;
    mx_begin(&s->dialogue);
    watch(m, fd, EPOLLIN);
    send_off(m, fd, 0);
}

static void count_handshake(struct mx *m, struct session *s)
{
    bool resumed;

    if (!mx_link_shook_hands(&s->link, &resumed))
        return;
    m->handshakes++;
    m->resumed += resumed;
    mx_secured(&s->dialogue);
}

static void hear(struct mx *m, int fd)
{
    struct session *s = m->sessions[fd];
    struct mx_dialogue *d = &s->dialogue;
    size_t before = d->out_len;
    const char *wrong = NULL;
    ssize_t got;

    do {
        got = mx_link_read(&s->link, d->in + d->in_len, sizeof(d->in) - d->in_len);
        count_handshake(m, s);
        if (got > 0)
            wrong = mx_hear(d, &m->opts, (size_t)got);
    } while (got > 0 && wrong == NULL && mx_link_has_more(&s->link));
    if (wrong != NULL) {
        blame(m, fd, wrong);
    } else if (got == 0) {
        m->cut += d->next != MX_CLOSE;
        close_session(m, fd);
    } else {
        send_off(m, fd, before);
    }
}

static void arrive(struct mx *m, const struct flight *f)
{
    struct session *s = m->sessions[f->fd];
    struct mx_dialogue *d;

    if (s == NULL || s->number != f->number)
        return;
    d = &s->dialogue;
    if (!mx_link_write(&s->link, d->out, f->len)) {
        m->cut++;
        close_session(m, f->fd);
        return;
    }
    mx_sent(d, f->len);
    if (d->out_len > 0)
        return;
    if (d->next == MX_CLOSE)
        close_session(m, f->fd);
    else if (d->next == MX_START_TLS && !mx_link_secure(&s->link, m->tls))
        die("TLS");
}

/* What is due; then the timer is set for what comes next. */
static void run_flights(struct mx *m)
{
    struct itimerspec at = {.it_value.tv_nsec = 0};
    uint64_t now = now_ns(), due;

    while (m->first != m->last && m->flights[m->first % FLIGHTS_MAX].due <= now)
        arrive(m, &m->flights[m->first++ % FLIGHTS_MAX]);
    if (m->first == m->last || m->flights[m->first % FLIGHTS_MAX].due == m->armed)
        return;
    due = m->armed = m->flights[m->first % FLIGHTS_MAX].due;
    at.it_value.tv_sec = (time_t)(due / 1000000000);
    at.it_value.tv_nsec = (long)(due % 1000000000);
    if (timerfd_settime(m->timer, TFD_TIMER_ABSTIME, &at, NULL) != 0)
        die("timerfd_settime");
}

static void serve(struct mx *m, const sigset_t *unblocked)
{
    struct epoll_event events[EVENTS_MAX];

    while (!ended) {
        int count = epoll_pwait(m->epoll, events, EVENTS_MAX, -1, unblocked);

        if (count < 0 && errno != EINTR)
            die("epoll_pwait");
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (m->sessions[fd] != NULL)
                hear(m, fd);
            else if (fd != m->timer)
                welcome(m, fd);
        }
        run_flights(m);
    }
}

static void listen_at(struct mx *m, const char *address, const char *port, unsigned offset)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *ai;
    int fd, on = 1;

    if (getaddrinfo(address, port, &hints, &ai) != 0) {
        fprintf(stderr, "fake_mx: no address: %s\n", address);
        exit(EXIT_FAILURE);
    }
    if (ai->ai_family == AF_INET) {
        struct in_addr *a = &((struct sockaddr_in *)ai->ai_addr)->sin_addr;

        a->s_addr = htonl(ntohl(a->s_addr) + offset);
    }
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0)
        die(address);
    freeaddrinfo(ai);
    watch(m, fd, EPOLLIN);
}

/* "ADDRESS+COUNT": so many IPv4 addresses from that one on. */
static void listen_at_range(struct mx *m, char *range, const char *port)
{
    char *plus = strchr(range, '+');
    unsigned long count = plus != NULL ? strtoul(plus + 1, NULL, 10) : 1;

    if (plus != NULL)
        *plus = '\0';
    for (unsigned n = 0; n < count; n++)
        listen_at(m, range, port, n);
}

static void open_up(struct mx *m)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        die("getrlimit");
    m->sessions_max = (int)files.rlim_cur;
    m->sessions = calloc(files.rlim_cur, sizeof(struct session *));
    m->flights = calloc(FLIGHTS_MAX, sizeof(*m->flights));
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (m->sessions == NULL || m->flights == NULL || m->epoll < 0 || m->timer < 0)
        die("start");
    watch(m, m->timer, EPOLLIN | EPOLLET);
}

static void close_down(struct mx *m)
{
    for (int fd = 0; fd < m->sessions_max; fd++)
        if (m->sessions[fd] != NULL)
            close_session(m, fd);
    mx_tls_free(&m->tls);
    free(m->sessions);
    free(m->flights);
    printf("{\"sessions\": %llu, \"recipients\": %llu, \"handshakes\": %llu, \"resumed\": %llu, "
           "\"cut\": %llu, \"wrong\": %llu}\n",
           (unsigned long long)m->accepted, (unsigned long long)m->recipients,
           (unsigned long long)m->handshakes, (unsigned long long)m->resumed,
           (unsigned long long)m->cut, (unsigned long long)m->wrong);
}

static int usage(const char *name)
{
    fprintf(
        stderr,
        "usage: %s [-p PORT] [-d DELAY_MS] [-P] [-t CERT,KEY] [-r REPLY] [-N ADDRESS+COUNT] "
        "[ADDRESS…]\n"
        "  -d DELAY_MS    before each flight of replies, the greeting, too; not in a handshake\n"
        "  -P             without PIPELINING\n"
        "  -t CERT,KEY    with STARTTLS\n"
        "  -r REPLY       to RCPT\n"
        "At SIGTERM it prints what there was; \"cut\" are sessions that ended without QUIT.\n",
        name);
    return EXIT_FAILURE;
}

struct places {
    char *range;
    const char *port;
};

static bool read_options(int argc, char **argv, struct mx *m, struct places *at)
{
    bool ok = true;
    int c;

    while (ok && (c = getopt(argc, argv, "p:d:Pt:r:N:")) != -1) {
        if (c == 'p')
            at->port = optarg;
        else if (c == 'd')
            m->delay_ns = strtoull(optarg, NULL, 10) * 1000000;
        else if (c == 'P')
            m->opts.pipelining = false;
        else if (c == 't')
            ok = m->opts.starttls = mx_tls_new(&m->tls, optarg);
        else if (c == 'r')
            m->opts.rcpt_reply = optarg;
        else if (c == 'N')
            at->range = optarg;
        else
            ok = false;
    }
    return ok && (at->range != NULL || optind < argc);
}

/* SIGTERM is let through only where everything waits. */
static void take_signals(sigset_t *unblocked)
{
    const struct sigaction on_term = {.sa_handler = end}, on_pipe = {.sa_handler = SIG_IGN};
    sigset_t term;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, unblocked);
    sigaction(SIGTERM, &on_term, NULL);
    sigaction(SIGPIPE, &on_pipe, NULL);
}

int main(int argc, char **argv)
{
    struct mx m = {.opts = {.pipelining = true, .rcpt_reply = "250 2.1.5 Ok"}};
    struct places at = {.port = "25"};
    sigset_t unblocked;

    if (!read_options(argc, argv, &m, &at))
        return usage(argv[0]);
    take_signals(&unblocked);
    open_up(&m);
    if (at.range != NULL)
        listen_at_range(&m, at.range, at.port);
    for (int i = optind; i < argc; i++)
        listen_at(&m, argv[i], at.port, 0);
    puts("ready");
    fflush(stdout);
    serve(&m, &unblocked);
    close_down(&m);
    return m.wrong > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
