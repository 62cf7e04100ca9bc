#include "base/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct passwd *find_user(const char *user, struct error *err)
{
    const struct passwd *pw;

    errno = 0;
    pw = getpwnam(user);
    if (pw == NULL)
        error_set(err, "user \"%s\": %s", user, errno != 0 ? strerror(errno) : "no such user");
    return pw;
}

static bool become(const struct passwd *pw, struct error *err)
{
    if (initgroups(pw->pw_name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 ||
        setuid(pw->pw_uid) != 0) {
        error_set(err, "cannot become user \"%s\": %s", pw->pw_name, strerror(errno));
        return false;
    }
    if (setuid(0) == 0) {
        error_set(err, "user \"%s\": root could be had back", pw->pw_name);
        return false;
    }
    return true;
}

bool privileges_gain_none(struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        return true;
    error_set(err, "prctl(PR_SET_NO_NEW_PRIVS): %s", strerror(errno));
    return false;
}

bool privileges_drop(const char *user, struct error *err)
{
    const struct passwd *pw;

    if (geteuid() != 0)
        return true;
    pw = find_user(user, err);
    if (pw == NULL)
        return false;
    if (pw->pw_uid == 0) /* nothing to give up, and in a namespace perhaps no right to change */
        return true;
    if (!become(pw, err))
        return false;
    /* Changing its user made the process one that leaves no core of a crash and lets neither its
       own user's debugger nor a leak checker in. It holds nothing that this user may not read. */
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return true;
}

bool privileges_make_dir(const char *path, const char *user, struct error *err)
{
    const struct passwd *pw = NULL;

    if (geteuid() == 0 && (pw = find_user(user, err)) == NULL)
        return false;
    if (mkdir(path, 0750) != 0) {
        if (errno == EEXIST)
            return true;
    } else if (pw == NULL || chown(path, pw->pw_uid, pw->pw_gid) == 0) {
        return true;
    }
    error_set(err, "cannot make %s: %s", path, strerror(errno));
    return false;
}
