#include "store/readers.h"

#include <sched.h>
#include <time.h>

#define SHUT_TRIES 100 /* a millisecond apart */

/* Waits for a free one; NULL when the pool is shut. */
static struct reader *take(struct readers *rs)
{
    int cpu = sched_getcpu();
    unsigned first = cpu < 0 ? 0 : (unsigned)cpu;

    while (!atomic_load(&rs->shut)) {
        for (unsigned i = 0; i < READERS_MAX; i++) {
            struct reader *r = &rs->pool[(first + i) % READERS_MAX];

            if (!atomic_exchange_explicit(&r->busy, true, memory_order_acquire))
                return r;
        }
        (void)sched_yield();
    }
    return NULL;
}

static void give_back(struct reader *r)
{
    atomic_store_explicit(&r->busy, false, memory_order_release);
}

struct reader *readers_begin(struct readers *rs, int *rc)
{
    struct reader *r = take(rs);

    *rc = MDB_PANIC;
    if (r == NULL)
        return NULL;
    *rc = r->txn != NULL ? mdb_txn_renew(r->txn)
                         : mdb_txn_begin(rs->environment->env, NULL, MDB_RDONLY, &r->txn);
    if (*rc == 0)
        return r;
    give_back(r);
    return NULL;
}

void readers_end(struct reader *r)
{
    mdb_txn_reset(r->txn);
    give_back(r);
}

/* How many are still in others' hands. */
static unsigned seize(struct readers *rs)
{
    unsigned busy = 0;

    for (unsigned i = 0; i < READERS_MAX; i++) {
        struct reader *r = &rs->pool[i];

        if (!rs->held[i])
            rs->held[i] = !atomic_exchange_explicit(&r->busy, true, memory_order_acquire);
        busy += !rs->held[i];
        if (rs->held[i] && r->txn != NULL) {
            mdb_txn_abort(r->txn);
            r->txn = NULL;
        }
    }
    return busy;
}

bool readers_shut(struct readers *rs)
{
    static const struct timespec pause = {.tv_nsec = 1000000};

    atomic_store(&rs->shut, true);
    for (int tries = 0; tries < SHUT_TRIES; tries++) {
        if (seize(rs) == 0)
            return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

void readers_open(struct readers *rs)
{
    for (unsigned i = 0; i < READERS_MAX; i++) {
        if (rs->held[i])
            give_back(&rs->pool[i]);
        rs->held[i] = false;
    }
    atomic_store(&rs->shut, false);
}
