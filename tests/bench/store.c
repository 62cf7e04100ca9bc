/*
 * Measures the store: looking up in a big one against a small one, its size, opening it, sweeping
 * and forgetting. The stores are store_fill's.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "bench_door.h"
#include "bench_store.h"
#include "quantiles.h"

#define ROUNDS    7
#define LOOKUPS   200000 /* in a round */
#define SAMPLES   20000000
#define QUIET_S   10 /* asked for comparison, */
#define SORTING_S 5  /* and evaluated */

typedef uint64_t (*looking)(void *subject);

/*
 * compare: rounds in turn, so that what disturbs one store disturbs the other; of the rounds'
 * figures the middle one.
 */

static struct quantiles_report one_round(void *b, looking look, struct quantiles *q)
{
    for (size_t i = 0; i < q->room / 10; i++)
        (void)look(b); /* the processor's caches were the other store's */
    for (size_t i = 0; i < q->room; i++)
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

static void compare_by(const char *what, looking look, void *small, void *big, size_t lookups)
{
    struct quantiles_report of_small[ROUNDS], of_big[ROUNDS];
    struct quantiles q;

    quantiles_init(&q, lookups);
    for (int i = 0; i < ROUNDS; i++) {
        of_small[i] = one_round(small, look, &q);
        of_big[i] = one_round(big, look, &q);
    }
    quantiles_free(&q);
    print_ratios(what, of_small, of_big);
    print_quantiles("", "small", of_small);
    print_quantiles("", "big", of_big);
}

static void compare_decisions(struct bench_store *small, struct bench_store *big, size_t lookups)
{
    struct bench_door at_small, at_big;

    bench_door_open(&at_small, small);
    bench_door_open(&at_big, big);
    compare_by("decision", bench_decide, &at_small, &at_big, lookups);
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

/* Lines of the log are written, but to nowhere, and by who asks: a thread of the log's own would
   have to be woken for some of them. */
static void hide_log(void)
{
    if (freopen("/dev/null", "w", stderr) == NULL) {
        printf("/dev/null cannot be opened\n");
        exit(EXIT_FAILURE);
    }
}

static int compare(struct bench_store *small, struct bench_store *big, size_t lookups)
{
    hide_log();
    open_warm(small);
    open_warm(big);
    printf("%-17s %9s %9s %9s\n", "", "median", "p99", "p99.9");
    compare_decisions(small, big, lookups);
    compare_by("question", bench_ask, small, big, lookups);
    compare_by("store_get", bench_get, small, big, lookups);
    bench_close(small);
    bench_close(big);
    bench_open_raw(small);
    bench_open_raw(big);
    compare_by("mdb_get", bench_get_raw, small, big, lookups);
    bench_close_raw(small);
    bench_close_raw(big);
    return EXIT_SUCCESS;
}

/*
 * get: what LMDB alone takes, told as a load does (lab.py)
 */

static int get(struct bench_store *b)
{
    struct quantiles q;
    uint64_t total = 0;

    bench_open_raw(b);
    quantiles_init(&q, LOOKUPS);
    for (int i = 0; i < LOOKUPS; i++)
        (void)bench_get_raw(b);
    for (int i = 0; i < LOOKUPS; i++) {
        uint64_t ns = bench_get_raw(b);

        total += ns;
        quantiles_add(&q, ns);
    }
    bench_close_raw(b);
    quantiles_print(&q, total);
    quantiles_free(&q);
    return EXIT_SUCCESS;
}

/*
 * sweep: one thread asks all the time, while what expires together is swept
 */

struct asking {
    struct bench_store *store;
    atomic_bool ends;
    struct quantiles q;
    unsigned preempted; /* not counted there: somebody else had the processor in between */
};

static long preemptions(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_THREAD, &u);
    return u.ru_nivcsw;
}

static void *ask_on(void *arg)
{
    struct asking *a = arg;

    while (!atomic_load(&a->ends)) {
        long before = preemptions();
        uint64_t ns = bench_ask(a->store);

        if (preemptions() == before)
            quantiles_add(&a->q, ns);
        else
            a->preempted++;
    }
    return NULL;
}

static struct store_report report(struct bench_store *b)
{
    struct store_report r;

