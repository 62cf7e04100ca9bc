/* The least that a policy server can be: whatever is asked, nothing is said against it. */
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

static void client_serve(struct client *c)
{
    static const char answer[] = ANSWER;
    char data[READ_MAX];
    ssize_t n = read(c->fd, data, sizeof(data));
    unsigned count;

    if (n <= 0) {
        client_close(c);
        return;
    }
    count = count_requests(c, data, (size_t)n);
    while (count-- > 0)
        if (send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
            return; /* its end is what comes next */
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
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL)
                client_accept(epoll, listener);
            else
                client_serve(events[i].data.ptr);
        }
    }
}
