/*
 * What a load works with, for the files that take part in it: options into struct config, and
 * problems told with their place.
 *
 * Threads: none. All of it is borrowed from config_load(), for as long as that runs.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/config.h"
#include "conf/language.h"
#include "conf/options.h"
#include "conf/source.h"

struct load {
    const char *path; /* of the configuration file */
    struct config *cfg;
    struct source *source;
    struct language *language;
    struct config_problems *problems;
};

/* A section as it is given, and the route that it is, if it is one. */
struct load_section {
    const char *name;     /* with its title */
    struct cfg_t *values; /* NULL: it is not given */
    struct route *route;
};

/* Sets an option of the section to what it is given, or to its default. */
void load_option(struct load *l, const struct option *o, const struct load_section *s);

#endif
