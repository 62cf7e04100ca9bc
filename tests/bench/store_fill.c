/*
 * Fills a store with made-up recipients, through the store's own door: what is put there is as the
 * daemon puts it.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/address_store.h"
#include "population.h"

#define WAITING_MAX 16384 /* of the longest records these fill the store's queue */
#define COMMIT_MS   1000
#define COMMIT_MAX  8192
#define STORE_BYTES (UINT64_C(64) << 30)

/* Numbers that are no recipients' of -n, so that what has expired comes on top. */
#define EXPIRED_FROM UINT64_C(1000000000000)

struct filling {
    struct store *store;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t less;
    unsigned waiting;
    uint64_t failed;
};

struct job {
    struct population people;
    uint64_t from;   /* number of the first one */
    int64_t expires; /* 0: as usual */
};

static void note_done(void *arg, bool committed)
{
    struct filling *f = arg;

    pthread_mutex_lock(&f->lock);
    f->failed += !committed;
    if (f->waiting-- == WAITING_MAX)
        pthread_cond_signal(&f->less);
    pthread_mutex_unlock(&f->lock);
}

static void await_turn(struct filling *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->waiting == WAITING_MAX)
        pthread_cond_wait(&f->less, &f->lock);
    f->waiting++;
    pthread_mutex_unlock(&f->lock);
}

static void fill(struct filling *f, const struct job *j)
{
    int64_t began = clock_mono_ms(), now = clock_wall();
    struct address a;
    struct record r;

    for (uint64_t i = 0; i < j->people.count; i++) {
        population_address(&j->people, j->from + i, &a);
        population_record(j->from + i, &a, now, j->expires, &r);
        await_turn(f);
        if (!address_store_put(f->store, &a, false, &r, note_done, f))
            note_done(f, false);
        if ((i + 1) % 1000000 == 0)
            fprintf(stderr, "%llu put, %.1f s\n", (unsigned long long)(i + 1),
                    (double)(clock_mono_ms() - began) / 1000);
    }
    store_flush(f->store);
}

static int usage(const char *name)
{
    fprintf(
        stderr,
        "usage: %s -d DIR [-n COUNT [--from NUMBER]] [--domain NAME:COUNT] [--expired "
        "COUNT[:SECONDS]]\n"
        "  -n                    recipients of many domains (10k, 10m)\n"
        "  --from NUMBER         of these, the ones from there on: the others are in it already\n"
        "  --domain NAME:COUNT   recipients of one domain\n"
        "  --expired COUNT[:SECONDS]\n"
        "                        more of many domains, that expire together, so many seconds\n"
        "                        from now; without: that have expired long ago\n",
        name);
    return EXIT_FAILURE;
}

/* "NAME:COUNT"; cuts `text`. */
static bool read_domain(char *text, struct job *j)
{
    char *colon = strrchr(text, ':');

    if (colon == NULL || colon == text)
        return false;
    *colon = '\0';
    j->people.domain = text;
    return population_count(colon + 1, &j->people.count);
}

/* "COUNT[:SECONDS]"; cuts `text`. */
static bool read_expired(char *text, struct job *j)
{
    char *colon = strchr(text, ':');
    uint64_t seconds;

    j->from = EXPIRED_FROM;
    j->expires = 1;
    if (colon != NULL) {
        *colon = '\0';
        if (!population_count(colon + 1, &seconds) || seconds > INT32_MAX)
            return false;
        j->expires = clock_wall() + (int64_t)seconds;
    }
    return population_count(text, &j->people.count);
}

enum { MANY, DOMAIN, EXPIRED, JOB_COUNT };

static bool read_options(int argc, char **argv, struct store_opts *opts, struct job jobs[JOB_COUNT])
{
    static const struct option longs[] = {{"domain", required_argument, NULL, 'D'},
                                          {"expired", required_argument, NULL, 'E'},
                                          {"from", required_argument, NULL, 'F'},
                                          {NULL, 0, NULL, 0}};
    bool ok = true;
    int c;

    while (ok && (c = getopt_long(argc, argv, "d:n:", longs, NULL)) != -1) {
        if (c == 'd')
            ok = str_copy(opts->dir, sizeof(opts->dir), optarg);
        else if (c == 'n')
            ok = population_count(optarg, &jobs[MANY].people.count);
        else if (c == 'F')
            ok = population_count(optarg, &jobs[MANY].from);
        else if (c == 'D')
            ok = read_domain(optarg, &jobs[DOMAIN]);
        else
            ok = c == 'E' && read_expired(optarg, &jobs[EXPIRED]);
    }
    if (jobs[MANY].people.count < jobs[MANY].from)
        return false;
    jobs[MANY].people.count -= jobs[MANY].from;
    return ok && opts->dir[0] != '\0' && optind == argc;
}

int main(int argc, char **argv)
{
    struct store_opts opts = {
        .size = STORE_BYTES, .commit_ms = COMMIT_MS, .commit_max = COMMIT_MAX};
    struct filling f = {.lock = PTHREAD_MUTEX_INITIALIZER, .less = PTHREAD_COND_INITIALIZER};
    struct job jobs[JOB_COUNT] = {{.from = 0}};
    struct error err;

    if (!read_options(argc, argv, &opts, jobs))
        return usage(argv[0]);
    if (!store_open(&f.store, &opts, NULL, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < JOB_COUNT; i++)
        fill(&f, &jobs[i]);
    store_close(&f.store);
    if (f.failed > 0)
        fprintf(stderr, "%llu were not kept\n", (unsigned long long)f.failed);
    return f.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
