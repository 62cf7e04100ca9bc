/*
 * Whole files, read with care: regular ones only, of bounded length, and no FIFO or device keeps
 * the reader waiting.
 *
 * Threads: any.
 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct file_text {
    char *text; /* the caller's to free; not NUL-terminated */
    size_t len;
    dev_t dev; /* these two: which file it is */
    ino_t ino;
};

/* At most `max` octets, a number of MiB. False with what the matter is, for "PATH: message". */
bool file_read(const char *path, size_t max, struct file_text *out, struct error *err);

/* Where a file is that `name` says: as it stands, or from the directory that the file `path` is in.
   False when that is too long. */
bool file_beside(const char *path, const char *name, char *out, size_t size);

#endif