    if (!store_report(b->store, &r)) {
        printf("%s: no report\n", b->dir);
        exit(EXIT_FAILURE);
    }
    return r;
}

static void start_asking(struct asking *a, struct bench_store *b, pthread_t *thread)
{
    *a = (struct asking){.store = b};
    quantiles_init(&a->q, SAMPLES);
    if (thread_start(thread, ask_on, a) != 0) {
        printf("no thread\n");
        exit(EXIT_FAILURE);
    }
}

static void stop_asking(struct asking *a, pthread_t thread, const char *what, double seconds)
{
    size_t count;
    struct quantiles_report r;

    atomic_store(&a->ends, true);
    (void)pthread_join(thread, NULL);
    count = a->q.count;
    r = quantiles_take(&a->q);
    quantiles_free(&a->q);
    printf("%s: %.2f s; meanwhile %zu questions: median %.0f ns, p99 %.0f ns, p99.9 %.0f ns, "
           "longest %.3f ms; not counted: %u preempted\n",
           what, seconds, count, r.median, r.p99, r.p999, r.max / 1e6, a->preempted);
}

static void pause_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&ts, NULL);
}

static void await(int64_t at)
{
    while (clock_wall() < at)
        pause_ms(10);
}

static int sweep(struct bench_store *b, uint64_t expired, int64_t at)
{
    struct store_report before;
    struct asking a;
    pthread_t thread;
    uint64_t began;

    open_warm(b);
    before = report(b);
    if (clock_wall() + QUIET_S + SORTING_S > at) {
        printf("they have expired already: fill the store with more time\n");
        return EXIT_FAILURE;
    }
    await(at - QUIET_S - SORTING_S);
    start_asking(&a, b, &thread);
    await(at - SORTING_S);
    stop_asking(&a, thread, "before the sweep", QUIET_S);
    start_asking(&a, b, &thread);
    await(at);
    began = now_ns();
    while (report(b).swept < before.swept + expired)
        pause_ms(100);
    stop_asking(&a, thread, "sweep", (double)(now_ns() - began) / 1e9);
    bench_close(b);
    return EXIT_SUCCESS;
}

/*
 * forget: all of one domain
 */

static int forget(struct bench_store *b, const char *domain)
{
    struct asking a;
    pthread_t thread;
    uint64_t began, count = 0;

    open_warm(b);
    start_asking(&a, b, &thread);
    began = now_ns();
    if (!store_forget(b->store, STORE_TABLE_ADDRESS, domain, strlen(domain) + 1, &count, NULL,
                      NULL)) {
        printf("%s: cannot be forgotten\n", domain);
        return EXIT_FAILURE;
    }
    store_flush(b->store);
    began = now_ns() - began;
    printf("%s: forgot %llu\n", domain, (unsigned long long)count);
    stop_asking(&a, thread, "forget", (double)began / 1e9);
    bench_close(b);
    return EXIT_SUCCESS;
}

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s compare DIR COUNT DIR COUNT [LOOKUPS]   a small store and a big one\n"
            "       %s get DIR COUNT                  mdb_get alone\n"
            "       %s sweep DIR COUNT EXPIRED AT     so many expire at once, at this second\n"
            "       %s forget DIR COUNT DOMAIN\n",
            name, name, name, name);
    return EXIT_FAILURE;
}

/* Of "DIR COUNT". */
static bool read_store(char **argv, struct bench_store *out)
{
    *out = (struct bench_store){.dir = argv[0]};
    return population_count(argv[1], &out->people.count);
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";
    struct bench_store store, big;
    uint64_t count, at, lookups = LOOKUPS;

    if (argc < 4 || !read_store(argv + 2, &store))
        return usage(argv[0]);
    if (strcmp(what, "compare") == 0 && (argc == 6 || argc == 7) && read_store(argv + 4, &big) &&
        (argc == 6 || population_count(argv[6], &lookups)))
        return compare(&store, &big, lookups);
    if (strcmp(what, "get") == 0 && argc == 4)
        return get(&store);
    if (strcmp(what, "sweep") == 0 && argc == 6 && population_count(argv[4], &count) &&
        population_count(argv[5], &at))
        return sweep(&store, count, (int64_t)at);
    if (strcmp(what, "forget") == 0 && argc == 5)
        return forget(&store, argv[4]);
    return usage(argv[0]);
}
