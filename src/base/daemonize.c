#include "base/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static int ready_fd = -1;

/* Waits for the child's one octet; an end without it is the child's. */
static int await_child(int fd, pid_t child)
{
    char octet;
    ssize_t n;
    int status;

    do
        n = read(fd, &octet, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        return 0;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        return WEXITSTATUS(status);
    return EX_SOFTWARE;
}

bool daemonize(struct error *err)
{
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) != 0 || (child = fork()) < 0) {
        error_set(err, "cannot go to the background: %s", strerror(errno));
        return false;
    }
    if (child > 0) {
        close(fds[1]);
        _exit(await_child(fds[0], child));
    }
    close(fds[0]);
    ready_fd = fds[1];
    if (setsid() >= 0 && chdir("/") == 0)
        return true;
    error_set(err, "cannot go to the background: %s", strerror(errno));
    return false;
}

void daemonize_ready(void)
{
    int null;

    if (ready_fd < 0)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        close(null);
    }
    while (write(ready_fd, "", 1) < 0 && errno == EINTR)
        ;
    close(ready_fd);
    ready_fd = -1;
}
