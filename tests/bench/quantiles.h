/* How long something took, many times, in nanoseconds. */
#ifndef QUANTILES_H
#define QUANTILES_H

#include <stddef.h>
#include <stdint.h>

struct quantiles {
    uint64_t *ns;
    size_t count, room;
};

struct quantiles_report {
    double median, p95, p99, p999, max;
};

/* Ends the program when out of memory. */
void quantiles_init(struct quantiles *q, size_t room);
void quantiles_free(struct quantiles *q);

/* More than there is room for is not counted. */
void quantiles_add(struct quantiles *q, uint64_t ns);

/* Sorts, and forgets all. There was at least one. */
struct quantiles_report quantiles_take(struct quantiles *q);

/* What a load has to say at its end, on one line of standard output, for lab.py: how often it did
   what it does, in how many seconds, and how long each took. Forgets all. */
void quantiles_print(struct quantiles *q, uint64_t elapsed_ns);

/* The same with further members: ", \"name\": value…". */
void quantiles_print_more(struct quantiles *q, uint64_t elapsed_ns, const char *members);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

#endif
