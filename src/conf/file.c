#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

#define MIB_SHIFT 20

/* Up to max + 1 octets, which are one too many. */
static bool read_all(int fd, size_t max, struct file_text *out, struct error *err)
{
    ssize_t n = 1;

    while (n > 0 && out->len <= max) {
        n = read(fd, out->text + out->len, max + 1 - out->len);
        if (n > 0)
            out->len += (size_t)n;
    }
    if (n < 0)
        error_set(err, "%s", strerror(errno));
    else if (out->len > max)
        error_set(err, "is longer than %zu MiB", max >> MIB_SHIFT);
    return n >= 0 && out->len <= max;
}

bool file_read(const char *path, size_t max, struct file_text *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not keep us */
    struct stat st;
    bool ok = false;

    memset(out, 0, sizeof(*out));
    if (fd < 0 || fstat(fd, &st) != 0)
        error_set(err, "%s", strerror(errno));
    else if (!S_ISREG(st.st_mode))
        error_set(err, "is no regular file");
    else if ((out->text = malloc(max + 1)) == NULL)
        error_set(err, "out of memory");
    else
        ok = read_all(fd, max, out, err);
    if (fd >= 0)
        close(fd);
    if (ok) {
        out->dev = st.st_dev;
        out->ino = st.st_ino;
        return true;
    }
    free(out->text);
    out->text = NULL;
    return false;
}

bool file_beside(const char *path, const char *name, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t len = name[0] != '/' && slash != NULL ? (size_t)(slash + 1 - path) : 0;

    return str_format(out, size, "%.*s%s", (int)len, path, name);
}
