/* Whom a load asks about: made before it begins, so that making them costs it nothing. */
#ifndef RECIPIENTS_H
#define RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "population.h"

#define RECIPIENTS_OPTIONS "us:p:f:d:"
#define RECIPIENTS_USAGE \
    "  -p POPULATION          recipients of a store that was filled with so many: at random, of\n" \
    "                         whom something is known for a day at least\n" \
    "  -f FORMAT -d DOMAINS   made of a number and that number modulo DOMAINS, at each %%u:\n" \
    "                         \"u%%u@d%%u.example\"\n" \
    "  -u                     each once, in order, beginning with\n" \
    "  -s START               this number\n"

struct recipients {
    struct population people; /* count 0: by the format */
    const char *format;
    uint64_t domains, start;
    bool once;

    /* What was made. */
    char *text;
    uint32_t *at; /* where in the text each one begins */
    size_t count;
};

/* False for a value that cannot be. `option` is one of RECIPIENTS_OPTIONS, or unknown: false. */
bool recipients_option(struct recipients *r, int option, const char *value);

/* Whether the options say whom to ask about. */
bool recipients_usable(const struct recipients *r);

/* Makes so many; fewer where they may be repeated. Ends the program on an error. */
void recipients_make(struct recipients *r, uint64_t wanted);
void recipients_free(struct recipients *r);

/* Of the question with this number; internal form. */
const char *recipients_at(const struct recipients *r, uint64_t number);

#endif
