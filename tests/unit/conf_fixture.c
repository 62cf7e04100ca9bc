#include "conf_fixture.h"

#include <check.h>
#include <dirent.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *conf_host_name = "mail.example.net", *conf_host_canonical;
const char *conf_data_dir = "/nowhere";

static char dir[64];

/* In front of the C library's. */
int gethostname(char *name, size_t len)
{
    if (conf_host_name == NULL)
        return -1;
    (void)snprintf(name, len, "%s", conf_host_name);
    return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    static struct addrinfo found;

    ck_assert_str_eq(node, conf_host_name);
    ck_assert_ptr_null(service);
    ck_assert_int_ne(hints->ai_flags & AI_CANONNAME, 0);
    if (conf_host_canonical == NULL)
        return EAI_NONAME;
    found.ai_canonname = (char *)(uintptr_t)conf_host_canonical;
    *res = &found;
    return 0;
}

void freeaddrinfo(struct addrinfo *res)
{
    res->ai_canonname = NULL;
}

/* In front of the library's: what is installed here is no matter of the tests. */
const char *data_files_dir(void)
{
    return conf_data_dir;
}

void conf_setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/calloutd-conf-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

static void empty(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}

void conf_teardown(void)
{
    if (access("sub", F_OK) == 0) {
        empty("sub");
        ck_assert_int_eq(rmdir("sub"), 0);
    }
    empty(".");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}

void conf_write(const char *name, const char *text, size_t len)
{
    FILE *f = fopen(name, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

struct config *conf_good(const char *text)
{
    struct config_problems p;
    struct config *cfg;

    conf_write(CONF_NAME, text, strlen(text));
    cfg = config_load(CONF_NAME, &p);
    ck_assert_msg(cfg != NULL && p.count == 0, "%s", p.count > 0 ? p.lines[0] : "no problem told");
    config_problems_free(&p);
    return cfg;
}

void conf_bad(const char *text, size_t len, struct config_problems *p)
{
    conf_write(CONF_NAME, text, len);
    ck_assert_ptr_null(config_load(CONF_NAME, p));
    ck_assert_uint_gt(p->errors, 0);
    ck_assert_uint_gt(p->count, 0);
}

void conf_bad_line(const char *lines, const char *says)
{
    struct config_problems p;
    char text[1024];

    (void)snprintf(text, sizeof(text), HELO_LINE "%s\n", lines);
    conf_bad(text, strlen(text), &p);
    ck_assert_msg(strstr(p.lines[0], says) != NULL, "%s: %s", lines, p.lines[0]);
    ck_assert_msg(p.count == 1, "%s: and also: %s", lines, p.count > 1 ? p.lines[1] : "");
    config_problems_free(&p);
}

void conf_one_problem(const struct config_problems *p, const char *at, const char *says,
                      const char *text)
{
    ck_assert_uint_gt(p->count, 0);
    ck_assert_msg(strstr(p->lines[0], says) != NULL, "%s: %s", text, p->lines[0]);
    ck_assert_msg(strncmp(p->lines[0], at, strlen(at)) == 0, "%s: %s", text, p->lines[0]);
    ck_assert_msg(p->count == 1, "%s: and also: %s", text, p->count > 1 ? p->lines[1] : "");
}
