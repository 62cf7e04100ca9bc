/*
 * The limit that callouts are measured against: a client that does on its sockets what a callout
 * has to, and nothing else. Connect, greeting, EHLO, (STARTTLS, EHLO,) MAIL and RCPT, QUIT: no DNS,
 * no queues, and who gets what answer is nobody's business.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bare_tls.h"
#include "quantiles.h"

#define BATCH       512
#define PATIENCE_MS 120000 /* without a word from anybody */
#define INPUT_MAX   4096
#define SAMPLES_MAX 10000000 /* of a run by the clock */

enum state { GREETING, EHLO, STARTTLS, HANDSHAKE, MAIL, RCPT, QUIT };

struct callout {
    int fd;
    enum state state;
    unsigned target;
    uint64_t number, began;
    struct bare_tls *tls; /* NULL: none yet */
    const char *line;     /* that was read last */
    bool more;            /* there is something behind it */
    size_t have;
    char in[INPUT_MAX];
};

struct client {
    unsigned at_once;
    uint64_t count, seconds; /* so many callouts; or as many as can be had in so many seconds */
    bool one_by_one;         /* RCPT after the answer to MAIL */
    bool starttls, resume;
    uint16_t port;
    uint32_t first; /* address of the first target */
    unsigned targets;

    int epoll;
    struct bare_tls_context *tls;
    uint64_t started, began, last; /* `last`: when there was the last answer */
    unsigned running;
    struct quantiles answers;
};

static const char *const state_names[] = {"greeting", "EHLO", "STARTTLS", "handshake",
                                          "MAIL",     "RCPT", "QUIT"};

__attribute__((noreturn)) static void fail(const struct callout *c, const char *what,
                                           const char *why)
{
    fprintf(stderr, "callout %llu, %s: %s%s%s\n", (unsigned long long)c->number,
            state_names[c->state], what, why[0] != '\0' ? ": " : "", why);
    exit(EXIT_FAILURE);
}

/* Speaking */

static void say(struct callout *c, const char *text, size_t len)
{
    ssize_t n;

    if (c->tls != NULL)
        n = bare_tls_write(c->tls, text, len);
    else
        n = send(c->fd, text, len, MSG_NOSIGNAL);
    if (n != (ssize_t)len)
        fail(c, "cannot be told", n < 0 ? strerror(errno) : "not all of it");
}

static void say_rcpt(struct callout *c)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "RCPT TO:<u%llu@d%u.example>\r\n",
                     (unsigned long long)c->number, c->target);

    say(c, text, (size_t)n);
}

static void say_mail_and_rcpt(struct callout *c)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "MAIL FROM:<>\r\nRCPT TO:<u%llu@d%u.example>\r\n",
                     (unsigned long long)c->number, c->target);

    say(c, text, (size_t)n);
}

static void say_ehlo(struct callout *c)
{
    static const char text[] = "EHLO probe.example.net\r\n";

    say(c, text, sizeof(text) - 1);
    c->state = EHLO;
}

static void shake_hands(struct callout *c)
{
    enum bare_tls_step step = bare_tls_handshake(c->tls);

    if (step == BARE_TLS_FAILED)
        fail(c, "failed", bare_tls_reason());
    if (step == BARE_TLS_DONE)
        say_ehlo(c);
}

static void start_tls(struct client *cl, struct callout *c)
{
    char name[64];

    if (c->more)
        fail(c, "plain text behind the answer", c->line);
    snprintf(name, sizeof(name), "mx.d%u.example", c->target);
    c->tls = bare_tls_new(cl->tls, c->fd, c->target, name);
    if (c->tls == NULL)
        fail(c, "no TLS", bare_tls_reason());
    c->state = HANDSHAKE;
    shake_hands(c);
}

static void after_ehlo(struct client *cl, struct callout *c)
{
    if (cl->starttls && c->tls == NULL) {
        say(c, "STARTTLS\r\n", 10);
        c->state = STARTTLS;
        return;
    }
    if (cl->one_by_one)
        say(c, "MAIL FROM:<>\r\n", 14);
    else
        say_mail_and_rcpt(c);
    c->state = MAIL;
}

