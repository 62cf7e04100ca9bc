/*
 * SMTP clients that name recipients one after the other and never send DATA: how long the server
 * takes for each. Every reply's form is looked at.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/netaddr.h"
#include "base/str.h"
#include "quantiles.h"
#include "recipients.h"

#define SESSIONS    10
#define RECIPIENTS  10000
#define PER_MESSAGE 100
#define INPUT_SIZE  8192 /* of a reply with all its lines */
#define EVENTS      64
#define WAIT_MS     60000

#define MAIL_COMMAND "MAIL FROM:<sender@sender.example>"

#define STEPS(X) \
    X(GREETING, "the greeting", 220) \
    X(EHLO, "EHLO", 250) \
    X(MAIL, "MAIL", 250) \
    X(RCPT, "RCPT", 0) \
    X(RSET, "RSET", 250) \
    X(QUIT, "QUIT", 221)

enum step {
#define STEP(name, text, code) name,
    STEPS(STEP)
#undef STEP
};

static const struct {
    const char *name;
    int code; /* the only right one; 0: any that a recipient can have */
} steps[] = {
#define STEP(name, text, code) {text, code},
    STEPS(STEP)
#undef STEP
};

struct session {
    int fd;
    enum step step; /* what an answer is awaited to */
    bool ended;
    uint64_t named; /* of this message */
    uint64_t began;
    size_t have;
    char input[INPUT_SIZE];
};

struct load {
    struct netaddr server;
    uint16_t port;
    uint64_t sessions, count, per_message;
    struct recipients recipients;
    int epoll;
    uint64_t greeted, named, ended;
    uint64_t first_ns, last_ns;
    uint64_t replies[6]; /* by the first digit, to recipients */
    struct quantiles times;
};

__attribute__((format(printf, 2, 3), noreturn)) static void fail(const struct session *s,
                                                                 const char *fmt, ...)
{
    va_list args;

    if (s != NULL)
        fprintf(stderr, "at %s: ", steps[s->step].name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(EXIT_FAILURE);
}

static void send_line(struct session *s, enum step step, const char *line)
{
    char text[ADDRESS_TEXT_SIZE + 64];
    size_t len;

    s->step = step;
    if (!str_format(text, sizeof(text), "%s\r\n", line))
        fail(s, "too long: %s", line);
    len = strlen(text);
    if (send(s->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
        fail(s, "cannot send: %s", strerror(errno));
}

static void name_recipient(struct load *l, struct session *s)
{
    char line[ADDRESS_TEXT_SIZE + 16];

    (void)str_format(line, sizeof(line), "RCPT TO:<%s>", recipients_at(&l->recipients, l->named));
    s->named++;
    s->began = now_ns();
    if (l->named++ == 0)
        l->first_ns = s->began;
    send_line(s, RCPT, line);
}

/* Before a message or between recipients: the next thing to say. */
static void go_on(struct load *l, struct session *s)
{
    if (l->named == l->count)
        send_line(s, QUIT, "QUIT");
    else if (s->step == RSET || s->step == EHLO)
        send_line(s, MAIL, MAIL_COMMAND);
    else if (s->named < l->per_message)
        name_recipient(l, s);
    else
        send_line(s, RSET, "RSET");
}

/* None speaks of mail before all are greeted. */
static void note_greeted(struct load *l, struct session *all)
{
    if (++l->greeted < l->sessions)
        return;
    for (uint64_t i = 0; i < l->sessions; i++)
        go_on(l, &all[i]);
}

static void note_answered(struct load *l, const struct session *s, int code)
{
    l->last_ns = now_ns();
    quantiles_add(&l->times, l->last_ns - s->began);
    l->replies[code / 100]++;
}

static void end_session(struct load *l, struct session *s)
{
    (void)close(s->fd);
    s->ended = true;
    l->ended++;
}

static void on_reply(struct load *l, struct session *s, struct session *all, int code)
{
    if (steps[s->step].code != 0 ? code != steps[s->step].code : code == 421 || code / 100 == 3)
        fail(s, "%s", s->input);
    switch (s->step) {
    case GREETING:
        send_line(s, EHLO, "EHLO client.example");
        break;
    case EHLO:
        note_greeted(l, all);
        break;
    case RSET:
        s->named = 0;
        go_on(l, s);
        break;
    case RCPT:
        note_answered(l, s, code);
        go_on(l, s);
        break;
    case MAIL:
        go_on(l, s);
        break;
    case QUIT:
        end_session(l, s);
        break;
    }
}

/*
 * RFC 5321, section 4.2.1: 3DIGIT ( SP / "-" ) text CRLF, or 3DIGIT CRLF; of `len` bytes without
 * the CRLF. Its code; `last`: no other line follows.
 */
static int read_line(const struct session *s, const char *line, size_t len, bool *last)
{
    bool ok = len >= 3 && line[0] >= '2' && line[0] <= '5' && line[1] >= '0' && line[1] <= '5' &&
              line[2] >= '0' && line[2] <= '9' && (len == 3 || line[3] == ' ' || line[3] == '-');

    for (size_t i = 0; ok && i < len; i++)
        ok = (line[i] >= ' ' && line[i] <= '~') || line[i] == '\t';
    if (!ok)
        fail(s, "no reply: %.*s", (int)len, line);
    *last = len == 3 || line[3] == ' ';
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

/* The code of the reply that is there, 0 when its end is not. */
static int read_reply(const struct session *s)
{
    const char *line = s->input, *end = line + s->have, *lf;
    int code, before = 0;
    bool last = false;

    while (!last) {
        lf = memchr(line, '\n', (size_t)(end - line));
        if (lf == NULL)
            return 0;
        if (lf == line || lf[-1] != '\r')
            fail(s, "a line without CR");
        code = read_line(s, line, (size_t)(lf - 1 - line), &last);
        if (before != 0 && before != code)
            fail(s, "%d and %d in one reply", before, code);
        before = code;
        line = lf + 1;
    }
    if (line != end)
        fail(s, "more than one reply: %s", s->input);
    return before;
}

static void on_readable(struct load *l, struct session *s, struct session *all)
{
    ssize_t n = recv(s->fd, s->input + s->have, sizeof(s->input) - 1 - s->have, 0);
    int code;

    if (n <= 0)
        fail(s, "%s", n == 0 ? "closed, or too long a reply" : strerror(errno));
    s->have += (size_t)n;
    s->input[s->have] = '\0';
    code = read_reply(s);
    if (code == 0)
        return;
    s->have = 0;
    on_reply(l, s, all, code);
}

static void open_session(struct load *l, struct session *s)
{
    struct sockaddr_storage to;
    socklen_t len = netaddr_to_sockaddr(&l->server, l->port, &to);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
    int one = 1;

    s->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, len) != 0 ||
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &event) != 0)
        fail(s, "cannot connect: %s", strerror(errno));
}

static void run(struct load *l, struct session *all)
{
    struct epoll_event events[EVENTS];
    int n;

    for (uint64_t i = 0; i < l->sessions; i++)
        open_session(l, &all[i]);
    while (l->ended < l->sessions) {
        n = epoll_wait(l->epoll, events, EVENTS, WAIT_MS);
        if (n <= 0)
            fail(NULL, "%s", n == 0 ? "no answer within a minute" : strerror(errno));
        for (int i = 0; i < n; i++)
            on_readable(l, events[i].data.ptr, all);
    }
}

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s [-c SESSIONS] [-n RECIPIENTS] [-r PER_MESSAGE] [-u] [-s START]\n"
            "       {-p POPULATION | -f FORMAT [-d DOMAINS]} ADDRESS:PORT\n" RECIPIENTS_USAGE,
            name);
    return EXIT_FAILURE;
}

