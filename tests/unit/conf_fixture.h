/*
 * A directory of its own for configuration files, entered at setup; paths in it are bare names.
 *
 * This host is mail.example.net as long as a test says nothing else.
 *
 * Threads: one test at a time.
 */
#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include <stddef.h>

#include "conf/config.h"

/* What gethostname() and getaddrinfo() find in these tests; NULL: they fail. */
extern const char *conf_host_name, *conf_host_canonical;

/* The package's data directory; at first one that is not there. */
extern const char *conf_data_dir;

#define CONF_NAME "calloutd.conf"
#define HELO_LINE "helo_name = \"mail.example.net\"\n"

void conf_setup(void);
void conf_teardown(void);

void conf_write(const char *name, const char *text, size_t len);

/* Writes CONF_NAME and loads it, which must do, without a warning. */
struct config *conf_good(const char *text);

/* Writes CONF_NAME and loads it, which must fail. *p is to be freed. */
void conf_bad(const char *text, size_t len, struct config_problems *p);

/* The same for HELO_LINE and these lines, with one problem, in which `says` is. */
void conf_bad_line(const char *lines, const char *says);

/* There is one problem, told of the place `at` ("FILE:LINE: "), in which `says` is; `text` is what
   it is about. */
void conf_one_problem(const struct config_problems *p, const char *at, const char *says,
                      const char *text);

#endif
