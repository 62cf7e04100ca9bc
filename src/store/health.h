/*
 * What the store says of its own troubles: one line a minute tells as much as thousands, and they
 * come in thousands.
 *
 * Threads: any.
 */
#ifndef STORE_HEALTH_H
#define STORE_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "store/envelope.h"

struct health {
    const char *path; /* of the data file; borrowed */
    struct log_ratelimit faults, damage;
    _Atomic bool failing;
    pthread_mutex_t lock; /* guards what follows */
    int64_t since;        /* seconds since the epoch */
    uint64_t lost;        /* changes of this spell */
    bool told;            /* the log has a line of this spell */
    char why[128];
};

/* `h` is all zero. */
void health_init(struct health *h, const char *path);
void health_destroy(struct health *h);

/* Reading failed, or queueing. */
void health_report(struct health *h, const char *what, const char *why);

/* A value is no data. */
void health_damage(struct health *h, struct bytes key, const char *why);

/* Writing failed, with `lost` changes, and why (NULL: still for the same reason); and worked. */
void health_failed(struct health *h, const char *why, uint64_t lost);
void health_worked(struct health *h);

/* As store_failing(); `text` may be NULL. */
bool health_failing(struct health *h, char *text, size_t size);

#endif
