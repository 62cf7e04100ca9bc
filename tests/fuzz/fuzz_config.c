/*
 * conf: any bytes as a configuration file. It is either taken, and then within every bound and the
 * same a second time, or refused with a problem; libConfuse never finds one that was not told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/config.h"
#include "fuzz.h"

/* In front of the C library's: the input alone decides. */
int gethostname(char *name, size_t len)
{
    (void)snprintf(name, len, "fuzz.example.net");
    return 0;
}

const char *data_files_dir(void)
{
    return "/nowhere";
}

static void check_limits(const struct verifier_opts *v)
{
    const struct pace_limits *l = &v->limits;

    REQUIRE(v->total >= 1 && v->max_waiting >= 1);
    REQUIRE(l->connections >= 1 && l->per_connection >= 1 && l->rate_milli >= 1 && l->burst >= 1);
    REQUIRE(v->idle_ms >= 0 && v->idle_ms <= 3600000);
    REQUIRE(v->greylist.count <= GREYLIST_STEPS_MAX && v->sources.count <= SOURCES_MAX);
    for (size_t i = 0; i < v->greylist.count; i++)
        REQUIRE(v->greylist.retry_ms[i] >= 1000 && v->greylist.retry_ms[i] <= 86400000);
    for (size_t i = 0; i < v->sources.count; i++)
        for (size_t j = 0; j < i; j++)
            REQUIRE(!netaddr_equal(&v->sources.list[i], &v->sources.list[j]));
}

static void check_config(const struct config *c)
{
    const struct verifier_opts *v = &c->verifier;

    REQUIRE(strpbrk(v->session.helo_name, ".[") != NULL);
    REQUIRE(c->state_dir[0] == '/' && strcmp(c->state_dir, c->store.dir) == 0);
    REQUIRE(c->policy->wait_ms >= 1 && c->policy->wait_ms <= 100000);
    REQUIRE(v->session.connect_ms >= 1 && v->session.quit_ms >= 1 && v->callout_ms >= 1);
    REQUIRE(v->smtp_port >= 1);
    check_limits(v);
    REQUIRE(c->store.size >= 1 << 20);
    REQUIRE(c->policy_listen_count >= 1 || c->milter_listen[0] != '\0');
    REQUIRE(c->policy_listen_count <= CONFIG_LISTEN_MAX);
    REQUIRE(c->policy->brake.share >= 1 && c->policy->brake.window_ms >= 1000);
    REQUIRE(v->routes != NULL && v->routes == c->policy->routes);
    REQUIRE(v->replies != NULL && v->providers != NULL && c->replies_from[0] != '\0');
    REQUIRE(c->control_listen.ip.family == AF_UNSPEC && c->control_listen.path[0] == '/');
    for (int i = 0; i < VERDICT_STATUS_COUNT; i++)
        REQUIRE(v->lifetimes[i].refresh >= 1 && v->lifetimes[i].forget >= v->lifetimes[i].refresh);
}

/* FILE: message, or FILE:LINE: message; of an included FILE, too, and those have whole paths. */
static void check_line(const char *line)
{
    const char *message = strstr(line, ": ");

    REQUIRE(line[0] == '/' && message != NULL);
    REQUIRE(strncmp(message, ": libConfuse: ", 14) != 0 && strchr(line, '\n') == NULL);
}

static void fail_if_any(void *arg, const char *key)
{
    (void)arg;
    (void)key;
    abort();
}

static struct config *load(const char *path)
{
    struct config_problems p;
    struct config *c = config_load(path, &p);

    REQUIRE((c == NULL) == (p.errors > 0));
    for (size_t i = 0; i < p.count; i++)
        check_line(p.lines[i]);
    config_problems_free(&p);
    if (c != NULL)
        check_config(c);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("calloutd.conf", MFD_CLOEXEC);
    struct config *first, *second;
    char path[64];

    REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    first = load(path);
    second = load(path);
    REQUIRE((first == NULL) == (second == NULL));
    if (first != NULL)
        config_restart_keys(first, second, fail_if_any, NULL);
    config_free(&first);
    config_free(&second);
    close(fd);
    return 0;
}