static void answered(struct client *cl, struct callout *c)
{
    cl->last = now_ns();
    quantiles_add(&cl->answers, cl->last - c->began);
    say(c, "QUIT\r\n", 6);
    c->state = QUIT;
}

/* Beginning and ending */

static void connect_to(struct client *cl, struct callout *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(cl->port),
                             .sin_addr.s_addr = htonl(cl->first + c->target)};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fail(c, "no socket", strerror(errno));
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
        fail(c, "no connection", strerror(errno));
    if (epoll_ctl(cl->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
        fail(c, "epoll_ctl", strerror(errno));
}

static bool wants_more(const struct client *cl)
{
    if (cl->seconds > 0)
        return now_ns() - cl->began < cl->seconds * 1000000000;
    return cl->started < cl->count;
}

static void start(struct client *cl, struct callout *c)
{
    c->number = cl->started++;
    c->target = (unsigned)(c->number % cl->targets);
    c->state = GREETING;
    c->have = 0;
    c->began = now_ns();
    cl->running++;
    connect_to(cl, c);
}

static void end(struct client *cl, struct callout *c)
{
    bare_tls_free(&c->tls);
    close(c->fd);
    cl->running--;
    if (wants_more(cl))
        start(cl, c);
}

/* Listening */

static void expect(const struct callout *c, unsigned code, unsigned wanted)
{
    if (code != wanted)
        fail(c, "was answered", c->line);
}

/* False when it is over. */
static bool hear(struct client *cl, struct callout *c, unsigned code)
{
    switch (c->state) {
    case GREETING:
        expect(c, code, 220);
        say_ehlo(c);
        break;
    case EHLO:
        expect(c, code, 250);
        after_ehlo(cl, c);
        break;
    case STARTTLS:
        expect(c, code, 220);
        start_tls(cl, c);
        break;
    case MAIL:
        expect(c, code, 250);
        if (cl->one_by_one)
            say_rcpt(c);
        c->state = RCPT;
        break;
    case RCPT:
        if (code / 100 == 3)
            fail(c, "was answered", c->line);
        answered(cl, c);
        break;
    case HANDSHAKE:
        fail(c, "plain text", c->line);
    case QUIT:
        expect(c, code, 221);
        return false;
    }
    return true;
}

/* The code of a reply's last line, 0 of those before it. */
static unsigned code_of(const struct callout *c, size_t len)
{
    const char *line = c->line;

    if (len < 5 || line[len - 1] != '\r' || line[0] < '2' || line[0] > '5' ||
        (line[3] != ' ' && line[3] != '-'))
        fail(c, "no reply", line);
    return line[3] == '-' ? 0 : (unsigned)strtoul(line, NULL, 10);
}

/* False when it is over. What is not a whole line yet stays. */
static bool read_replies(struct client *cl, struct callout *c)
{
    size_t at = 0;
    char *end;

    while ((end = memchr(c->in + at, '\n', c->have - at)) != NULL) {
        unsigned code;

        *end = '\0';
        c->line = c->in + at;
        at = (size_t)(end - c->in) + 1;
        c->more = at < c->have;
        code = code_of(c, (size_t)(end - c->line));
        if (code != 0 && !hear(cl, c, code))
            return false;
    }
    c->have -= at;
    memmove(c->in, c->in + at, c->have);
    if (c->have == sizeof(c->in))
        fail(c, "too long a reply", "");
    return true;
}

/* What is there, 0 when that is nothing yet. */
static size_t receive(struct callout *c)
{
    char *to = c->in + c->have;
    size_t room = sizeof(c->in) - c->have;
    ssize_t n = c->tls != NULL ? bare_tls_read(c->tls, to, room) : recv(c->fd, to, room, 0);

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        fail(c, "the connection is lost", n < 0 ? strerror(errno) : "closed");
    return (size_t)n;
}

static void come(struct client *cl, struct callout *c)
{
    size_t n;

    if (c->state == HANDSHAKE)
        shake_hands(c);
    if (c->state == HANDSHAKE)
        return;
    do {
        n = receive(c);
        c->have += n;
        if (n > 0 && !read_replies(cl, c)) {
            end(cl, c);
            return;
        }
        /* Without TLS what is left is told again. */
    } while (n > 0 && c->tls != NULL);
}

static void run(struct client *cl)
{
    struct epoll_event events[BATCH];

    while (cl->running > 0) {
        int n = epoll_wait(cl->epoll, events, BATCH, PATIENCE_MS);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            fprintf(stderr, "%u callouts hang\n", cl->running);
            exit(EXIT_FAILURE);
        }
        for (int i = 0; i < n; i++)
            come(cl, events[i].data.ptr);
    }
}

