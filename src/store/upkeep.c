#include "store/upkeep.h"

#include "base/clock.h"
#include "base/log.h"

#define STEP_MIN 4 /* records of one transaction: */
#define STEP_MAX 500
#define STEP_SHIFT \
    18                 /* one for so much of the size, to change a sixteenth of its pages at most \
                        */
#define LOOK_SHIFT  17 /* changes after which to look: one for so much of the size, */
#define LOOK_MS     1000 /* or after so long */
#define CHECK_MS    60000
#define TRY_MS      5000
#define REOPEN_MS   100
#define IN_VAIN_MAX 16    /* steps that bring nothing back, */
#define IN_VAIN_MS  60000 /* and then a pause */
#define ROOM_STEPS  16
#define TRIED_KEY   "tried"

void upkeep_init(struct upkeep *u, struct environment *e, struct readers *rs, struct health *h)
{
    uint64_t step = e->size >> STEP_SHIFT;

    u->environment = e;
    u->readers = rs;
    u->health = h;
    u->step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : (unsigned)step;
}

/*
 * Failing, and beginning anew
 */

static bool is_broken(const struct upkeep *u)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(u->environment->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0)
        mdb_txn_abort(txn);
    return rc == MDB_PANIC;
}

static bool reopen(struct upkeep *u)
{
    struct error err;

    u->try_at = clock_mono_ms() + REOPEN_MS;
    if (!readers_shut(u->readers))
        return false;
    if (!environment_reopen(u->environment, &err)) {
        u->try_at = clock_mono_ms() + TRY_MS;
        health_failed(u->health, err.text, 0);
        return false;
    }
    u->broken = false;
    readers_open(u->readers);
    log_warning("store %s: opened again, after a write that left it unusable",
                u->environment->path);
    return true;
}

bool upkeep_ready(struct upkeep *u)
{
    return !u->broken || (clock_mono_ms() >= u->try_at && reopen(u));
}

/* Room goes with the changes, and in a small store fast. */
void upkeep_worked(struct upkeep *u, uint64_t changes)
{
    health_worked(u->health);
    u->unseen += changes;
    if (u->unseen > u->environment->size >> LOOK_SHIFT)
        u->look_at = 0;
}

void upkeep_failed(struct upkeep *u, int rc, uint64_t lost)
{
    health_failed(u->health, environment_explain(rc), lost);
    if (u->broken)
        return;
    u->full = rc == MDB_MAP_FULL;
    u->try_at = clock_mono_ms() + TRY_MS;
    u->broken = is_broken(u);
    if (u->broken)
        (void)reopen(u);
}

/*
 * One transaction
 */

typedef int (*step_work)(struct upkeep *u, const struct expiry *x, unsigned *taken);

static int run_step(struct upkeep *u, step_work work, unsigned *taken)
{
    struct expiry x = {u->environment, u->health, NULL};
    int rc = mdb_txn_begin(u->environment->env, NULL, 0, &x.txn);

    *taken = 0;
    if (rc != 0)
        return rc;
    rc = work(u, &x, taken);
    if (rc == 0 && *taken > 0)
        return mdb_txn_commit(x.txn);
    mdb_txn_abort(x.txn);
    return rc;
}

static int sweep_some(struct upkeep *u, const struct expiry *x, unsigned *taken)
{
    unsigned removed;
    int rc = expiry_take(x, clock_wall(), u->step, taken, &removed);

    if (rc == 0)
        atomic_fetch_add(&u->swept, removed);
    return rc;
}

static int evict_some(struct upkeep *u, const struct expiry *x, unsigned *taken)
{
    unsigned removed;
    int rc = expiry_take(x, INT64_MAX, u->evict_step, taken, &removed);

    if (rc == 0)
        atomic_fetch_add(&u->evicted, removed);
    return rc;
}

/* Even a removal takes pages, so where there are few a small one comes first. */
static int evict(struct upkeep *u, unsigned *taken)
{
    int rc = MDB_MAP_FULL;

    for (u->evict_step = u->step; rc == MDB_MAP_FULL && u->evict_step > 0; u->evict_step /= 8)
        rc = run_step(u, evict_some, taken);
    return rc;
}

