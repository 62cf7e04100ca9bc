/*
 * The data files of etc/ as the build found them; etc/embed writes what is declared here.
 *
 * Threads: any; constants.
 */
#ifndef CONF_BUILTIN_H
#define CONF_BUILTIN_H

#include <stddef.h>

extern const unsigned char builtin_replies[], builtin_providers[];
extern const size_t builtin_replies_len, builtin_providers_len;

#endif
