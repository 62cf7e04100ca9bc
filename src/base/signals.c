#include "base/signals.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NUMBERS_MAX 8

struct signals {
    struct event *readable;
    int numbers[NUMBERS_MAX];
    struct sigaction before[NUMBERS_MAX];
    size_t count;
    signals_fn fn;
    void *arg;
};

/* A handler has no argument. */
static atomic_int wakeup_fd = -1;
static atomic_bool came[NSIG];

static void handler(int number)
{
    static const uint64_t one = 1;
    int saved = errno;

    atomic_store(&came[number], true);
    if (write(atomic_load(&wakeup_fd), &one, sizeof(one)) < 0)
        errno = 0; /* the counter is full: the loop is awake anyway */
    errno = saved;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct signals *s = arg;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (atomic_exchange(&came[s->numbers[i]], false))
            s->fn(s->arg, s->numbers[i]);
}

static bool take_over(struct signals *s, const int *numbers, size_t count)
{
    struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER};

    sigemptyset(&sa.sa_mask);
    for (size_t i = 0; i < count; i++) {
        if (sigaction(numbers[i], &sa, &s->before[i]) != 0)
            return false;
        s->numbers[i] = numbers[i];
        s->count = i + 1;
    }
    return true;
}

struct signals *signals_new(struct loop *l, const int *numbers, size_t count, signals_fn fn,
                            void *arg)
{
    struct signals *s = count <= NUMBERS_MAX ? calloc(1, sizeof(*s)) : NULL;
    int fd;

    if (s == NULL)
        return NULL;
    s->fn = fn;
    s->arg = arg;
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&wakeup_fd, fd);
    if (fd >= 0)
        s->readable = event_new(loop_base(l), fd, EV_READ | EV_PERSIST, on_readable, s);
    if (s->readable == NULL || event_add(s->readable, NULL) != 0 || !take_over(s, numbers, count))
        signals_free(&s);
    return s;
}

void signals_free(struct signals **sp)
{
    struct signals *s = *sp;
    int fd = atomic_load(&wakeup_fd);

    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        (void)sigaction(s->numbers[i], &s->before[i], NULL);
    if (s->readable != NULL)
        event_free(s->readable);
    atomic_store(&wakeup_fd, -1);
    if (fd >= 0)
        close(fd);
    free(s);
    *sp = NULL;
}
