#include "quantiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void quantiles_init(struct quantiles *q, size_t room)
{
    *q = (struct quantiles){.ns = calloc(room, sizeof(*q->ns)), .room = room};
    if (q->ns != NULL)
        return;
    fprintf(stderr, "out of memory\n");
    exit(EXIT_FAILURE);
}

void quantiles_free(struct quantiles *q)
{
    free(q->ns);
    *q = (struct quantiles){.ns = NULL};
}

void quantiles_add(struct quantiles *q, uint64_t ns)
{
    if (q->count < q->room)
        q->ns[q->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double at(const struct quantiles *q, double share)
{
    return (double)q->ns[(size_t)(share * (double)(q->count - 1))];
}

struct quantiles_report quantiles_take(struct quantiles *q)
{
    struct quantiles_report r;

    qsort(q->ns, q->count, sizeof(*q->ns), compare);
    r = (struct quantiles_report){at(q, 0.5), at(q, 0.95), at(q, 0.99), at(q, 0.999), at(q, 1.0)};
    q->count = 0;
    return r;
}

void quantiles_print(struct quantiles *q, uint64_t elapsed_ns)
{
    quantiles_print_more(q, elapsed_ns, "");
}

void quantiles_print_more(struct quantiles *q, uint64_t elapsed_ns, const char *members)
{
    size_t count = q->count;
    struct quantiles_report r = quantiles_take(q);

    printf("{\"count\": %zu, \"seconds\": %.9f, \"p50\": %.0f, \"p95\": %.0f, \"p99\": %.0f, "
           "\"p999\": %.0f, \"max\": %.0f%s}\n",
           count, (double)elapsed_ns / 1e9, r.median, r.p95, r.p99, r.p999, r.max, members);
}

uint64_t now_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
