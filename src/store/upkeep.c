#include "store/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/pages.h"

#define STEP_MIN   4 /* records of one transaction: */
#define STEP_MAX   500
#define STEP_SHIFT 18     /* one for so much of the size changes a sixteenth of its pages at most */
#define LOOK_SHIFT 17     /* changes after which to look: one for so much of the size, */
#define LOOK_MS    1000   /* or so long after the first; */
#define IDLE_MS    60000  /* and without any, for the wall clock may be set */
#define LATE_S     3600   /* still there so long after it expired: we were away, or the clock is */
#define DOUBT_MS   600000 /* wrong, and has so long to become right */
#define CHECK_MS   60000  /* what the dead pin is missed only in a full map, that looks itself */
#define EVICT_MAX  4096   /* records, while more is put than that makes up for */
#define ROOM_STEPS 32     /* a batch waits for so many */
#define CHURN      (UINT64_C(96) * 4096) /* two batches of 8 changes, two trees of three levels */
#define TRIED_KEY  "tried"

void upkeep_init(struct upkeep *u, struct recovery *r)
{
    uint64_t step = r->environment->size >> STEP_SHIFT;

    u->recovery = r;
    u->environment = r->environment;
    u->health = r->health;
    u->step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : (unsigned)step;
    u->look_at = clock_mono_ms() + LOOK_MS; /* a start is waited for; what expired is not */
}

/* Room goes with the changes, and in a small store fast. */
void upkeep_committed(struct upkeep *u, uint64_t changes)
{
    u->unseen += changes;
    if (u->unseen > u->environment->size >> LOOK_SHIFT)
        u->look_at = 0;
    else if (u->look_at > clock_mono_ms() + LOOK_MS)
        u->look_at = clock_mono_ms() + LOOK_MS;
}

/*
 * One transaction
 */

/* What a step took off the index, and how many records went with it. */
struct taken {
    unsigned entries, records;
};

typedef int (*step_work)(struct upkeep *u, const struct expiry *x, struct taken *taken);

static int run_step(struct upkeep *u, step_work work, struct taken *taken)
{
    struct expiry x = {u->environment, u->health, NULL};
    int rc = mdb_txn_begin(u->environment->env, NULL, 0, &x.txn);

    *taken = (struct taken){0, 0};
    if (rc != 0)
        return rc;
    rc = work(u, &x, taken);
    if (rc == 0 && taken->entries > 0)
        return mdb_txn_commit(x.txn);
    mdb_txn_abort(x.txn);
    return rc;
}

static int sweep_some(struct upkeep *u, const struct expiry *x, struct taken *taken)
{
    return expiry_take(x, clock_wall(), u->step, &taken->entries, &taken->records);
}

static int sweep(struct upkeep *u, struct taken *taken)
{
    int rc = run_step(u, sweep_some, taken);

    if (rc == 0)
        atomic_fetch_add(&u->swept, taken->records);
    return rc;
}

static int evict_some(struct upkeep *u, const struct expiry *x, struct taken *taken)
{
    return expiry_take(x, INT64_MAX, u->evict_step, &taken->entries, &taken->records);
}

/* So much, that a flood of puts is made up for. */
static unsigned widest_step(const struct upkeep *u)
{
    uint64_t widest = u->environment->size >> STEP_SHIFT;

    widest = widest < EVICT_MAX ? widest : EVICT_MAX;
    widest = widest < 2 * u->unseen ? widest : 2 * u->unseen;
    return widest > u->step ? (unsigned)widest : u->step;
}

/* Even a removal takes pages, so where there are few a small one comes first. */
static int evict(struct upkeep *u, struct taken *taken)
{
    int rc = MDB_MAP_FULL;

    for (u->evict_step = widest_step(u); rc == MDB_MAP_FULL && u->evict_step > 0;
         u->evict_step /= 4)
        rc = run_step(u, evict_some, taken);
    if (rc == 0)
        atomic_fetch_add(&u->evicted, taken->records);
    return rc;
}

static int put_something(struct upkeep *u, const struct expiry *x, struct taken *taken)
{
    int64_t now = clock_wall();
    MDB_val key = {sizeof(TRIED_KEY) - 1, TRIED_KEY}, value = {sizeof(now), &now};

    taken->entries = 1;
    return mdb_put(x->txn, u->environment->meta, &key, &value, 0);
}

static int write_something(struct upkeep *u)
{
    struct taken taken;

    return run_step(u, put_something, &taken);
}

/*
 * Room
 */

/* A tenth, and in a small store what a batch and the one before it may replace: those pages are not
   free yet when the next one needs its own. */
static uint64_t high_mark(const struct upkeep *u)
{
    uint64_t size = u->environment->size, tenth = size / 10;
    uint64_t churn = size / 3 < CHURN ? size / 3 : CHURN;

    return size - (tenth > churn ? tenth : churn);
}

static uint64_t low_mark(const struct upkeep *u)
{
    return high_mark(u) - u->environment->size / 50;
}

