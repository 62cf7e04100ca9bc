/*
 * store.lock  : held by flock(2) by whoever has the store open
 * store.mdb   : the data
 * store.mdb-lock : LMDB's table of readers
 * store.mdb.new : the data file in the making
 */
#include "store/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "store/creation.h"
#include "store/migration.h"
#include "store/pages.h"

#define READER_TABLE_BYTES 73728 /* LMDB's header and ENVIRONMENT_READERS of 64 bytes each */
#define META_TABLE         "meta"
#define META_FORMAT        "format"
#define META_FORMAT_BYTES  4
#define EXPIRY_TABLE       "expiry"
#define OWN_TABLES         2          /* meta and expiry */
#define GROWTH_MIN         (1u << 20) /* octets of disk: some batches */
#define ROOM_SHARE         8          /* of cache.size: room in the map beyond what is in use */

static const char *const table_names[STORE_TABLE_COUNT] = {
#define X(id, name) [STORE_TABLE_##id] = name,
    STORE_TABLES(X)
#undef X
};

static bool take_lock(struct environment *e, const char *dir, bool *in_use, struct error *err)
{
    char path[ENVIRONMENT_PATH_SIZE];

    (void)str_format(path, sizeof(path), "%s/store.lock", dir);
    e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (e->lock_fd < 0) {
        error_set(err, "store %s: cannot open: %s", path, strerror(errno));
        return false;
    }
    if (flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK && in_use != NULL)
        *in_use = true;
    error_set(err, "store %s: %s", path,
              errno == EWOULDBLOCK ? "in use by another process" : strerror(errno));
    return false;
}

/*
 * LMDB writes to its table of readers through a mapping: were the disk full when a page of it is
 * first touched, that would be a SIGBUS. So its room is taken beforehand.
 */
static bool reserve_reader_table(const struct environment *e, struct error *err)
{
    char path[ENVIRONMENT_PATH_SIZE];
    int fd, rc;

    (void)str_format(path, sizeof(path), "%s-lock", e->path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_set(err, "store %s: cannot open: %s", path, strerror(errno));
        return false;
    }
    rc = posix_fallocate(fd, 0, READER_TABLE_BYTES);
    close(fd);
    if (rc == ENOSPC || rc == EDQUOT) {
        error_set(err, "store %s: %s", path, strerror(rc));
        return false;
    }
    return true;
}

const char *environment_explain(int rc)
{
    switch (rc) {
    case MDB_INVALID:
        return "is not an LMDB file, or its beginning is damaged; move it away to start afresh";
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return "its pages are damaged; export what can be read, and move it away to start afresh";
    case MDB_VERSION_MISMATCH:
        return "was written by another version of LMDB";
    case MDB_PANIC:
        return "a write failed half-way; it is opened again";
    case MDB_MAP_FULL:
        return "it is full, as cache.size bounds it";
    default:
        return mdb_strerror(rc);
    }
}

static size_t whole_pages(uint64_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return ((size_t)size + page - 1) / page * page;
}

/* `flags`: LMDB's, besides those that are always set. */
static int open_lmdb(struct environment *e, unsigned flags)
{
    int rc = mdb_env_create(&e->env);

    if (rc == 0)
        rc = mdb_env_set_mapsize(e->env, whole_pages(e->size));
    if (rc == 0)
        rc = mdb_env_set_maxreaders(e->env, ENVIRONMENT_READERS);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(e->env, STORE_TABLE_COUNT + OWN_TABLES);
    if (rc == 0)
        rc = mdb_env_open(e->env, e->path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0600);
    return rc;
}

static bool open_environment(struct environment *e, struct error *err)
{
    int rc;

    if (e->size > SIZE_MAX / 2) {
        error_set(err, "store %s: a size of %llu bytes is more than this machine can map", e->path,
                  (unsigned long long)e->size);
        return false;
    }
    rc = open_lmdb(e, 0);
    if (rc != 0)
        error_set(err, "store %s: %s", e->path, environment_explain(rc));
    return rc == 0;
}

bool environment_can_grow(const struct environment *e)
{
    struct statvfs disk;
    int fd;

    if (pages_extent(e->env) >= e->size)
        return true;
    if (mdb_env_get_fd(e->env, &fd) != 0 || fstatvfs(fd, &disk) != 0)
        return false;
    return (uint64_t)disk.f_bavail * disk.f_frsize >= GROWTH_MIN;
}

/* LMDB makes it no smaller than the file is. */
static bool set_map(const struct environment *e, uint64_t wanted, struct error *err)
{
    int rc = mdb_env_set_mapsize(e->env, whole_pages(wanted > e->size ? wanted : e->size));

    if (rc != 0)
        error_set(err, "store %s: cannot be mapped: %s", e->path, environment_explain(rc));
    return rc == 0;
}

/*
 * A map without a free page has no room for even a change that removes something, as where `size`
 * was made smaller. Free pages are such room: were it the end of the file that counts, it would
 * move on with each opening while a reader pins them.
 */
static bool fit_map(const struct environment *e, struct error *err)
{
    uint64_t room = e->size / ROOM_SHARE, taken = pages_extent(e->env);

    if (taken + room > e->size)
        taken = pages_used_at_opening(e->env);
    return set_map(e, taken + room, err);
}

static void warn_of_size(const struct environment *e)
{
    uint64_t extent = pages_extent(e->env);

    if (extent > e->size)
        log_warning("store %s: holds %llu bytes, more than the %llu of cache.size: what expires "
                    "soonest makes room, but the file stays as big until the store is exported, "
                    "moved away and imported afresh",
                    e->path, (unsigned long long)extent, (unsigned long long)e->size);
}