static bool read_server(const char *text, struct load *l)
{
    const char *colon = strrchr(text, ':');
    char host[NETADDR_TEXT_MAX];

    return colon != NULL && str_copyn(host, sizeof(host), text, (size_t)(colon - text)) &&
           netaddr_parse(host, &l->server) &&
           netaddr_parse_port(colon + 1, strlen(colon + 1), &l->port);
}

static bool read_options(int argc, char **argv, struct load *l)
{
    bool ok = true;
    int c;

    while (ok && (c = getopt(argc, argv, "c:n:r:" RECIPIENTS_OPTIONS)) != -1) {
        if (c == 'c')
            ok = population_count(optarg, &l->sessions);
        else if (c == 'n')
            ok = population_count(optarg, &l->count);
        else if (c == 'r')
            ok = population_count(optarg, &l->per_message);
        else
            ok = recipients_option(&l->recipients, c, optarg);
    }
    return ok && recipients_usable(&l->recipients) && optind + 1 == argc &&
           read_server(argv[optind], l);
}

static void print(struct load *l)
{
    char more[128];

    (void)str_format(more, sizeof(more),
                     ", \"accepted\": %llu, \"deferred\": %llu, \"rejected\": %llu",
                     (unsigned long long)l->replies[2], (unsigned long long)l->replies[4],
                     (unsigned long long)l->replies[5]);
    quantiles_print_more(&l->times, l->last_ns - l->first_ns, more);
}

int main(int argc, char **argv)
{
    struct load l = {.sessions = SESSIONS,
                     .count = RECIPIENTS,
                     .per_message = PER_MESSAGE,
                     .recipients = {.domains = 1}};
    struct session *all;

    if (!read_options(argc, argv, &l))
        return usage(argv[0]);
    all = calloc(l.sessions, sizeof(*all));
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (all == NULL || l.epoll < 0)
        fail(NULL, "out of memory or descriptors");
    quantiles_init(&l.times, l.count);
    recipients_make(&l.recipients, l.count);
    run(&l, all);
    print(&l);
    quantiles_free(&l.times);
    recipients_free(&l.recipients);
    (void)close(l.epoll);
    free(all);
    return EXIT_SUCCESS;
}
