#include "frontend/listener.h"

#include <errno.h>
#include <event2/util.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/str.h"

#define BACKLOG         1024
#define INHERITED_FIRST 3 /* SD_LISTEN_FDS_START */
#define INHERITED_MAX   64

static bool parse_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long n = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 65536;

    if (n > 65535 || *end != '\0')
        return false;
    *port = (uint16_t)n;
    return true;
}

/*
 * spec = "inet:" address ":" port / "unix:/" path
 * address = IPv4 / "[" IPv6 "]"
 */
static bool parse_inet(const char *text, struct listen_spec *out)
{
    char ip[NETADDR_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (bracketed) {
        text++;
        len -= 2;
    }
    return colon != NULL && str_copyn(ip, sizeof(ip), text, len) && netaddr_parse(ip, &out->ip) &&
           bracketed == (out->ip.family == AF_INET6) && parse_port(colon + 1, &out->port);
}

bool listen_spec_parse(const char *text, struct listen_spec *out, struct error *err)
{
    memset(out, 0, sizeof(*out));
    if (!str_copy(out->text, sizeof(out->text), text))
        error_set(err, "\"%.60s...\" is too long", text);
    else if (strncmp(text, "inet:", 5) == 0 && parse_inet(text + 5, out))
        return true;
    else if (strncmp(text, "unix:/", 6) == 0 && str_copy(out->path, sizeof(out->path), text + 5))
        return true;
    else if (strncmp(text, "unix:/", 6) == 0)
        error_set(err, "\"%s\": the path is longer than %zu octets", text, sizeof(out->path) - 1);
    else
        error_set(err, "\"%s\" is neither \"inet:ADDRESS:PORT\" nor \"unix:/PATH\"", text);
    return false;
}

static int failed(int fd, const struct listen_spec *spec, const char *what, struct error *err)
{
    error_set(err, "listen %s: %s: %s", spec->text, what, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

#ifdef HAVE_SYSTEMD
static bool is_listening_at(int fd, const struct listen_spec *spec)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    struct netaddr ip;

    if (spec->ip.family == AF_UNSPEC)
        return sd_is_socket_unix(fd, SOCK_STREAM, 1, spec->path, 0) > 0;
    return sd_is_socket_inet(fd, spec->ip.family, SOCK_STREAM, 1, spec->port) > 0 &&
           getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
           netaddr_from_sockaddr((struct sockaddr *)&at, &ip) && netaddr_equal(&ip, &spec->ip);
}
#endif

/*
 * The service manager's descriptors are the process's, and so is this. A closed one is not handed
 * out again: its number comes again as something else.
 */
static enum { FREE, HANDED_OUT, CLOSED } inherited_state[INHERITED_MAX];

/* A socket of the service manager's whose address is this one; -1: none. */
static int inherited(const struct listen_spec *spec)
{
#ifdef HAVE_SYSTEMD
    int count = sd_listen_fds(0);

    for (int i = 0; i < count && i < INHERITED_MAX; i++) {
        int fd = INHERITED_FIRST + i;

        if (inherited_state[i] != FREE || !is_listening_at(fd, spec) ||
            evutil_make_socket_nonblocking(fd) != 0)
            continue;
        inherited_state[i] = HANDED_OUT;
        return fd;
    }
#endif
    (void)spec;
    return -1;
}

/* To be called when it is closed; whether it was the service manager's. */
static bool release_inherited(int fd)
{
    int i = fd - INHERITED_FIRST;

    if (i < 0 || i >= INHERITED_MAX || inherited_state[i] != HANDED_OUT)
        return false;
    inherited_state[i] = CLOSED;
    return true;
}

static int open_inet(const struct listen_spec *spec, struct error *err)
{
    struct sockaddr_storage at;
    socklen_t len = netaddr_to_sockaddr(&spec->ip, spec->port, &at);
    int one = 1, fd = socket(spec->ip.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return failed(fd, spec, "socket", err);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (spec->ip.family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&at, len) != 0)
        return failed(fd, spec, "bind", err);
    return fd;
}

static struct sockaddr_un unix_address(const struct listen_spec *spec)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    (void)str_copy(un.sun_path, sizeof(un.sun_path), spec->path);
    return un;
}

/* Whether somebody listens on a unix socket. A full queue of waiting clients is somebody's, too. */
static bool is_answered(const struct sockaddr_un *un)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 &&
                   errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return !refused;
}

/* Makes the path of a unix socket free, unless somebody answers there, or says why it is not. */
static bool remove_stale(const struct listen_spec *spec, struct error *err)
{
    struct sockaddr_un un = unix_address(spec);
    struct stat st;

    if (spec->path[0] == '\0' || lstat(spec->path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        error_set(err, "listen %s: the file is there and is no socket", spec->text);
    else if (is_answered(&un))
        error_set(err, "listen %s: somebody else listens on it", spec->text);
    else if (unlink(spec->path) == 0)
        return true;
    else
        error_set(err, "listen %s: cannot remove the old socket: %s", spec->text, strerror(errno));
    return false;
}

/* The directory is the administrator's to make: its owner and mode decide who gets in. */
static int bind_failed(int fd, const struct listen_spec *spec, struct error *err)
{
    if (errno != ENOENT)
        return failed(fd, spec, "bind", err);
    error_set(err, "listen %s: its directory is not there, and is not made", spec->text);
    close(fd);
    return -1;
}

bool listener_set_group(const struct listen_spec *spec, const struct listener_opts *opts,
                        struct error *err)
{
    const struct group *gr = NULL;

    if (opts->socket_group[0] != '\0' && (gr = getgrnam(opts->socket_group)) == NULL) {
        error_set(err, "listen %s: no such group: \"%s\"", spec->text, opts->socket_group);
        return false;
    }
    /* The directory may be the daemon's user's, who could put a link here: root follows none. */
    if (gr == NULL || lchown(spec->path, (uid_t)-1, gr->gr_gid) == 0)
        return true;
    error_set(err, "listen %s: socket_group: %s", spec->text, strerror(errno));
    return false;
}

static int open_unix(const struct listen_spec *spec, const struct listener_opts *opts,
                     struct error *err)
{
    struct sockaddr_un un = unix_address(spec);
    int rc, fd;
    mode_t mask;

    if (!remove_stale(spec, err))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return failed(fd, spec, "socket", err);
    mask = umask(0777 & ~opts->socket_mode);
    rc = bind(fd, (struct sockaddr *)&un, sizeof(un));
    umask(mask);
    if (rc != 0)
        return bind_failed(fd, spec, err);
    if (listener_set_group(spec, opts, err))
        return fd;
    (void)unlink(spec->path);
    close(fd);
    return -1;
}

int listener_open(const struct listen_spec *spec, const struct listener_opts *opts,
                  struct error *err)
{
    int fd = inherited(spec);

    if (fd >= 0)
        return fd;
    fd = spec->ip.family == AF_UNSPEC ? open_unix(spec, opts, err) : open_inet(spec, err);
    if (fd >= 0 && listen(fd, BACKLOG) != 0)
        return failed(fd, spec, "listen", err);
    return fd;
}

void listener_close(int *fd, const struct listen_spec *spec)
{
    bool theirs = *fd >= 0 && release_inherited(*fd);

    if (*fd < 0)
        return;
    close(*fd);
    *fd = -1;
    /* A successor's is answered, and stays. The service manager's is not even tried: it would take
       that for a client, and start us for it. */
    if (!theirs)
        (void)remove_stale(spec, NULL);
}