static int write_something(struct upkeep *u, const struct expiry *x, unsigned *taken)
{
    int64_t now = clock_wall();
    MDB_val key = {sizeof(TRIED_KEY) - 1, TRIED_KEY}, value = {sizeof(now), &now};

    *taken = 1;
    return mdb_put(x->txn, u->environment->meta, &key, &value, 0);
}

/*
 * Room
 */

static uint64_t high_mark(const struct upkeep *u)
{
    return u->environment->size / 10 * 9;
}

static uint64_t low_mark(const struct upkeep *u)
{
    return u->environment->size / 100 * 88;
}

/* The free list is counted only where it matters. */
static int measure(const struct upkeep *u, uint64_t *used)
{
    MDB_txn *txn;
    int rc;

    *used = environment_extent(u->environment);
    if (*used <= low_mark(u))
        return 0;
    rc = mdb_txn_begin(u->environment->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return rc;
    rc = environment_used(u->environment, txn, used);
    mdb_txn_abort(txn);
    return rc;
}

/*
 * Whether to evict. Steps that bring nothing back (a page is free only when the last record in it
 * went) are followed by others, but not for ever.
 */
static bool is_crowded(struct upkeep *u, uint64_t used)
{
    if (!u->evicting) {
        u->evicting = used > high_mark(u) && clock_mono_ms() >= u->evict_at;
        u->least_used = used;
        u->in_vain = 0;
        return u->evicting;
    }
    u->in_vain = used < u->least_used ? 0 : u->in_vain + 1;
    u->least_used = used < u->least_used ? used : u->least_used;
    if (u->in_vain > IN_VAIN_MAX)
        u->evict_at = clock_mono_ms() + IN_VAIN_MS;
    u->evicting = used > low_mark(u) && u->in_vain <= IN_VAIN_MAX;
    return u->evicting;
}

/* What a transaction frees the next but one can use, so the last one here is for nothing else. */
bool upkeep_make_room(struct upkeep *u)
{
    unsigned taken;
    uint64_t used;

    for (int i = 0; i < ROOM_STEPS; i++) {
        if (measure(u, &used) != 0)
            return false;
        if (used <= low_mark(u))
            break;
        if (evict(u, &taken) != 0 || taken == 0)
            return false;
    }
    return run_step(u, write_something, &taken) == 0;
}

/*
 * What is due
 */

/* While nothing can be written. A full map may have its free pages in pieces: a little goes. */
static int64_t try_again(struct upkeep *u)
{
    int64_t left = u->try_at - clock_mono_ms();
    unsigned taken;
    int rc;

    if (left > 0)
        return left;
    if (u->full && (rc = evict(u, &taken)) != 0) {
        upkeep_failed(u, rc, 0);
        return TRY_MS;
    }
    rc = run_step(u, write_something, &taken);
    if (rc != 0) {
        upkeep_failed(u, rc, 0);
        return TRY_MS;
    }
    health_worked(u->health);
    return 0;
}

static void free_dead_readers(struct upkeep *u)
{
    int64_t now = clock_mono_ms();
    int dead = 0;

    if (now < u->check_at)
        return;
    u->check_at = now + CHECK_MS;
    if (mdb_reader_check(u->environment->env, &dead) == 0 && dead > 0)
        log_info("store %s: freed the slots of %d readers that died", u->environment->path, dead);
}

/* True when there may be more to be removed. */
static bool remove_some(struct upkeep *u)
{
    unsigned taken;
    uint64_t used;
    int rc = run_step(u, sweep_some, &taken);

    if (rc == 0 && taken == u->step)
        return true;
    if (rc == 0 && (rc = measure(u, &used)) == 0 && is_crowded(u, used))
        rc = evict(u, &taken);
    if (rc != 0)
        upkeep_failed(u, rc, 0);
    return rc == 0 && u->evicting && taken > 0;
}

int64_t upkeep_tend(struct upkeep *u)
{
    int64_t now = clock_mono_ms();

    if (!upkeep_ready(u))
        return u->try_at > now ? u->try_at - now : REOPEN_MS;
    if (health_failing(u->health, NULL, 0))
        return try_again(u);
    free_dead_readers(u);
    if (now < u->look_at)
        return u->look_at - now;
    u->unseen = 0;
    u->look_at = remove_some(u) ? now : now + LOOK_MS;
    return u->look_at - now;
}
