#include "unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define BACKLOG 4096

static void fail(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    exit(EXIT_FAILURE);
}

static int open_socket(const char *path, int type, struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (fd < 0)
        fail(path, strerror(errno));
    if (!str_copy(sun->sun_path, sizeof(sun->sun_path), path))
        fail(path, "too long for a socket's name");
    return fd;
}

int unix_bind(const char *path, int type)
{
    struct sockaddr_un sun;
    int fd = open_socket(path, type, &sun);

    (void)unlink(path);
    if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0))
        fail(path, strerror(errno));
    return fd;
}

int unix_connect(const char *path)
{
    struct sockaddr_un sun;
    int fd = open_socket(path, SOCK_STREAM, &sun);

    if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        fail(path, strerror(errno));
    return fd;
}

void say_ready(void)
{
    printf("ready\n");
    (void)fflush(stdout);
}
