#include "store/pages.h"

#include <setjmp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define FREE_LIST 0 /* LMDB's own table of free pages */

/* Counts the free pages from number `from` on. */
struct free_walk {
    size_t from;
    size_t found;
    MDB_txn *txn;
    MDB_cursor *cursor;
    jmp_buf on_damage; /* the opener's */
};

uint64_t pages_extent(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;

    if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat) != 0)
        return 0;
    return (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize;
}

/* A record of the free list is a count and as many page numbers. */
static bool count_free(struct free_walk *w, const MDB_val *record)
{
    size_t room = record->mv_size / sizeof(size_t), count, number;

    if (room == 0)
        return false;
    memcpy(&count, record->mv_data, sizeof(count));
    if (count >= room)
        return false;
    if (w->from == 0)
        w->found += count;
    for (size_t i = 1; w->from > 0 && i <= count; i++) {
        memcpy(&number, (const char *)record->mv_data + i * sizeof(number), sizeof(number));
        w->found += number >= w->from;
    }
    return true;
}

static int walk_free_list(struct free_walk *w)
{
    MDB_val key, record;
    int rc = mdb_cursor_open(w->txn, FREE_LIST, &w->cursor);

    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(w->cursor, &key, &record, MDB_NEXT)) == 0)
        if (!count_free(w, &record))
            return MDB_CORRUPTED;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static void end_free_walk(struct free_walk *w)
{
    if (w->cursor != NULL)
        mdb_cursor_close(w->cursor);
}

static uint64_t without_free(MDB_env *env, size_t unused)
{
    uint64_t extent = pages_extent(env);
    MDB_stat stat;

    if (mdb_env_stat(env, &stat) != 0 || unused > extent / stat.ms_psize)
        return 0;
    return extent - (uint64_t)unused * stat.ms_psize;
}

int pages_used(MDB_env *env, MDB_txn *txn, uint64_t *used)
{
    struct free_walk w = {.txn = txn};
    int rc = walk_free_list(&w);

    end_free_walk(&w);
    if (rc == 0)
        *used = without_free(env, w.found);
    return rc;
}

static void leave_free_walk(MDB_env *env, const char *msg)
{
    struct free_walk *w = mdb_env_get_userctx(env);

    (void)msg;
    longjmp(w->on_damage, 1);
}

/* An assertion of LMDB's would end the program. */
static bool walk_past_assertions(MDB_env *env, struct free_walk *w)
{
    if (setjmp(w->on_damage) != 0)
        return false;
    return mdb_txn_begin(env, NULL, MDB_RDONLY, &w->txn) == 0 && walk_free_list(w) == 0;
}

static bool count_at_opening(MDB_env *env, size_t from, size_t *found)
{
    struct free_walk w = {.from = from};
    bool whole;

    (void)mdb_env_set_userctx(env, &w);
    (void)mdb_env_set_assert(env, leave_free_walk);
    whole = walk_past_assertions(env, &w);
    (void)mdb_env_set_assert(env, NULL);
    end_free_walk(&w);
    if (w.txn != NULL)
        mdb_txn_abort(w.txn);
    *found = w.found;
    return whole;
}

uint64_t pages_used_at_opening(MDB_env *env)
{
    size_t unused;

    return count_at_opening(env, 0, &unused) ? without_free(env, unused) : pages_extent(env);
}

/* Whether all `missing` pages from `from` on are free ones. */
static bool only_free_pages_missing(MDB_env *env, size_t from, size_t missing)
{
    size_t found;

    return count_at_opening(env, from, &found) && found == missing;
}

/*
 * A page that is mapped and not in the file is a SIGBUS for whoever reads it. Pages that were taken
 * and given back in one transaction are never written: a file that lacks only free pages at its end
 * is sound, and is made longer.
 */
bool pages_check_length(MDB_env *env, const char *path, struct error *err)
{
    size_t pages, present;
    MDB_envinfo info;
    struct stat st;
    MDB_stat stat;
    int fd;

    if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat) != 0 ||
        mdb_env_get_fd(env, &fd) != 0 || fstat(fd, &st) != 0) {
        error_set(err, "store %s: cannot be examined", path);
        return false;
    }
    pages = info.me_last_pgno + 1;
    present = (size_t)st.st_size / stat.ms_psize;
    if (present >= pages)
        return true;
    if (ftruncate(fd, (off_t)(pages * stat.ms_psize)) == 0) {
        if (only_free_pages_missing(env, present, pages - present))
            return true;
        if (ftruncate(fd, st.st_size) != 0)
            log_warning("store %s: could not be cut to its old length", path);
    }
    error_set(err,
              "store %s: was cut short: has %zu of its %zu pages; move it away to start afresh",
              path, present, pages);
    return false;
}
