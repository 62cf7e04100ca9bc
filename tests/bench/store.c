/*
 * Measures the store: looking up in a big one against a small one, its size, opening it, sweeping
 * and forgetting. The stores are store_fill's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "bench_door.h"
#include "bench_store.h"
#include "quantiles.h"

#define ROUNDS  7
#define LOOKUPS 200000 /* in a round */
#define SAMPLES 50000000

typedef uint64_t (*looking)(void *subject);

/*
 * compare: rounds in turn, so that what disturbs one store disturbs the other; of the rounds'
 * figures the middle one.
 */

static struct quantiles_report one_round(void *b, looking look, struct quantiles *q)
{
    for (int i = 0; i < LOOKUPS / 10; i++)
        (void)look(b); /* the processor's caches were the other store's */
    for (int i = 0; i < LOOKUPS; i++)
        quantiles_add(q, look(b));
    return quantiles_take(q);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double middle(const struct quantiles_report *rounds, size_t offset)
{
    double values[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        memcpy(&values[i], (const char *)&rounds[i] + offset, sizeof(values[i]));
    qsort(values, ROUNDS, sizeof(values[0]), by_value);
    return values[ROUNDS / 2];
}

#define MIDDLE(rounds, member) middle(rounds, offsetof(struct quantiles_report, member))

static void print_quantiles(const char *what, const char *of, const struct quantiles_report *r)
{
    printf("%-10s %-6s %9.0f %9.0f %9.0f   ns\n", what, of, MIDDLE(r, median), MIDDLE(r, p99),
           MIDDLE(r, p999));
}

static void print_ratios(const char *what, const struct quantiles_report *small,
                         const struct quantiles_report *big)
{
    printf("%-10s %-6s %9.2f %9.2f %9.2f\n", what, "ratio",
           MIDDLE(big, median) / MIDDLE(small, median), MIDDLE(big, p99) / MIDDLE(small, p99),
           MIDDLE(big, p999) / MIDDLE(small, p999));
}

static void compare_by(const char *what, looking look, void *small, void *big)
{
    struct quantiles_report of_small[ROUNDS], of_big[ROUNDS];
    struct quantiles q;

    quantiles_init(&q, LOOKUPS);
    for (int i = 0; i < ROUNDS; i++) {
        of_small[i] = one_round(small, look, &q);
        of_big[i] = one_round(big, look, &q);
    }
    quantiles_free(&q);
    print_ratios(what, of_small, of_big);
    print_quantiles("", "small", of_small);
    print_quantiles("", "big", of_big);
}

static void compare_decisions(struct bench_store *small, struct bench_store *big)
{
    struct bench_door at_small, at_big;

    bench_door_open(&at_small, small);
    bench_door_open(&at_big, big);
    compare_by("decision", bench_decide, &at_small, &at_big);
    bench_door_close(&at_small);
    bench_door_close(&at_big);
}

static void open_warm(struct bench_store *b)
{
    uint64_t began = now_ns();
    size_t count;

    bench_open(b);
    began = now_ns() - began;
    count = bench_warm(b);
    printf("%s: %zu recipients, %.0f bytes of file each, opened in %.1f ms\n", b->dir, count,
           (double)bench_file_size(b) / (double)count, (double)began / 1e6);
}

/* The log is written, as it is in the daemon, but to nowhere. */
static void open_log(void)
{
    static const struct log_opts opts = {.target = LOG_TARGET_STDERR, .ident = "bench"};
    struct error err;

    if (freopen("/dev/null", "w", stderr) == NULL || !log_open(&opts, &err)) {
        printf("the log cannot be opened\n");
        exit(EXIT_FAILURE);
    }
}

static int compare(struct bench_store *small, struct bench_store *big)
{
    open_log();
    open_warm(small);
    open_warm(big);
    printf("%-17s %9s %9s %9s\n", "", "median", "p99", "p99.9");
    compare_decisions(small, big);
    compare_by("question", bench_ask, small, big);
    compare_by("store_get", bench_get, small, big);
    bench_close(small);
    bench_close(big);
    bench_open_raw(small);
    bench_open_raw(big);
    compare_by("mdb_get", bench_get_raw, small, big);
    bench_close_raw(small);
    bench_close_raw(big);
    log_close();
    return EXIT_SUCCESS;
}

static int usage(const char *name)
{
    fprintf(stderr, "usage: %s compare DIR COUNT DIR COUNT\n", name);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct bench_store small = {.dir = NULL}, big = {.dir = NULL};

    if (argc == 6 && strcmp(argv[1], "compare") == 0) {
        small.dir = argv[2];
        big.dir = argv[4];
        if (population_count(argv[3], &small.people.count) &&
            population_count(argv[5], &big.people.count))
            return compare(&small, &big);
    }
    return usage(argv[0]);
}
