#include "store/recovery.h"

#include <errno.h>

#include "base/clock.h"

#define TRY_MS    5000 /* between tries: mail is answered meanwhile */
#define REOPEN_MS 100  /* the same where readers were slow to let go */
#define HOLD_MS   1000 /* a disk that fails every time would have us open it for every batch */

static bool is_broken(const struct recovery *r)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(r->environment->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0)
        mdb_txn_abort(txn);
    return rc == MDB_PANIC;
}

/* What can be read is read meanwhile; the pool may be shut from a try before. */
static void put_off_reopening(struct recovery *r, const struct error *why)
{
    if (r->environment->env != NULL)
        readers_open(r->readers);
    r->try_at = clock_mono_ms() + TRY_MS;
    health_failed(r->health, why->text, 0);
}

static void reopen(struct recovery *r)
{
    struct error err;

    r->try_at = clock_mono_ms() + REOPEN_MS;
    if (!environment_is_worth_reopening(r->environment, &err)) {
        put_off_reopening(r, &err);
        return;
    }
    if (!readers_shut(r->readers))
        return;
    if (!environment_reopen(r->environment, &err)) {
        put_off_reopening(r, &err);
        return;
    }
    r->broken = false;
    r->hold_until = r->try_at = clock_mono_ms() + HOLD_MS;
    readers_open(r->readers);
}

bool recovery_ready(struct recovery *r)
{
    if (r->broken && clock_mono_ms() >= r->try_at)
        reopen(r);
    return !r->broken && clock_mono_ms() >= r->hold_until;
}

int64_t recovery_try_in(const struct recovery *r)
{
    int64_t left = r->try_at - clock_mono_ms();

    return left > 0 ? left : 0;
}

/* LMDB has one word for a faulty disk and for one that had room for a part. */
static const char *explain(const struct recovery *r, int rc)
{
    return environment_explain(rc == EIO && !environment_can_grow(r->environment) ? ENOSPC : rc);
}

void recovery_failed(struct recovery *r, int rc, uint64_t lost)
{
    health_failed(r->health, r->broken ? NULL : explain(r, rc), lost);
    if (r->broken || clock_mono_ms() < r->hold_until)
        return;
    r->full = rc == MDB_MAP_FULL;
    r->try_at = clock_mono_ms() + TRY_MS;
    r->broken = is_broken(r);
    if (r->broken)
        reopen(r);
}

/* On a full disk a change works now and then, that finds its place in the file. */
void recovery_worked(struct recovery *r)
{
    if (!health_failing(r->health, NULL, 0))
        return;
    if (r->full || environment_can_grow(r->environment))
        health_worked(r->health);
    else
        recovery_failed(r, ENOSPC, 0);
}
