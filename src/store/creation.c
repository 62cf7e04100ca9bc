#include "store/creation.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "store/environment.h"

static int make_file(const char *path)
{
    MDB_env *env;
    int rc = mdb_env_create(&env);

    if (rc != 0)
        return rc;
    rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    if (rc == 0)
        rc = mdb_env_sync(env, 1);
    mdb_env_close(env);
    return rc;
}

static int sync_directory_of(const char *path)
{
    char dir[ENVIRONMENT_PATH_SIZE];
    char *slash;
    int fd, rc;

    (void)str_copy(dir, sizeof(dir), path);
    slash = strrchr(dir, '/');
    if (slash == NULL)
        return EINVAL;
    slash[slash == dir] = '\0';
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    rc = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return rc;
}

/* 0, and *there; else errno: what can't be looked at is not missing, and must not be replaced. */
static int look_for(const char *path, bool *there)
{
    struct stat st;
    int rc = lstat(path, &st) == 0 ? 0 : errno;

    *there = rc == 0 && st.st_size > 0;
    return rc == ENOENT ? 0 : rc;
}

static int make(const char *path)
{
    char made[ENVIRONMENT_PATH_SIZE];
    int rc;

    (void)str_format(made, sizeof(made), "%s.new", path);
    (void)unlink(made); /* of one that did not get so far */
    rc = make_file(made);
    if (rc == 0 && rename(made, path) != 0)
        rc = errno;
    return rc != 0 ? rc : sync_directory_of(path);
}

bool creation_ensure(const char *path, struct error *err)
{
    bool there;
    int rc = look_for(path, &there);

    if (rc == 0 && !there)
        rc = make(path);
    if (rc != 0)
        error_set(err, "store %s: cannot be found or made: %s", path, environment_explain(rc));
    return rc == 0;
}