/* The free list is counted only where it matters. */
static int measure(const struct upkeep *u, uint64_t *used)
{
    MDB_txn *txn;
    int rc;

    *used = pages_extent(u->environment->env);
    if (*used <= low_mark(u))
        return 0;
    rc = mdb_txn_begin(u->environment->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return rc;
    rc = pages_used(u->environment->env, txn, used);
    mdb_txn_abort(txn);
    return rc;
}

/*
 * Whether to evict. Pages that are free but for a reader's old snapshot count as free: else all
 * would be evicted under a long walk. A page is free only when nearly all in it went, so that many
 * steps may bring nothing back before others do.
 */
static bool is_crowded(struct upkeep *u, uint64_t used)
{
    u->evicting = used > (u->evicting ? low_mark(u) : high_mark(u));
    return u->evicting;
}

static void free_dead_readers(struct upkeep *u)
{
    int dead = 0;

    u->check_at = clock_mono_ms() + CHECK_MS;
    if (mdb_reader_check(u->environment->env, &dead) == 0 && dead > 0)
        log_info("store %s: freed the slots of %d readers that died", u->environment->path, dead);
}

/*
 * Dead readers pin pages too. What a transaction frees the next but one can use, so there is one
 * before and one after that is for nothing else.
 */
bool upkeep_make_room(struct upkeep *u)
{
    struct taken taken;
    uint64_t used;

    free_dead_readers(u);
    if (write_something(u) != 0)
        return false;
    for (int i = 0; i < ROOM_STEPS; i++) {
        if (measure(u, &used) != 0)
            return false;
        if (used <= low_mark(u))
            break;
        if (evict(u, &taken) != 0 || taken.entries == 0)
            return false;
    }
    return write_something(u) == 0;
}

/*
 * What is due
 */

static int try_to_write(struct upkeep *u)
{
    struct taken taken;
    int rc = 0;

    if (u->recovery->full)
        rc = evict(u, &taken); /* the free pages may be in pieces: a little goes */
    return rc != 0 ? rc : write_something(u);
}

/* While nothing can be written. */
static int64_t try_again(struct upkeep *u)
{
    int rc;

    if (recovery_try_in(u->recovery) > 0)
        return recovery_try_in(u->recovery);
    rc = try_to_write(u);
    if (rc == 0)
        recovery_worked(u->recovery);
    else
        recovery_failed(u->recovery, rc, 0);
    return recovery_try_in(u->recovery);
}

/* A read transaction: without work there is no write. */
static int find_front(const struct upkeep *u, int64_t *due)
{
    struct expiry x = {u->environment, u->health, NULL};
    int rc = mdb_txn_begin(u->environment->env, NULL, MDB_RDONLY, &x.txn);

    if (rc != 0)
        return rc;
    rc = expiry_front(&x, due);
    mdb_txn_abort(x.txn);
    return rc;
}

/* In how many ms the front of the index is to be swept. A clock that is far ahead for a while, as
   at boot, must not empty the store. */
static int64_t sweep_in(struct upkeep *u, int64_t due)
{
    int64_t now = clock_wall(), mono = clock_mono_ms();

    if (due < 0 || due > now - LATE_S)
        u->doubt_until = 0;
    else if (u->doubt_until == 0)
        u->doubt_until = mono + DOUBT_MS;
    if (due > now)
        return due - now < IDLE_MS / 1000 ? (due - now) * 1000 : IDLE_MS;
    return u->doubt_until > mono ? u->doubt_until - mono : 0;
}

static int sweep_due(struct upkeep *u, struct taken *taken)
{
    int64_t due, wait;
    int rc = find_front(u, &due);

    *taken = (struct taken){0, 0};
    if (rc != 0)
        return rc;
    wait = sweep_in(u, due);
    u->look_at = clock_mono_ms() + (wait < IDLE_MS ? wait : IDLE_MS);
    return wait > 0 ? 0 : sweep(u, taken);
}

static int evict_crowded(struct upkeep *u, struct taken *taken)
{
    uint64_t used;
    int rc = measure(u, &used);

    if (rc == 0 && is_crowded(u, used))
        rc = evict(u, taken);
    u->unseen = 0;
    return rc;
}

/*
 * Does one step, and sets look_at: at once, where anything was removed. That it finds no room for
 * itself, as while somebody reads and what was freed meanwhile can't be used, harms nobody yet: a
 * put that finds none says so.
 */
static void remove_some(struct upkeep *u)
{
    struct taken taken;
    int rc = sweep_due(u, &taken);

    if (rc == 0 && taken.entries < u->step)
        rc = evict_crowded(u, &taken);
    if (rc == MDB_MAP_FULL)
        u->look_at = upkeep_make_room(u) ? 0 : clock_mono_ms() + LOOK_MS;
    else if (rc != 0)
        recovery_failed(u->recovery, rc, 0);
    else if (taken.entries > 0)
        u->look_at = 0;
}

int64_t upkeep_tend(struct upkeep *u)
{
    int64_t now = clock_mono_ms();

    if (!recovery_ready(u->recovery))
        return recovery_try_in(u->recovery);
    if (health_failing(u->health, NULL, 0))
        return try_again(u);
    if (now >= u->check_at)
        free_dead_readers(u);
    if (now >= u->look_at)
        remove_some(u);
    return u->look_at > now ? u->look_at - now : 0;
}
