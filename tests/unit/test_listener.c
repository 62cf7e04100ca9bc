/* frontend/listener: addresses as configured, sockets with their mode, what is in the way. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/listener.h"
#include "suite.h"

static char dir[64];
static struct listen_spec unix_spec;
static const struct listener_opts opts = {.socket_mode = 0660};

static void setup(void)
{
    char text[100];

    (void)snprintf(dir, sizeof(dir), "/tmp/test_listener.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(text, sizeof(text), "unix:%s/socket", dir);
    ck_assert(listen_spec_parse(text, &unix_spec, NULL));
}

static void teardown(void)
{
    (void)unlink(unix_spec.path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static int open_or_fail(const struct listen_spec *spec)
{
    struct error err = {""};
    int fd = listener_open(spec, &opts, &err);

    ck_assert_msg(fd >= 0, "%s", err.text);
    return fd;
}

static void refused(const struct listen_spec *spec, const struct listener_opts *o, const char *why)
{
    struct error err = {""};

    ck_assert_int_eq(listener_open(spec, o, &err), -1);
    ck_assert_msg(strstr(err.text, spec->text) != NULL && strstr(err.text, why) != NULL, "%s",
                  err.text);
}

static int connect_unix(const char *path, int flags)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);

    ck_assert_int_ge(fd, 0);
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
        return fd;
    close(fd);
    return -1;
}

START_TEST(reads_addresses)
{
    struct listen_spec spec;
    struct netaddr ip;

    ck_assert(listen_spec_parse("inet:127.0.0.1:8893", &spec, NULL));
    ck_assert(netaddr_parse("127.0.0.1", &ip) && netaddr_equal(&ip, &spec.ip));
    ck_assert_uint_eq(spec.port, 8893);
    ck_assert_str_eq(spec.text, "inet:127.0.0.1:8893");
    ck_assert(listen_spec_parse("inet:[::1]:65535", &spec, NULL));
    ck_assert(netaddr_parse("::1", &ip) && netaddr_equal(&ip, &spec.ip));
    ck_assert_uint_eq(spec.port, 65535);
    ck_assert(listen_spec_parse("unix:/run/calloutd/policy", &spec, NULL));
    ck_assert_int_eq(spec.ip.family, AF_UNSPEC);
    ck_assert_str_eq(spec.path, "/run/calloutd/policy");
}
END_TEST

START_TEST(refuses_what_is_no_address)
{
    static const char *const bad[] = {
        "",
        "inet:",
        "inet:127.0.0.1",
        "inet:127.0.0.1:",
        "inet:127.0.0.1:65536",
        "inet:127.0.0.1:99999999999999999999",
        "inet:127.0.0.1:25x",
        "inet:127.0.0.1:-1",
        "inet:127.0.0.1: 25",
        "inet:127.0.0.1:+25",
        "inet:localhost:25",
        "inet::25",
        "inet:::1:25",
        "inet:[::1:25",
        "inet:[127.0.0.1]:25",
        "inet:[]:25",
        "inet:127.0.0.1 :25",
        "127.0.0.1:25",
        "unix:",
        "unix:relative/path",
        "tcp:127.0.0.1:25",
    };
    struct listen_spec spec;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = {""};

        ck_assert_msg(!listen_spec_parse(bad[i], &spec, &err), "%s", bad[i]);
        ck_assert_msg(strstr(err.text, bad[i]) != NULL && err.text[0] != '\0', "%s", err.text);
    }
}
END_TEST

START_TEST(refuses_long_paths)
{
    char text[400] = "unix:/";
    struct listen_spec spec;
    struct error err;

    memset(text + 6, 'p', 106);
    ck_assert(listen_spec_parse(text, &spec, NULL));
    ck_assert_uint_eq(strlen(spec.path), 107);
    text[6 + 106] = 'p';
    ck_assert(!listen_spec_parse(text, &spec, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "107 octets"));
    memset(text + 6, 'p', 390);
    ck_assert(!listen_spec_parse(text, &spec, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "too long"));
}
END_TEST

START_TEST(listens_on_tcp)
{
    struct sockaddr_in at;
    socklen_t len = sizeof(at);
    struct listen_spec spec;
    int fd, client;

    ck_assert(listen_spec_parse("inet:127.0.0.1:0", &spec, NULL));
    fd = open_or_fail(&spec);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_int_eq(accept(fd, NULL, NULL), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&at, len), 0);
    spec.port = ntohs(at.sin_port);
    refused(&spec, &opts, "Address already in use");
    close(client);
    listener_close(&fd, &spec);
    ck_assert_int_eq(fd, -1);
    listener_close(&fd, &spec);
    fd = open_or_fail(&spec); /* at once, whatever still lingers on the port */
    listener_close(&fd, &spec);
}
END_TEST

