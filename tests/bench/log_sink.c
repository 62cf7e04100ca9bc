/*
 * In place of a syslogd: reads datagrams, and at SIGTERM prints how many lines there were. Warnings
 * and errors go to standard error.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>

#include "unix_socket.h"

#define AT_ONCE  64
#define TEXT_MAX 8192
#define WAIT_US  100000 /* then it looks whether it is to end */

static volatile sig_atomic_t ended;

static void on_term(int number)
{
    (void)number;
    ended = 1;
}

static void catch_term(void)
{
    struct sigaction sa = {.sa_handler = on_term};

    (void)sigaction(SIGTERM, &sa, NULL);
}

/* line = "<" priority ">" … (RFC 3164) */
static bool is_trouble(const char *line, size_t len)
{
    char number[8] = "";

    if (len < 2 || line[0] != '<')
        return true;
    (void)memcpy(number, line + 1, len - 1 < sizeof(number) - 1 ? len - 1 : sizeof(number) - 1);
    return LOG_PRI(strtol(number, NULL, 10)) <= LOG_WARNING;
}

static bool counts(const char *line, size_t len, const char *word)
{
    if (!is_trouble(line, len))
        return memmem(line, len, word, strlen(word)) != NULL;
    fprintf(stderr, "%.*s\n", (int)len, line);
    return false;
}

/* Returns how many came, at most AT_ONCE; 0: none, for now. */
static int read_lines(int fd, const char *word, unsigned long long *count)
{
    static char lines[AT_ONCE][TEXT_MAX];
    struct iovec parts[AT_ONCE];
    struct mmsghdr messages[AT_ONCE];
    int n;

    memset(messages, 0, sizeof(messages));
    for (int i = 0; i < AT_ONCE; i++) {
        parts[i] = (struct iovec){lines[i], TEXT_MAX};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    n = recvmmsg(fd, messages, AT_ONCE, MSG_WAITFORONE, NULL);
    for (int i = 0; i < n; i++)
        *count += counts(lines[i], messages[i].msg_len, word);
    return n > 0 ? n : 0;
}

int main(int argc, char **argv)
{
    const char *word = "";
    const struct timeval wait = {.tv_usec = WAIT_US};
    unsigned long long count = 0;
    int fd, c;

    while ((c = getopt(argc, argv, "w:")) == 'w')
        word = optarg;
    if (c != -1 || optind != argc - 1) {
        fprintf(stderr, "usage: %s [-w WORD] PATH\n  -w   only lines with this in them count\n",
                argv[0]);
        return EXIT_FAILURE;
    }
    catch_term();
    fd = unix_bind(argv[optind], SOCK_DGRAM);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    say_ready();
    while (read_lines(fd, word, &count) > 0 || !ended)
        continue;
    printf("%llu\n", count);
    return EXIT_SUCCESS;
}
