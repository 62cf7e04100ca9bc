#include "base/syslog_socket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

#define PARTS 4 /* of a line: priority, time and name, prefix, text */

/* Facility mail is 2, and eight times that is added to the level. */
static const char *const priorities[] = {"<16>", "<17>", "<18>", "<19>",
                                         "<20>", "<21>", "<22>", "<23>"};

/* To who listens now: a syslogd that is started again makes another socket. */
static bool reconnect(struct syslog_socket *s)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    syslog_socket_close(s);
    if (!str_copy(un.sun_path, sizeof(un.sun_path), s->path))
        return false;
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s->fd >= 0 && connect(s->fd, (struct sockaddr *)&un, sizeof(un)) == 0)
        return true;
    syslog_socket_close(s);
    return false;
}

/* In the words of C, whatever the locale is. */
static void write_head(char *head, size_t size, const char *ident)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm tm = {.tm_mday = 1};

    (void)localtime_r(&now, &tm);
    (void)str_format(head, size, "%s %2d %02d:%02d:%02d %.100s[%ld]: ", months[tm.tm_mon],
                     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ident, (long)getpid());
}

static struct iovec part(const char *text)
{
    return (struct iovec){.iov_base = (char *)text, .iov_len = strlen(text)};
}

/* How many of the messages went out. */
static unsigned send_some(struct syslog_socket *s, struct mmsghdr *messages, unsigned count)
{
    int n = s->fd >= 0 ? sendmmsg(s->fd, messages, count, MSG_NOSIGNAL) : -1;

    if (n < 0 && reconnect(s))
        n = sendmmsg(s->fd, messages, count, MSG_NOSIGNAL);
    return n > 0 ? (unsigned)n : 0;
}

void syslog_socket_send(struct syslog_socket *s, const char *ident, const struct syslog_line *lines,
                        unsigned count)
{
    struct iovec parts[SYSLOG_AT_ONCE][PARTS];
    struct mmsghdr messages[SYSLOG_AT_ONCE];
    char head[160];

    write_head(head, sizeof(head), ident);
    memset(messages, 0, count * sizeof(messages[0]));
    for (unsigned i = 0; i < count; i++) {
        parts[i][0] = part(priorities[lines[i].level & 7]);
        parts[i][1] = part(head);
        parts[i][2] = part(lines[i].prefix);
        parts[i][3] = part(lines[i].text);
        messages[i].msg_hdr.msg_iov = parts[i];
        messages[i].msg_hdr.msg_iovlen = PARTS;
    }
    for (unsigned sent = 0, n; sent < count; sent += n) {
        n = send_some(s, messages + sent, count - sent);
        if (n > 0)
            continue;
        syslog(LOG_MAIL | lines[sent].level, "%s%s", lines[sent].prefix, lines[sent].text);
        n = 1;
    }
}

void syslog_socket_close(struct syslog_socket *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