START_TEST(unix_socket_has_its_mode)
{
    static const mode_t modes[] = {0600, 0660, 0666};
    mode_t mask = umask(0077);
    struct stat st;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct listener_opts o = {.socket_mode = modes[i]};
        int fd = listener_open(&unix_spec, &o, NULL);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(stat(unix_spec.path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, modes[i]);
        ck_assert_uint_eq(umask(0077), 0077);
        listener_close(&fd, &unix_spec);
        ck_assert_int_eq(stat(unix_spec.path, &st), -1);
    }
    umask(mask);
}
END_TEST

START_TEST(unix_socket_has_its_group)
{
    struct listener_opts o = {.socket_mode = 0660};
    const struct group *gr;
    struct stat st;
    int fd;

    setgrent();
    do /* as root any group but the first will do, else one's own */
        gr = getgrent();
    while (gr != NULL && (geteuid() == 0 ? gr->gr_gid == getegid() : gr->gr_gid != getegid()));
    if (gr == NULL)
        return; /* a group without a name */
    (void)snprintf(o.socket_group, sizeof(o.socket_group), "%s", gr->gr_name);
    fd = listener_open(&unix_spec, &o, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stat(unix_spec.path, &st), 0);
    ck_assert_uint_eq(st.st_gid, gr->gr_gid);
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
    listener_close(&fd, &unix_spec);
}
END_TEST

START_TEST(unknown_group_leaves_nothing)
{
    struct listener_opts o = {.socket_mode = 0660, .socket_group = "no-such-group"};
    struct stat st;

    refused(&unix_spec, &o, "no such group: \"no-such-group\"");
    ck_assert_int_eq(stat(unix_spec.path, &st), -1);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
    int fd = open_or_fail(&unix_spec), client;

    close(fd); /* as after a kill -9: the file stays */
    ck_assert_int_eq(connect_unix(unix_spec.path, 0), -1);
    fd = open_or_fail(&unix_spec);
    client = connect_unix(unix_spec.path, 0);
    ck_assert_int_ge(client, 0);
    close(client);
    listener_close(&fd, &unix_spec);
}
END_TEST

START_TEST(a_live_socket_is_left_alone)
{
    int fd = open_or_fail(&unix_spec), client;

    refused(&unix_spec, &opts, "somebody else listens on it");
    client = connect_unix(unix_spec.path, 0);
    ck_assert_int_ge(client, 0);
    close(client);
    listener_close(&fd, &unix_spec);
}
END_TEST

START_TEST(a_busy_socket_is_a_live_one)
{
    int fd = open_or_fail(&unix_spec), clients[4], n = 0;

    ck_assert_int_eq(listen(fd, 1), 0);
    while (n < 4 && (clients[n] = connect_unix(unix_spec.path, SOCK_NONBLOCK)) >= 0)
        n++;
    ck_assert_int_lt(n, 4); /* its queue is full */
    refused(&unix_spec, &opts, "somebody else listens on it");
    while (n > 0)
        close(clients[--n]);
    listener_close(&fd, &unix_spec);
}
END_TEST

START_TEST(other_files_are_left_alone)
{
    int fd = open(unix_spec.path, O_CREAT | O_WRONLY, 0600);
    struct stat st;

    ck_assert_int_eq(write(fd, "precious", 8), 8);
    close(fd);
    refused(&unix_spec, &opts, "is no socket");
    ck_assert_int_eq(stat(unix_spec.path, &st), 0);
    ck_assert_int_eq(st.st_size, 8);
    ck_assert_int_eq(unlink(unix_spec.path), 0);
    ck_assert_int_eq(symlink("/nowhere/at/all", unix_spec.path), 0);
    refused(&unix_spec, &opts, "is no socket");
}
END_TEST

