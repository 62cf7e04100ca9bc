/* callout/outage: what is out, who is to blame, who may try; with the time handed in. */
#include <check.h>
#include <string.h>

#include "callout/outage.h"
#include "suite.h"

static struct outage net, dns;

static void setup(void)
{
    outage_init(&net, OUTAGE_NETWORK);
    outage_init(&dns, OUTAGE_DNS);
}

static bool came_to_nothing(struct outage *o, uint64_t who, int64_t at)
{
    return outage_failed(o, who, at, SMTP_FAILURE_TIMEOUT, "timed out", at + 10);
}

/* Out since `at` + 10. */
static void break_it(struct outage *o, int64_t at)
{
    for (uint64_t who = 1; who < OUTAGE_DISTINCT; who++)
        ck_assert(!came_to_nothing(o, who, at));
    ck_assert(came_to_nothing(o, OUTAGE_DISTINCT, at));
}

/* One that is dead a day, among answers from the store: nothing is out. */
START_TEST(seldom_is_no_outage)
{
    for (uint64_t who = 1; who <= OUTAGE_DISTINCT; who++)
        ck_assert(!came_to_nothing(&net, who, (int64_t)who * 86400000));
}
END_TEST

START_TEST(begins_well)
{
    char text[200] = "x";

    ck_assert(!net.out && !dns.out);
    ck_assert(net.worked_at == INT64_MIN);
    ck_assert_int_eq(dns.kind, OUTAGE_DNS);
    ck_assert(!outage_tell(&net, 2000, text, sizeof(text)));
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(so_many_in_a_row_are_an_outage)
{
    break_it(&net, 1000);
    ck_assert(net.out);
    ck_assert(net.since == 1010);
}
END_TEST

/* One that is down does not get more so by being asked for often. */
START_TEST(each_counts_once)
{
    for (int i = 0; i < 100; i++)
        ck_assert(!came_to_nothing(&net, 7, 1000 + i));
    for (uint64_t who = 1; who < OUTAGE_DISTINCT - 1; who++)
        ck_assert(!came_to_nothing(&net, who, 2000));
    ck_assert(!came_to_nothing(&net, 7, 2000));
    ck_assert(came_to_nothing(&net, 99, 2000));
}
END_TEST

START_TEST(a_success_between_begins_the_row_anew)
{
    for (uint64_t who = 1; who < OUTAGE_DISTINCT; who++)
        ck_assert(!came_to_nothing(&net, who, 1000));
    ck_assert(!outage_worked(&net, 1500));
    break_it(&net, 1500 + OUTAGE_QUIET_MS);
}
END_TEST

START_TEST(what_began_before_a_success_is_no_news)
{
    outage_worked(&net, 5000);
    for (uint64_t who = 1; who < 100; who++)
        ck_assert(!outage_failed(&net, who, 4999, SMTP_FAILURE_REFUSED, "old", 5000));
    ck_assert_uint_eq(net.failed_count, 0);
    ck_assert_str_eq(net.detail, "");
    break_it(&net, 5000 + OUTAGE_QUIET_MS);
}
END_TEST

/* Then it is the first one that fails later. */
START_TEST(a_row_right_behind_a_success_is_none_yet)
{
    outage_worked(&net, 5000);
    for (uint64_t who = 1; who < 100; who++)
        ck_assert(!came_to_nothing(&net, who, 5001));
    ck_assert(!net.out && outage_caught(&net, 5001, 2000));
    ck_assert(!came_to_nothing(&net, 100, 5000 + OUTAGE_QUIET_MS - 11));
    ck_assert(came_to_nothing(&net, 100, 5000 + OUTAGE_QUIET_MS - 10));
}
END_TEST

START_TEST(it_is_found_once)
{
    break_it(&net, 1000);
    for (uint64_t who = 1; who < 50; who++)
        ck_assert(!came_to_nothing(&net, who, 2000));
    ck_assert(net.out && net.since == 1010);
}
END_TEST

START_TEST(the_first_success_ends_it)
{
    break_it(&net, 1000);
    ck_assert(outage_worked(&net, 2000));
    ck_assert(!net.out);
    ck_assert(!outage_worked(&net, 2001));
    ck_assert(net.worked_at == 2001);
    break_it(&net, 6000);
    ck_assert(net.since == 6010);
}
END_TEST

START_TEST(they_are_blamed_only_if_it_worked_meanwhile)
{
    ck_assert(!outage_blames_them(&net, 1000, 1002));
    outage_worked(&net, 2000);
    ck_assert(outage_blames_them(&net, 1999, 2000));
    ck_assert(!outage_blames_them(&net, 2000, 2000));
    ck_assert(!outage_blames_them(&net, 2000, 2001));
    ck_assert(!outage_blames_them(&net, 3000, 3001));
}
END_TEST

/* It may have ended right behind that success. */
START_TEST(that_it_worked_at_first_proves_nothing)
{
    outage_worked(&net, 2000);
    ck_assert(outage_blames_them(&net, 1000, 2999));
    ck_assert(!outage_blames_them(&net, 1000, 3000));
    ck_assert(!outage_blames_them(&net, 1990, 11990));
}
END_TEST

START_TEST(who_was_caught_by_an_outage_is_not_blamed)
{
    ck_assert(!outage_caught(&net, 0, 2000));
    outage_worked(&net, 500);
    ck_assert(!outage_caught(&net, 0, 2000));
    break_it(&net, 4000);
    ck_assert(outage_caught(&net, 4500, 2000));
    ck_assert(outage_worked(&net, 5000));
    ck_assert(outage_caught(&net, 4999, 2000) && !outage_caught(&net, 5000, 2000));
    ck_assert(!outage_worked(&net, 6000));
    ck_assert(!outage_blames_them(&net, 4999, 6001));
    ck_assert(outage_blames_them(&net, 5000, 6001));
    for (uint64_t who = 1; who < 100; who++)
        ck_assert(!outage_failed(&net, who, 4999, SMTP_FAILURE_TIMEOUT, "caught", 20000));
    ck_assert_uint_eq(net.failed_count, 0);
}
END_TEST

START_TEST(all_may_try_while_it_is_well)
{
    bool trial;

    for (int i = 0; i < 100; i++) {
        trial = true;
        ck_assert(outage_admit(&net, 2000, &trial));
        ck_assert(!trial);
    }
}
END_TEST

START_TEST(few_may_try_while_it_is_out)
{
    bool trial;

    break_it(&net, 1000);
    for (int i = 0; i < OUTAGE_TRIALS; i++) {
        trial = false;
        ck_assert(outage_admit(&net, 2000, &trial));
        ck_assert(trial);
    }
    ck_assert(!outage_admit(&net, 2000, &trial));
    ck_assert(!trial);
    outage_trial_over(&net);
    ck_assert(outage_admit(&net, 2000, &trial) && trial);
    ck_assert(!outage_admit(&net, 2000, &trial));
}
END_TEST

/* Trials of an outage that is over are still under way when the next one is found. */
START_TEST(trials_outlive_their_outage)
{
    bool trial;

    break_it(&net, 1000);
    for (int i = 0; i < OUTAGE_TRIALS; i++)
        ck_assert(outage_admit(&net, 2000, &trial));
    outage_worked(&net, 2000);
    ck_assert(outage_admit(&net, 2000, &trial) && !trial);
    break_it(&net, 6000);
    ck_assert(!outage_admit(&net, 2000, &trial));
    outage_trial_over(&net);
    ck_assert(outage_admit(&net, 2000, &trial) && trial);
}
END_TEST

START_TEST(told_with_the_last_failure)
{
    char text[200];

    break_it(&net, 1000);
    ck_assert(outage_tell(&net, 2000, text, sizeof(text)));
    ck_assert_str_eq(text, "no connection to anybody: timeout: timed out");
    ck_assert(!outage_failed(&net, 1, 2000, SMTP_FAILURE_UNREACHABLE, "", 2000));
    ck_assert(outage_tell(&net, 2000, text, sizeof(text)));
    ck_assert_str_eq(text, "no connection to anybody: unreachable");
    break_it(&dns, 1000);
    ck_assert(!outage_failed(&dns, 1, 2000, SMTP_FAILURE_NONE, "SERVFAIL", 2000));
    ck_assert(outage_tell(&dns, 2000, text, sizeof(text)));
    ck_assert_str_eq(text, "no DNS answer about anybody: SERVFAIL");
    ck_assert(!outage_failed(&dns, 1, 2000, SMTP_FAILURE_NONE, "", 2000));
    ck_assert(outage_tell(&dns, 2000, text, sizeof(text)));
    ck_assert_str_eq(text, "no DNS answer about anybody");
    outage_worked(&dns, 3000);
    ck_assert(!outage_tell(&dns, 2000, text, sizeof(text)));
}
END_TEST

START_TEST(told_in_one_printable_line)
{
    char text[200], small[8], detail[400];

    memset(detail, '\n', sizeof(detail) - 1);
    detail[sizeof(detail) - 1] = '\0';
    detail[0] = '\x1b';
    break_it(&net, 1000);
    outage_failed(&net, 1, 2000, SMTP_FAILURE_REFUSED, detail, 2000);
    ck_assert(outage_tell(&net, 2000, text, sizeof(text)));
    for (const char *p = text; *p != '\0'; p++)
        ck_assert(*p >= ' ' && *p <= '~');
    ck_assert(outage_tell(&net, 2000, small, sizeof(small)));
    ck_assert_uint_eq(strlen(small), sizeof(small) - 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("outage");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, seldom_is_no_outage);
    tcase_add_test(t, begins_well);
    tcase_add_test(t, so_many_in_a_row_are_an_outage);
    tcase_add_test(t, each_counts_once);
    tcase_add_test(t, a_success_between_begins_the_row_anew);
    tcase_add_test(t, what_began_before_a_success_is_no_news);
    tcase_add_test(t, a_row_right_behind_a_success_is_none_yet);
    tcase_add_test(t, it_is_found_once);
    tcase_add_test(t, the_first_success_ends_it);
    tcase_add_test(t, they_are_blamed_only_if_it_worked_meanwhile);
    tcase_add_test(t, that_it_worked_at_first_proves_nothing);
    tcase_add_test(t, who_was_caught_by_an_outage_is_not_blamed);
    tcase_add_test(t, all_may_try_while_it_is_well);
    tcase_add_test(t, few_may_try_while_it_is_out);
    tcase_add_test(t, trials_outlive_their_outage);
    tcase_add_test(t, told_with_the_last_failure);
    tcase_add_test(t, told_in_one_printable_line);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
