#include "callout/made_up.h"

#include "base/str.h"

#define COUNT_OF(a) ((uint32_t)(sizeof(a) / sizeof((a)[0])))

static const char *const given_names[] = {
    "anna",  "daniel", "elena", "felix", "hanna", "irene",  "jonas", "karin", "laura", "marco",
    "maria", "martin", "nadia", "oscar", "paula", "robert", "sara",  "simon", "tomas", "vera",
};

static const char *const syllables[] = {
    "ba",  "bren", "cor", "da",  "del", "fen", "gar", "hol", "jan", "kas", "ker",
    "lan", "lom",  "mar", "mi",  "nor", "or",  "pel", "ra",  "ros", "sal", "ser",
    "tam", "tor",  "ul",  "van", "ve",  "vik", "wes", "yor", "zan", "zel",
};

static const char *const endings[] = {
    "ski", "sen", "mann", "ova", "etti", "ides", "quist", "berg", "dale", "ez", "ic", "ley",
};

static const char *pick(const char *const *list, uint32_t count, made_up_random random)
{
    return list[random(count)];
}

/* Four hundred thousand of them, and hardly one of them anybody's. */
static void surname(made_up_random random, char out[32])
{
    const char *parts[3];

    for (int i = 0; i < 3; i++)
        parts[i] = pick(syllables, COUNT_OF(syllables), random);
    (void)str_format(out, 32, "%s%s%s%s", parts[0], parts[1], parts[2],
                     pick(endings, COUNT_OF(endings), random));
}

void made_up_local(unsigned number, made_up_random random, char out[MADE_UP_SIZE])
{
    const char *given = pick(given_names, COUNT_OF(given_names), random);
    char family[32];

    surname(random, family);
    if (number % 2 == 0)
        (void)str_format(out, MADE_UP_SIZE, "%c%s%u", given[0], family,
                         (unsigned)(100 + random(9900)));
    else
        (void)str_format(out, MADE_UP_SIZE, "%s.%s", given, family);
}
