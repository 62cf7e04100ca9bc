/*
 * The least that a policy server can be: whatever is asked, nothing is said against it. Answers to
 * what came together go out together, as who waits for several is then woken once.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_socket.h"

#define EVENTS_MAX 64
#define READ_MAX   65536
#define ANSWER     "action=DUNNO\n\n"

struct client {
    int fd;
    bool line_ended; /* by the last octet that came */
    unsigned owed;   /* answers */
};

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void watch(int epoll, int fd, struct client *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
        fail("epoll_ctl");
}

static void client_accept(int epoll, int listener)
{
    int fd = accept(listener, NULL, NULL);
    struct client *c = calloc(1, sizeof(*c));

    if (fd < 0 || c == NULL)
        fail("accept");
    c->fd = fd;
    watch(epoll, fd, c);
}

static void client_close(struct client *c)
{
    (void)close(c->fd);
    free(c);
}

/* How many requests end in what came: as many as there are empty lines. */
static unsigned count_requests(struct client *c, const char *data, size_t len)
{
    unsigned count = c->line_ended && data[0] == '\n';
    const char *end = data + len, *from = data + count;

    while ((from = memmem(from, (size_t)(end - from), "\n\n", 2)) != NULL) {
        from += 2;
        count++;
    }
    c->line_ended = end[-1] == '\n' && (len > 1 ? end[-2] != '\n' : count == 0);
    return count;
}

/* False when it has gone. */
static bool client_read(struct client *c)
{
    char data[READ_MAX];
    ssize_t n = read(c->fd, data, sizeof(data));

    if (n <= 0) {
        client_close(c);
        return false;
    }
    c->owed = count_requests(c, data, (size_t)n);
    return true;
}

static void client_answer(struct client *c)
{
    static const char answer[] = ANSWER;

    for (; c->owed > 0; c->owed--)
        if (send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
            return; /* its end is what comes next */
}

static void serve(int epoll, int listener, const struct epoll_event *events, int count)
{
    struct client *asked[EVENTS_MAX];
    int n = 0;

    for (int i = 0; i < count; i++) {
        struct client *c = events[i].data.ptr;

        if (c == NULL)
            client_accept(epoll, listener);
        else if (client_read(c))
            asked[n++] = c;
    }
    for (int i = 0; i < n; i++)
        client_answer(asked[i]);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    int epoll = epoll_create1(EPOLL_CLOEXEC), listener;

    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (epoll < 0)
        fail("epoll_create1");
    listener = unix_bind(argv[1], SOCK_STREAM);
    watch(epoll, listener, NULL);
    say_ready();
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS_MAX, -1);

        if (n < 0 && errno != EINTR)
            fail("epoll_wait");
        serve(epoll, listener, events, n);
    }
}
