#include "frontend/milter_socket.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/netaddr.h"
#include "base/str.h"

/* What is behind the prefix, or NULL. libmilter compares without regard to case. */
static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncasecmp(text, prefix, len) == 0 ? text + len : NULL;
}

static bool parse_host(const char *text, int family, struct netaddr *out)
{
    char ip[NETADDR_TEXT_MAX];
    size_t len = strlen(text);
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (bracketed) {
        text++;
        len -= 2;
    }
    if (str_copyn(ip, sizeof(ip), text, len) && netaddr_parse(ip, out))
        return out->family == family;
    return !bracketed && strcasecmp(text, "localhost") == 0 &&
           netaddr_parse(family == AF_INET ? "127.0.0.1" : "::1", out);
}

static bool parse_inet(const char *text, int family, struct listen_spec *out)
{
    const char *at = strchr(text, '@');
    size_t len = at != NULL ? (size_t)(at - text) : strlen(text);

    if (!netaddr_parse_port(text, len, &out->port))
        return false;
    if (at != NULL)
        return parse_host(at + 1, family, &out->ip);
    out->ip.family = family; /* 0.0.0.0, :: */
    return true;
}

static bool parse_path(const char *text, struct listen_spec *out)
{
    return text[0] == '/' && str_copy(out->path, sizeof(out->path), text);
}

bool milter_socket_parse(const char *text, struct listen_spec *out, struct error *err)
{
    const char *rest;
    bool ok = false;

    memset(out, 0, sizeof(*out));
    if (!str_copy(out->text, sizeof(out->text), text))
        ok = false;
    else if ((rest = behind(text, "inet:")) != NULL)
        ok = parse_inet(rest, AF_INET, out);
    else if ((rest = behind(text, "inet6:")) != NULL)
        ok = parse_inet(rest, AF_INET6, out);
    else if ((rest = behind(text, "unix:")) != NULL || (rest = behind(text, "local:")) != NULL)
        ok = parse_path(rest, out);
    if (!ok)
        error_set(err,
                  "is no milter socket: \"inet:PORT@HOST\", \"inet6:PORT@HOST\" or "
                  "\"unix:/PATH\" (of at most %zu octets)",
                  sizeof(out->path) - 1);
    return ok;
}

/* libmilter tells syslog alone what went wrong, so it is found out before. */
static bool try_socket(const struct listen_spec *spec, const struct listener_opts *opts,
                       struct error *err)
{
    int fd = listener_open(spec, opts, err);

    if (fd < 0)
        return false;
    listener_close(&fd, spec);
    return true;
}

/* The user's own, so that it can be opened for milter_socket_knock(). */
static bool set_owner(const struct listen_spec *spec, const struct listener_opts *opts,
                      const char *user, struct error *err)
{
    const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;

    if (pw != NULL && lchown(spec->path, pw->pw_uid, (gid_t)-1) != 0) {
        error_set(err, "listen %s: %s", spec->text, strerror(errno));
        return false;
    }
    return listener_set_group(spec, opts, err);
}

void milter_socket_remove(const struct listen_spec *spec)
{
    struct stat st;

    if (spec->path[0] != '\0' && lstat(spec->path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(spec->path);
}

bool milter_socket_open(const struct listen_spec *spec, const struct listener_opts *opts,
                        const char *user, struct error *err)
{
    char text[sizeof(spec->text)];
    mode_t mask;
    int rc;

    if (!try_socket(spec, opts, err))
        return false;
    memcpy(text, spec->text, sizeof(text));
    mask = umask(0777 & ~opts->socket_mode);
    rc = smfi_setconn(text) == MI_SUCCESS ? smfi_opensocket(false) : MI_FAILURE;
    umask(mask);
    if (rc != MI_SUCCESS) {
        error_set(err, "listen %s: libmilter cannot; it has told syslog why", spec->text);
        return false;
    }
    if (spec->path[0] == '\0' || set_owner(spec, opts, user, err))
        return true;
    milter_socket_remove(spec);
    return false;
}

void milter_socket_knock(const struct listen_spec *spec)
{
    struct sockaddr_storage to;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(un);
    int fd;

    if (spec->path[0] != '\0') {
        (void)str_copy(un.sun_path, sizeof(un.sun_path), spec->path);
        memcpy(&to, &un, sizeof(un));
    } else {
        len = netaddr_to_sockaddr(&spec->ip, spec->port, &to);
    }
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)connect(fd, (const struct sockaddr *)&to, len);
    close(fd);
}
