/*
 * A syslogd's socket: what syslog(3) says there (RFC 3164 section 4.1), many lines a system call.
 * What cannot be sent that way, as nobody is there or it takes no datagrams, is left to syslog(3)
 * itself; so openlog(3) comes before.
 *
 * Threads: the log's writer only.
 */
#ifndef BASE_SYSLOG_SOCKET_H
#define BASE_SYSLOG_SOCKET_H

#define SYSLOG_AT_ONCE 64

struct syslog_socket {
    const char *path;
    int fd; /* -1: closed, as it is at the beginning */
};

struct syslog_line {
    int level;          /* LOG_ERR and the like; the facility is mail */
    const char *prefix; /* of the text */
    const char *text;
};

/* Sends at most SYSLOG_AT_ONCE lines as those of now, and waits for a syslogd that is slow. */
void syslog_socket_send(struct syslog_socket *s, const char *ident, const struct syslog_line *lines,
                        unsigned count);

void syslog_socket_close(struct syslog_socket *s);

#endif
