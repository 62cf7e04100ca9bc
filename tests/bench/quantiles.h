/* How long something took, many times, in nanoseconds. */
#ifndef QUANTILES_H
#define QUANTILES_H

#include <stddef.h>
#include <stdint.h>

struct quantiles {
    uint32_t *ns;
    size_t count, room;
};

struct quantiles_report {
    double median, p99, p999, max;
};

/* Ends the program when out of memory. */
void quantiles_init(struct quantiles *q, size_t room);
void quantiles_free(struct quantiles *q);

/* More than there is room for is not counted. */
void quantiles_add(struct quantiles *q, uint64_t ns);

/* Sorts, and forgets all. There was at least one. */
struct quantiles_report quantiles_take(struct quantiles *q);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

#endif
