/*
 * Made-up recipients by the million, each made from its number: what writes them and what asks for
 * them need to keep none. Few domains have many of them, and many have few.
 */
#ifndef POPULATION_H
#define POPULATION_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/record.h"
#include "smtp/address.h"

struct population {
    uint64_t count;
    const char *domain; /* of all of them; NULL: of many */
};

/* Random, but the same for the same arguments. */
uint64_t population_random(uint64_t number, uint64_t salt);

/* `number` is below the count. No two are the same. */
void population_address(const struct population *p, uint64_t number, struct address *out);

/*
 * What was learned of it at some time before `now` and is not forgotten yet, by the usual
 * lifetimes; with `expires` other than 0, not before then. None is to be refreshed: who is measured
 * asks nobody.
 */
void population_record(uint64_t number, const struct address *a, int64_t now, int64_t expires,
                       struct record *out);

/* Whether what was learned of it is known for a day at least. */
bool population_lasts(uint64_t number);

/* "10k", "1m" and plain digits. False for anything else, or 0. */
bool population_count(const char *text, uint64_t *out);

#endif
