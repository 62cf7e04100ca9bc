/* callout/made_up: names that look like people's, and are nobody's. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callout/made_up.h"
#include "dice.h"
#include "smtp/address.h"
#include "suite.h"

#define DRAWN 2000

static char drawn[DRAWN][MADE_UP_SIZE];

static struct dice dice;

static uint32_t any(uint32_t bound)
{
    return (uint32_t)dice_throw(&dice, bound);
}

static uint32_t least(uint32_t bound)
{
    ck_assert_uint_ge(bound, 1);
    return 0;
}

static uint32_t most(uint32_t bound)
{
    return bound - 1;
}

static unsigned count(const char *s, int (*is)(int))
{
    unsigned n = 0;

    for (; *s != '\0'; s++)
        n += is((unsigned char)*s) != 0;
    return n;
}

START_TEST(test_looks_like_people)
{
    char local[MADE_UP_SIZE], text[128];
    struct address a;
    const char *why;

    for (unsigned i = 0; i < 200; i++) {
        made_up_local(i, any, local);
        ck_assert_uint_le(strlen(local), 40);
        ck_assert_uint_eq(count(local, islower) + count(local, isdigit) + count(local, ispunct),
                          strlen(local));
        ck_assert_uint_eq(count(local, isdigit) >= 3, i % 2 == 0);
        ck_assert_uint_eq(strchr(local, '.') != NULL, i % 2 == 1);
        snprintf(text, sizeof(text), "%s@example.org", local);
        ck_assert(address_parse(text, strlen(text), &a, &why));
        ck_assert_str_eq(a.canonical, text);
    }
}
END_TEST

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

START_TEST(test_none_twice)
{
    for (unsigned i = 0; i < DRAWN; i++)
        made_up_local(0, any, drawn[i]);
    qsort(drawn, DRAWN, MADE_UP_SIZE, compare);
    for (unsigned i = 1; i < DRAWN; i++)
        ck_assert_str_ne(drawn[i - 1], drawn[i]);
}
END_TEST

START_TEST(test_edges)
{
    char local[MADE_UP_SIZE];

    made_up_local(0, least, local);
    ck_assert_str_eq(local, "abababaski100");
    made_up_local(1, most, local);
    ck_assert_str_eq(local, "vera.zelzelzelley");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("made_up");
    TCase *tc = tcase_create("made_up");

    tcase_add_test(tc, test_looks_like_people);
    tcase_add_test(tc, test_none_twice);
    tcase_add_test(tc, test_edges);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
