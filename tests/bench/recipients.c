#include "recipients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define REPEATED 500000 /* made at most where each may come again */

static void fail(const char *why)
{
    fprintf(stderr, "recipients: %s\n", why);
    exit(EXIT_FAILURE);
}

static bool read_number(const char *text, uint64_t *out)
{
    *out = 0;
    return strcmp(text, "0") == 0 || population_count(text, out);
}

bool recipients_option(struct recipients *r, int option, const char *value)
{
    if (option == 'p')
        return population_count(value, &r->people.count);
    if (option == 'd')
        return population_count(value, &r->domains);
    if (option == 's')
        return read_number(value, &r->start);
    if (option == 'f')
        r->format = value;
    else if (option == 'u')
        r->once = true;
    else
        return false;
    return true;
}

bool recipients_usable(const struct recipients *r)
{
    return (r->format != NULL) != (r->people.count > 0);
}

/* Like bench_pick: at random, and the same in each run. */
static uint64_t pick(const struct recipients *r, uint64_t *random)
{
    uint64_t number;

    do
        number = population_random((*random)++, 8) % r->people.count;
    while (!population_lasts(number));
    return number;
}

static void from_population(const struct recipients *r, uint64_t number,
                            char out[ADDRESS_TEXT_SIZE])
{
    struct address a;

    population_address(&r->people, number, &a);
    address_format(&a, out);
}

/* The number in place of the first %u, the domain's in place of the second. */
static void from_format(const struct recipients *r, uint64_t number, char out[ADDRESS_TEXT_SIZE])
{
    uint64_t values[] = {number, number % r->domains};
    size_t len = 0, used = 0;

    for (const char *p = r->format; *p != '\0' && len < ADDRESS_TEXT_SIZE; p++) {
        if (p[0] == '%' && p[1] == 'u' && used < sizeof(values) / sizeof(values[0])) {
            (void)str_format(out + len, ADDRESS_TEXT_SIZE - len, "%llu",
                             (unsigned long long)values[used++]);
            len += strlen(out + len);
            p++;
        } else {
            out[len++] = *p;
        }
    }
    if (len >= ADDRESS_TEXT_SIZE)
        fail("the format is too long");
    out[len] = '\0';
}

void recipients_make(struct recipients *r, uint64_t wanted)
{
    uint64_t random = r->start;
    size_t room = 0, used = 0;
    char one[ADDRESS_TEXT_SIZE];

    r->count = !r->once && wanted > REPEATED ? REPEATED : wanted;
    r->at = calloc(r->count, sizeof(*r->at));
    for (size_t i = 0; i < r->count && r->at != NULL; i++) {
        if (r->format != NULL)
            from_format(r, r->start + i, one);
        else
            from_population(r, r->once ? r->start + i : pick(r, &random), one);
        if (room - used < sizeof(one)) {
            room += room + sizeof(one);
            r->text = realloc(r->text, room);
        }
        if (r->text == NULL || used > UINT32_MAX)
            fail("too many");
        r->at[i] = (uint32_t)used;
        (void)str_copy(r->text + used, sizeof(one), one);
        used += strlen(one) + 1;
    }
    if (r->at == NULL)
        fail("too many");
}

void recipients_free(struct recipients *r)
{
    free(r->text);
    free(r->at);
    r->text = NULL;
    r->at = NULL;
}

const char *recipients_at(const struct recipients *r, uint64_t number)
{
    return r->text + r->at[number % r->count];
}
