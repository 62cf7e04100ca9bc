/*
 * Asks a policy server as Postfix does: some connections, on each one question at a time. Whatever
 * is no well-formed answer ends it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policy_dialogue.h"
#include "quantiles.h"
#include "recipients.h"
#include "unix_socket.h"

#define REQUESTS    200000   /* as usual, */
#define SAMPLES_MAX 10000000 /* and where only the time is bounded */
#define EVENTS_MAX  64
#define PATIENCE_MS 60000 /* for any answer */

struct client {
    int fd;
    uint64_t number; /* of its question */
    uint64_t asked_at;
    struct policy_reply reply;
};

struct load {
    struct recipients recipients;
    uint64_t connections, requests, seconds;
    const char *path;
    struct client *clients;
    int epoll;
    uint64_t sent, answered, ends_at; /* ends_at 0: by the number only */
    uint64_t actions[POLICY_REPLY_KINDS];
    struct quantiles q;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void client_open(struct load *l, struct client *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    c->fd = unix_connect(l->path);
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
        fail("epoll_ctl", strerror(errno));
}

/* The next question, if there is one. */
static void client_ask(struct load *l, struct client *c)
{
    char text[POLICY_QUESTION_SIZE];
    size_t len;

    if (l->sent == l->requests)
        return;
    len = policy_question(recipients_at(&l->recipients, l->sent), text);
    c->asked_at = now_ns();
    if (l->ends_at != 0 && c->asked_at >= l->ends_at)
        return;
    policy_reply_reset(&c->reply);
    c->number = l->sent++;
    if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
        fail("send", strerror(errno));
}

static void client_read(struct load *l, struct client *c)
{
    char data[POLICY_REPLY_SIZE];
    ssize_t n = read(c->fd, data, sizeof(data));
    uint64_t now = now_ns();
    const char *why = "closed";
    bool whole = false;

    if (n < 0)
        fail("read", strerror(errno));
    if (n == 0 || !policy_reply_feed(&c->reply, data, (size_t)n, &whole, &why)) {
        fprintf(stderr, "<%s>: \"%s\": %s\n", recipients_at(&l->recipients, c->number),
                c->reply.text, why);
        exit(EXIT_FAILURE);
    }
    if (!whole)
        return;
    quantiles_add(&l->q, now - c->asked_at);
    l->actions[c->reply.kind]++;
    l->answered++;
    client_ask(l, c);
}

static void clean_up(struct load *l)
{
    for (uint64_t i = 0; i < l->connections; i++)
        (void)close(l->clients[i].fd);
    (void)close(l->epoll);
    free(l->clients);
    recipients_free(&l->recipients);
    quantiles_free(&l->q);
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS_MAX];

    for (uint64_t i = 0; i < l->connections; i++)
        client_ask(l, &l->clients[i]);
    while (l->answered < l->sent) {
        int n = epoll_wait(l->epoll, events, EVENTS_MAX, PATIENCE_MS);

        if (n == 0)
            fail(l->path, "no answer");
        if (n < 0 && errno != EINTR)
            fail("epoll_wait", strerror(errno));
        for (int i = 0; i < n; i++)
            client_read(l, events[i].data.ptr);
    }
}

static void prepare(struct load *l)
{
    if (l->requests == 0)
        l->requests = l->seconds > 0 ? SAMPLES_MAX : REQUESTS;
    recipients_make(&l->recipients, l->requests);
    quantiles_init(&l->q, l->requests);
    l->clients = calloc(l->connections, sizeof(*l->clients));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->clients == NULL || l->epoll < 0)
        fail("load", "out of memory");
    for (uint64_t i = 0; i < l->connections; i++)
        client_open(l, &l->clients[i]);
}

static void report(struct load *l, uint64_t elapsed_ns)
{
    char more[128];

    (void)snprintf(more, sizeof(more),
                   ", \"actions\": {\"DUNNO\": %llu, \"4xx\": %llu, \"5xx\": %llu}",
                   (unsigned long long)l->actions[POLICY_REPLY_DUNNO],
                   (unsigned long long)l->actions[POLICY_REPLY_4XX],
                   (unsigned long long)l->actions[POLICY_REPLY_5XX]);
    quantiles_print_more(&l->q, elapsed_ns, more);
}

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s [-c CONNECTIONS] [-n REQUESTS] [-t SECONDS] [-u] [-s START]\n"
            "       {-p POPULATION | -f FORMAT [-d DOMAINS]} PATH\n" RECIPIENTS_USAGE,
            name);
    return EXIT_FAILURE;
}

static bool read_options(int argc, char **argv, struct load *l)
{
    bool ok = true;
    int c;

    while (ok && (c = getopt(argc, argv, "c:n:t:" RECIPIENTS_OPTIONS)) != -1) {
        if (c == 'c')
            ok = population_count(optarg, &l->connections);
        else if (c == 'n')
            ok = population_count(optarg, &l->requests);
        else if (c == 't')
            ok = population_count(optarg, &l->seconds);
        else
            ok = recipients_option(&l->recipients, c, optarg);
    }
    l->path = argv[optind];
    return ok && optind == argc - 1 && recipients_usable(&l->recipients);
}

int main(int argc, char **argv)
{
    struct load l = {.connections = 1, .recipients = {.domains = 1}};
    uint64_t began;

    if (!read_options(argc, argv, &l))
        return usage(argv[0]);
    prepare(&l);
    began = now_ns();
    l.ends_at = l.seconds > 0 ? began + l.seconds * 1000000000 : 0;
    run(&l);
    report(&l, now_ns() - began);
    clean_up(&l);
    return EXIT_SUCCESS;
}