static void report(struct client *cl, uint64_t cpu_ns)
{
    char more[128];

    (void)snprintf(more, sizeof(more), ", \"cpu_us\": %.3f, \"handshakes\": %u, \"resumed\": %u",
                   (double)cpu_ns / 1e3 / (double)cl->answers.count, bare_tls_handshakes(cl->tls),
                   bare_tls_resumed(cl->tls));
    quantiles_print_more(&cl->answers, cl->last - cl->began, more);
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* "198.51.100.1+200": so many from there on; one without a number. */
static bool read_targets(const char *text, struct client *cl)
{
    char address[INET_ADDRSTRLEN];
    const char *plus = strchr(text, '+');
    size_t len = plus != NULL ? (size_t)(plus - text) : strlen(text);
    struct in_addr first;

    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    cl->targets = plus != NULL ? (unsigned)strtoul(plus + 1, NULL, 10) : 1;
    if (inet_pton(AF_INET, address, &first) != 1)
        return false;
    cl->first = ntohl(first.s_addr);
    return cl->targets > 0;
}

static bool read_options(int argc, char **argv, struct client *cl)
{
    bool ok = true;
    int c;

    while (ok && (c = getopt(argc, argv, "c:n:T:p:a:PtR")) != -1) {
        if (c == 'c')
            cl->at_once = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'n')
            cl->count = strtoull(optarg, NULL, 10);
        else if (c == 'T')
            cl->seconds = strtoull(optarg, NULL, 10);
        else if (c == 'p')
            cl->port = (uint16_t)strtoul(optarg, NULL, 10);
        else if (c == 'a')
            ok = read_targets(optarg, cl);
        else if (c == 'P')
            cl->one_by_one = true;
        else if (c == 't')
            cl->starttls = true;
        else if (c == 'R')
            cl->resume = true;
        else
            ok = false;
    }
    return ok && cl->targets > 0 && cl->at_once > 0 && cl->count > 0 && optind == argc;
}

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s [-c AT_ONCE] [-n CALLOUTS | -T SECONDS] [-P] [-t [-R]] [-p PORT] -a "
            "ADDRESS[+COUNT]\n"
            "  -P   RCPT only after the answer to MAIL, as without PIPELINING\n"
            "  -t   STARTTLS\n"
            "  -R   TLS sessions are resumed\n",
            name);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct client cl = {.at_once = 1, .count = 1, .port = 25};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct callout *callouts;
    uint64_t cpu;

    if (!read_options(argc, argv, &cl))
        return usage(argv[0]);
    (void)sigaction(SIGPIPE, &ignore, NULL); /* OpenSSL writes without MSG_NOSIGNAL */
    callouts = calloc(cl.at_once, sizeof(*callouts));
    cl.epoll = epoll_create1(EPOLL_CLOEXEC);
    cl.tls = cl.starttls ? bare_tls_context_new(cl.targets, cl.resume) : NULL;
    if (callouts == NULL || cl.epoll < 0 || (cl.starttls && cl.tls == NULL)) {
        fprintf(stderr, "cannot begin: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    quantiles_init(&cl.answers, cl.seconds > 0 ? SAMPLES_MAX : cl.count);
    cpu = cpu_ns();
    cl.began = now_ns();
    for (unsigned i = 0; i < cl.at_once && wants_more(&cl); i++)
        start(&cl, &callouts[i]);
    run(&cl);
    report(&cl, cpu_ns() - cpu);
    quantiles_free(&cl.answers);
    bare_tls_context_free(&cl.tls);
    close(cl.epoll);
    free(callouts);
    return EXIT_SUCCESS;
}