/* Sets *format to 0 where none is written. */
static int read_format(const struct environment *e, MDB_txn *txn, uint32_t *format)
{
    MDB_val key = {sizeof(META_FORMAT) - 1, META_FORMAT}, value;
    const uint8_t *in;
    int rc = mdb_get(txn, e->meta, &key, &value);

    *format = 0;
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return rc;
    if (value.mv_size != META_FORMAT_BYTES)
        return MDB_INCOMPATIBLE;
    in = value.mv_data;
    *format = in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
    return *format == 0 ? MDB_INCOMPATIBLE : 0;
}

int environment_write_format(const struct environment *e, MDB_txn *txn)
{
    uint8_t format[META_FORMAT_BYTES] = {STORE_FORMAT};
    MDB_val key = {sizeof(META_FORMAT) - 1, META_FORMAT}, value = {sizeof(format), format};

    return mdb_put(txn, e->meta, &key, &value, 0);
}

/* `flags`: LMDB's. */
static int open_records(struct environment *e, MDB_txn *txn, unsigned flags)
{
    int rc = mdb_dbi_open(txn, EXPIRY_TABLE, flags, &e->expiry);

    for (int i = 0; rc == 0 && i < STORE_TABLE_COUNT; i++)
        rc = mdb_dbi_open(txn, table_names[i], flags, &e->tables[i]);
    return rc;
}

/* Sets *format to the environment's; a new environment becomes one of ours. */
static int open_tables(struct environment *e, MDB_txn *txn, uint32_t *format)
{
    int rc = mdb_dbi_open(txn, META_TABLE, MDB_CREATE, &e->meta);

    if (rc == 0)
        rc = read_format(e, txn, format);
    if (rc == 0 && *format == 0) {
        *format = STORE_FORMAT;
        rc = environment_write_format(e, txn);
    }
    if (rc != 0 || *format > STORE_FORMAT)
        return rc;
    return open_records(e, txn, MDB_CREATE);
}

static bool check_format(struct environment *e, uint32_t *format, struct error *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    *format = 0;
    if (rc == 0) {
        rc = open_tables(e, txn, format);
        if (rc == 0 && *format <= STORE_FORMAT)
            rc = mdb_txn_commit(txn);
        else
            mdb_txn_abort(txn);
    }
    if (rc != 0)
        error_set(err, "store %s: %s", e->path,
                  rc == MDB_INCOMPATIBLE ? "is not a store of calloutd" : environment_explain(rc));
    else if (*format > STORE_FORMAT)
        error_set(err,
                  "store %s: has format %u, but this calloutd reads none above %d: run the newer "
                  "calloutd that wrote it, or move it away to start afresh",
                  e->path, *format, STORE_FORMAT);
    return rc == 0 && *format <= STORE_FORMAT;
}

/* The index that an older format lacks is no longer than its records. */
static bool migrate(struct environment *e, uint32_t format, struct error *err)
{
    return set_map(e, 2 * pages_extent(e->env) + e->size / ROOM_SHARE, err) &&
           migration_run(e, format, err) && fit_map(e, err);
}

/* Once the lock is held. */
static bool open_data(struct environment *e, struct error *err)
{
    uint32_t format;

    return creation_ensure(e->path, err) && reserve_reader_table(e, err) &&
           open_environment(e, err) && pages_check_length(e->env, e->path, err) &&
           fit_map(e, err) && check_format(e, &format, err) &&
           (format == STORE_FORMAT || migrate(e, format, err));
}

static bool open_all(struct environment *e, const struct store_opts *opts, bool *in_use,
                     struct error *err)
{
    if (!take_lock(e, opts->dir, in_use, err) || !open_data(e, err))
        return false;
    warn_of_size(e);
    return true;
}

bool environment_open(struct environment *e, const struct store_opts *opts, bool *in_use,
                      struct error *err)
{
    *e = (struct environment){.lock_fd = -1, .size = opts->size};
    if (in_use != NULL)
        *in_use = false;
    (void)str_format(e->path, sizeof(e->path), "%s/store.mdb", opts->dir);
    if (open_all(e, opts, in_use, err))
        return true;
    environment_close(e);
    return false;
}

static void close_data(struct environment *e)
{
    if (e->env != NULL)
        mdb_env_close(e->env);
    e->env = NULL;
}

/* Not checked: it was when it was opened first, and has been in our hands since. */
static void open_to_read(struct environment *e)
{
    MDB_txn *txn = NULL;
    int rc = open_lmdb(e, MDB_RDONLY);

    if (rc == 0)
        rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);
    if (rc == 0)
        rc = open_records(e, txn, 0);
    if (rc == 0)
        rc = mdb_txn_commit(txn);
    else if (txn != NULL)
        mdb_txn_abort(txn);
    if (rc != 0)
        close_data(e);
}

bool environment_is_worth_reopening(const struct environment *e, struct error *err)
{
    unsigned flags = 0;
    int fd;

    if (e->env == NULL || mdb_env_get_flags(e->env, &flags) != 0 || (flags & MDB_RDONLY) == 0)
        return true;
    fd = open(e->path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        error_set(err, "store %s: cannot open: %s", e->path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

bool environment_reopen(struct environment *e, struct error *err)
{
    close_data(e);
    if (open_data(e, err))
        return true;
    close_data(e);
    open_to_read(e);
    return false;
}

void environment_close(struct environment *e)
{
    close_data(e);
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    e->lock_fd = -1;
}
