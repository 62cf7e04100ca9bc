#include "disk_log.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dice.h"

enum event_kind {
    EVENT_WRITE,
    EVENT_SYNCED_WRITE,
    EVENT_LENGTH,
    EVENT_SYNC,
    EVENT_NAMED, /* it is there from now on */
    EVENT_DIRECTORY_SYNC,
};

struct event {
    enum event_kind kind;
    size_t offset; /* or the length */
    size_t len;
    uint8_t *bytes;
};

/* One writes at a time: the opener, then the store's own thread. */
static struct {
    bool recording;
    bool existed, named;
    char path[PATH_MAX];
    char path_new[PATH_MAX]; /* before it is renamed */
    char directory[PATH_MAX];
    struct disk_image before;
    struct event *events;
    _Atomic size_t count; /* asked for meanwhile */
    size_t room;
} disk;

#define DESCRIPTORS 256

static bool is_synced[DESCRIPTORS]; /* was opened so that each write is */

static void image_reach(struct disk_image *i, size_t len)
{
    if (len > i->room) {
        size_t room = len * 2;

        i->bytes = realloc(i->bytes, room);
        ck_assert_ptr_nonnull(i->bytes);
        memset(i->bytes + i->room, 0, room - i->room);
        i->room = room;
    }
    if (len > i->len)
        i->len = len;
}

static void image_write(struct disk_image *i, size_t offset, const uint8_t *bytes, size_t len)
{
    image_reach(i, offset + len);
    if (len > 0)
        memcpy(i->bytes + offset, bytes, len);
}

static void image_set_length(struct disk_image *i, size_t len)
{
    image_reach(i, len);
    if (i->len > len)
        memset(i->bytes + len, 0, i->len - len);
    i->len = len;
}

static void image_copy(struct disk_image *to, const struct disk_image *from)
{
    image_set_length(to, 0);
    image_write(to, 0, from->bytes, from->len);
}

void disk_image_free(struct disk_image *i)
{
    free(i->bytes);
    *i = (struct disk_image){0};
}

/*
 * Recording
 */

static void record(enum event_kind kind, size_t offset, const void *bytes, size_t len)
{
    struct event *e;

    if (disk.count == disk.room) {
        disk.room = disk.room * 2 + 1000;
        disk.events = realloc(disk.events, disk.room * sizeof(*disk.events));
        ck_assert_ptr_nonnull(disk.events);
    }
    e = &disk.events[disk.count];
    *e = (struct event){kind, offset, len, NULL};
    if (len > 0) {
        e->bytes = malloc(len);
        ck_assert_ptr_nonnull(e->bytes);
        memcpy(e->bytes, bytes, len);
    }
    disk.count++;
}

static bool is_path(int fd, const char *path)
{
    char link[64], target[PATH_MAX];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, target, sizeof(target) - 1);
    return len >= 0 && (size_t)len == strlen(path) && memcmp(target, path, (size_t)len) == 0;
}

static void note_name(void)
{
    if (!disk.named)
        record(EVENT_NAMED, 0, NULL, 0);
    disk.named = true;
}

static bool is_recorded(int fd)
{
    if (!disk.recording)
        return false;
    if (is_path(fd, disk.path)) {
        note_name();
        return true;
    }
    return !disk.named && is_path(fd, disk.path_new);
}

static void record_write(int fd, size_t offset, const void *bytes, ssize_t len)
{
    if (len > 0)
        record(fd < DESCRIPTORS && is_synced[fd] ? EVENT_SYNCED_WRITE : EVENT_WRITE, offset, bytes,
               (size_t)len);
}

/* Takes O_DSYNC away, which costs as much as fdatasync(2). */
int open(const char *path, int flags, ...)
{
    unsigned mode = 0;
    va_list args;
    int fd;

    va_start(args, flags);
    if ((flags & O_CREAT) != 0)
        mode = va_arg(args, unsigned);
    va_end(args);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags & ~O_SYNC, mode);
    if (fd >= 0 && fd < DESCRIPTORS)
        is_synced[fd] = (flags & O_DSYNC) != 0;
    return fd;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    ssize_t n = syscall(SYS_pwrite64, fd, bytes, len, offset);

    if (is_recorded(fd))
        record_write(fd, (size_t)offset, bytes, n);
    return n;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    off_t offset = is_recorded(fd) ? lseek(fd, 0, SEEK_CUR) : -1;
    ssize_t n = syscall(SYS_write, fd, bytes, len);

    if (offset >= 0)
        record_write(fd, (size_t)offset, bytes, n);
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    off_t offset = is_recorded(fd) ? lseek(fd, 0, SEEK_CUR) : -1;
    ssize_t n = syscall(SYS_writev, fd, parts, count), left = n;

    for (int i = 0; offset >= 0 && left > 0 && i < count; i++) {
        ssize_t len = left < (ssize_t)parts[i].iov_len ? left : (ssize_t)parts[i].iov_len;

        record_write(fd, (size_t)offset, parts[i].iov_base, len);
        offset += len;
        left -= len;
    }
    return n;
}

int ftruncate(int fd, off_t len)
{
    int rc = (int)syscall(SYS_ftruncate, fd, len);

    if (rc == 0 && is_recorded(fd))
        record(EVENT_LENGTH, (size_t)len, NULL, 0);
    return rc;
}