START_TEST(a_missing_directory_is_named)
{
    struct listen_spec spec;

    ck_assert(listen_spec_parse("unix:/nowhere/at/all/socket", &spec, NULL));
    refused(&spec, &opts, "its directory is not there");
}
END_TEST

START_TEST(a_successors_socket_stays)
{
    int fd = open_or_fail(&unix_spec), next, client;

    ck_assert_int_eq(unlink(unix_spec.path), 0);
    next = open_or_fail(&unix_spec);
    listener_close(&fd, &unix_spec);
    client = connect_unix(unix_spec.path, 0);
    ck_assert_int_ge(client, 0);
    close(client);
    listener_close(&next, &unix_spec);
    ck_assert_int_eq(access(unix_spec.path, F_OK), -1);
}
END_TEST

#ifdef HAVE_SYSTEMD
/* The service manager's side: one socket, as descriptor 3. */
static void hand_over(int fd)
{
    char pid[16];

    if (dup2(fd, 3) != 3)
        _exit(10);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
}

/* 0, or the number of what is wrong. */
static int take_over(const struct listen_spec *mine, const struct listen_spec *other)
{
    struct error err;
    int fd = listener_open(mine, &opts, &err), own;

    if (fd != 3)
        return 1;
    if (!(fcntl(fd, F_GETFL) & O_NONBLOCK) || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
        return 2;
    if (listener_open(mine, &opts, &err) != -1)
        return 3; /* given once */
    own = listener_open(other, &opts, &err);
    if (own < 0 || own == fd)
        return 4;
    listener_close(&own, other);
    listener_close(&fd, mine);
    return 0;
}

static int in_child(int fd, const struct listen_spec *mine, const struct listen_spec *other)
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        hand_over(fd);
        _exit(take_over(mine, other));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(takes_over_sockets)
{
    struct sockaddr_in at;
    socklen_t len = sizeof(at);
    struct listen_spec inet;
    int fd;

    ck_assert(listen_spec_parse("inet:127.0.0.1:0", &inet, NULL));
    fd = open_or_fail(&inet);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    inet.port = ntohs(at.sin_port);
    ck_assert_int_eq(in_child(fd, &inet, &unix_spec), 0);
    listener_close(&fd, &inet);

    inet.port = 0;
    fd = open_or_fail(&unix_spec);
    ck_assert_int_eq(in_child(fd, &unix_spec, &inet), 0);
    ck_assert_int_ge(accept(fd, NULL, NULL), 0); /* the second try to open it looked who is there */
    ck_assert_int_eq(accept(fd, NULL, NULL), -1); /* its end is no client */
    ck_assert_int_eq(access(unix_spec.path, F_OK), 0);
    listener_close(&fd, &unix_spec);
}
END_TEST
#endif

static void add_unix_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, unix_socket_has_its_mode);
    tcase_add_test(tc, unix_socket_has_its_group);
    tcase_add_test(tc, unknown_group_leaves_nothing);
    tcase_add_test(tc, a_stale_socket_is_replaced);
    tcase_add_test(tc, a_live_socket_is_left_alone);
    tcase_add_test(tc, a_busy_socket_is_a_live_one);
    tcase_add_test(tc, other_files_are_left_alone);
    tcase_add_test(tc, a_missing_directory_is_named);
    tcase_add_test(tc, a_successors_socket_stays);
#ifdef HAVE_SYSTEMD
    tcase_add_test(tc, takes_over_sockets);
#endif
}

int main(void)
{
    Suite *suite = suite_create("listener");
    TCase *addresses = tcase_create("addresses"), *sockets = tcase_create("sockets");

    tcase_add_test(addresses, reads_addresses);
    tcase_add_test(addresses, refuses_what_is_no_address);
    tcase_add_test(addresses, refuses_long_paths);
    tcase_add_test(addresses, listens_on_tcp);
    add_unix_tests(sockets);
    suite_add_tcase(suite, addresses);
    suite_add_tcase(suite, sockets);
    return suite_run(suite);
}