int fdatasync(int fd)
{
    if (is_recorded(fd))
        record(EVENT_SYNC, 0, NULL, 0);
    return 0;
}

int fsync(int fd)
{
    if (disk.recording && is_path(fd, disk.directory))
        record(EVENT_DIRECTORY_SYNC, 0, NULL, 0);
    return fdatasync(fd);
}

int rename(const char *from, const char *to)
{
    int rc = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);

    if (rc == 0 && disk.recording && strcmp(to, disk.path) == 0)
        note_name();
    return rc;
}

/* The store writes to no mapping: were it to, all this would not see it. */
int msync(void *start, size_t len, int flags)
{
    (void)start;
    (void)len;
    (void)flags;
    abort();
}

void disk_log_begin(const char *path)
{
    uint8_t bytes[65536];
    ssize_t n;
    int fd;

    disk_log_free();
    (void)snprintf(disk.path, sizeof(disk.path), "%s", path);
    (void)snprintf(disk.path_new, sizeof(disk.path_new), "%.*s.new", PATH_MAX - 5, path);
    (void)snprintf(disk.directory, sizeof(disk.directory), "%.*s", (int)(strrchr(path, '/') - path),
                   path);
    fd = open(path, O_RDONLY);
    while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
        image_write(&disk.before, disk.before.len, bytes, (size_t)n);
    if (fd >= 0)
        close(fd);
    disk.existed = disk.named = fd >= 0;
    disk.recording = true;
}

void disk_log_end(void)
{
    disk.recording = false;
}

void disk_log_free(void)
{
    for (size_t i = 0; i < disk.count; i++)
        free(disk.events[i].bytes);
    free(disk.events);
    disk_image_free(&disk.before);
    memset(&disk, 0, sizeof(disk));
}

size_t disk_log_count(void)
{
    return disk.count;
}

bool disk_log_is_sync(size_t event)
{
    enum event_kind kind = disk.events[event].kind;

    return kind == EVENT_SYNC || kind == EVENT_SYNCED_WRITE || kind == EVENT_DIRECTORY_SYNC;
}

/*
 * Replay
 */

static void apply(struct disk_image *i, const struct event *e)
{
    if (e->kind == EVENT_WRITE || e->kind == EVENT_SYNCED_WRITE)
        image_write(i, e->offset, e->bytes, e->len);
    else if (e->kind == EVENT_LENGTH)
        image_set_length(i, e->offset);
}

static bool in_doubt(const struct event *e)
{
    return e->kind == EVENT_WRITE || e->kind == EVENT_LENGTH;
}

void disk_replay_begin(struct disk_replay *r)
{
    image_copy(&r->image, &disk.before);
    r->at = r->synced = 0;
    r->named = r->named_surely = disk.existed;
}

static void step(struct disk_replay *r)
{
    const struct event *e = &disk.events[r->at];

    r->at++;
    if (e->kind == EVENT_NAMED)
        r->named = true;
    if (e->kind == EVENT_DIRECTORY_SYNC)
        r->named_surely = r->named;
    if (e->kind == EVENT_SYNCED_WRITE)
        apply(&r->image, e);
    if (e->kind != EVENT_SYNC || r->ignore_syncs)
        return;
    for (; r->synced < r->at; r->synced++)
        if (in_doubt(&disk.events[r->synced]))
            apply(&r->image, &disk.events[r->synced]);
}

void disk_replay_to(struct disk_replay *r, size_t count)
{
    ck_assert_uint_le(count, disk.count);
    while (r->at < count)
        step(r);
}

void disk_replay_free(struct disk_replay *r)
{
    disk_image_free(&r->image);
}

static void apply_sectors(struct disk_image *i, const struct event *e, struct dice *d)
{
    for (size_t at = 0; at < e->len;) {
        size_t len = DISK_SECTOR - (e->offset + at) % DISK_SECTOR;

        if (len > e->len - at)
            len = e->len - at;
        if (dice_throw(d, 2) == 0)
            image_write(i, e->offset + at, e->bytes + at, len);
        at += len;
    }
}

/* The file's length is written on its own: later than what is in it, which is lost then, or
 * earlier. */
static void doubt_length(const struct disk_replay *r, struct disk_image *i, size_t full,
                         struct dice *d)
{
    size_t sure = r->image.len;

    switch (dice_throw(d, 3)) {
    case 0:
        if (i->len > sure)
            image_set_length(i, sure + dice_throw(d, i->len - sure + 1));
        break;
    case 1:
        image_set_length(i, full);
        break;
    default:
        break;
    }
}

void disk_replay_lose_power(const struct disk_replay *r, uint64_t seed, struct disk_image *out)
{
    struct dice d = {seed};
    size_t full = r->image.len;

    image_copy(out, &r->image);
    out->absent = !r->named_surely && (!r->named || seed % 2 == 0);
    if (seed == 0)
        return;
    for (size_t n = r->synced; n < r->at; n++) {
        const struct event *e = &disk.events[n];

        if (!in_doubt(e))
            continue;
        if (e->kind == EVENT_LENGTH)
            full = e->offset;
        else if (e->offset + e->len > full)
            full = e->offset + e->len;
        if (seed == 1 || (e->kind == EVENT_LENGTH && dice_throw(&d, 2) == 0))
            apply(out, e);
        else if (e->kind == EVENT_WRITE)
            apply_sectors(out, e, &d);
    }
    if (seed != 1)
        doubt_length(r, out, full, &d);
}
