/* dns/rootcheck, and the resolver's word on when it last worked: against a scripted server. */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "dns/resolver.h"
#include "dns/rootcheck.h"
#include "dns_fixture.h"
#include "suite.h"

#define TRY_MS 60 /* where an answer is waited for in vain; else a question is put once */

#define ROOT_NS \
    { \
        .owner = "", .type = RR_NS, .ttl = 300, .data = "a.root-servers.test" \
    }

static struct fixture_rule rules[] = {
    {"a.test", DNS_A, .rrs = {A("a.test", 300, "192.0.2.1")}},
    {"b.test", DNS_A, .rrs = {A("b.test", 300, "192.0.2.2")}},
    {"late.test", DNS_A, .drop = 1, .rrs = {A("late.test", 300, "192.0.2.3")}},
    {"empty.test", DNS_A, .rrs = {SOA("test", 600, 300)}},
    {"fail.test", DNS_A, .rcode = RCODE_SERVFAIL},
    {"refused.test", DNS_A, .rcode = RCODE_REFUSED},
    {"silent.test", DNS_A, .drop = 1000},
    {.name = NULL},
};

static struct loop *loop;
static struct resolver *resolver;
static struct fixture *server; /* has no root: "no" is all it says of it */
static struct fixture *rooted; /* another one, by root_is() */
static struct fixture_rule root[2];
static int try_ms; /* 0: far longer than an answer takes */

static unsigned rule_asked(const char *name)
{
    for (const struct fixture_rule *r = rules; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r->asked;
    ck_abort_msg("no rule %s", name);
    return 0;
}

static void ask_at(const struct fixture *f)
{
    struct resolver_opts opts = fixture_opts(f);

    opts.try_ms = try_ms;
    ck_assert(resolver_reconfigure(resolver, &opts, NULL));
}

static void setup(void)
{
    struct resolver_opts opts;

    loop = loop_new("test");
    ck_assert_ptr_nonnull(loop);
    server = fixture_new(loop, "127.0.0.1", 0, rules);
    opts = fixture_opts(server);
    ck_assert(resolver_new(&resolver, loop, &opts, NULL));
}

static void teardown(void)
{
    resolver_free(&resolver);
    fixture_free(&server);
    fixture_free(&rooted);
    loop_free(&loop);
}

static void try_for(int ms)
{
    try_ms = ms;
    ask_at(server);
}

/* From now on a server is asked that says this of the root. */
static void root_is(struct fixture_rule rule)
{
    root[0] = rule;
    root[0].name = "";
    root[0].type = DNS_NS;
    rooted = fixture_new(loop, "127.0.0.1", 0, root);
    ask_at(rooted);
}

static void on_answer(void *arg, struct dns_answer *answer, uint32_t ttl)
{
    (void)ttl;
    *(enum dns_status *)arg = answer->status;
    event_base_loopbreak(loop_base(loop));
}

static enum dns_status asked(const char *name)
{
    enum dns_status status = DNS_LOCAL;

    ck_assert_ptr_nonnull(resolver_query(resolver, name, DNS_A, on_answer, &status));
    loop_run(loop);
    return status;
}

struct checker {
    struct root_check *check;
    int calls;
    bool knows;
};

static void on_check(void *arg, bool knows)
{
    struct checker *c = arg;

    c->check = NULL;
    c->calls++;
    c->knows = knows;
    event_base_loopbreak(loop_base(loop));
}

static void start(struct checker *c)
{
    *c = (struct checker){.calls = 0};
    c->check = root_check_start(resolver, on_check, c);
    ck_assert_ptr_nonnull(c->check);
    ck_assert_int_eq(c->calls, 0);
}

static bool checked(void)
{
    struct checker c;

    start(&c);
    loop_run(loop);
    ck_assert_int_eq(c.calls, 1);
    return c.knows;
}

static void clock_go_past(int64_t ms)
{
    while (clock_mono_ms() <= ms) {
    }
}

START_TEST(nothing_is_proved_at_first)
{
    ck_assert(resolver_worked_at(resolver) == INT64_MIN);
}
END_TEST

START_TEST(only_records_prove)
{
    try_for(TRY_MS);
    ck_assert_int_eq(asked("fail.test"), DNS_SERVFAIL);
    ck_assert_int_eq(asked("refused.test"), DNS_SERVFAIL);
    ck_assert_int_eq(asked("silent.test"), DNS_TIMEOUT);
    ck_assert_int_eq(asked("no host name"), DNS_NXDOMAIN);
    ck_assert_int_eq(asked("nowhere.test"), DNS_NXDOMAIN);
    ck_assert_int_eq(asked("empty.test"), DNS_NODATA);
    ck_assert(resolver_worked_at(resolver) == INT64_MIN);
}
END_TEST

START_TEST(records_work_and_the_cache_does_not_count)
{
    int64_t before = clock_mono_ms(), at;

    ck_assert_int_eq(asked("a.test"), DNS_OK);
    at = resolver_worked_at(resolver);
    ck_assert(at >= before && at <= clock_mono_ms());
    clock_go_past(at);
    ck_assert_int_eq(asked("a.test"), DNS_OK);
    ck_assert(resolver_worked_at(resolver) == at);
    ck_assert_int_eq(asked("b.test"), DNS_OK);
    ck_assert(resolver_worked_at(resolver) > at);
}
END_TEST

/* Neither what they have said nor what they say later. */
START_TEST(servers_of_before_prove_nothing)
{
    enum dns_status status = DNS_LOCAL;

    try_for(TRY_MS);
    ck_assert_int_eq(asked("a.test"), DNS_OK);
    ck_assert_ptr_nonnull(resolver_query(resolver, "late.test", DNS_A, on_answer, &status));
    root_is((struct fixture_rule){.rrs = {ROOT_NS}});
    ck_assert(resolver_worked_at(resolver) == INT64_MIN);
    loop_run(loop);
    ck_assert_int_eq(status, DNS_OK);
    ck_assert(resolver_worked_at(resolver) == INT64_MIN);
}
END_TEST

START_TEST(forgotten_is_asked_again)
{
    enum dns_status status = DNS_LOCAL;

    ck_assert_int_eq(asked("a.test"), DNS_OK);
    ck_assert_int_eq(asked("a.test"), DNS_OK);
    ck_assert_uint_eq(rule_asked("a.test"), 1);
    resolver_forget(resolver);
    clock_go_past(clock_mono_ms());
    ck_assert_int_eq(asked("a.test"), DNS_OK);
    ck_assert_int_eq(asked("a.test"), DNS_OK);
    ck_assert_uint_eq(rule_asked("a.test"), 2);
    ck_assert_ptr_nonnull(resolver_query(resolver, "b.test", DNS_A, on_answer, &status));
    resolver_forget(resolver);
    loop_run(loop);
    ck_assert_int_eq(status, DNS_OK);
    ck_assert_int_eq(asked("b.test"), DNS_OK);
    ck_assert_uint_eq(rule_asked("b.test"), 2);
}
END_TEST

START_TEST(root_is_known)
{
    root_is((struct fixture_rule){.rrs = {ROOT_NS}});
    ck_assert(checked());
    ck_assert(resolver_worked_at(resolver) != INT64_MIN);
}
END_TEST

START_TEST(root_is_not_known)
{
    static const struct fixture_rule says[] = {
        {.rcode = RCODE_NXDOMAIN, .rrs = {SOA("", 600, 300)}},
        {.rrs = {SOA("", 600, 300)}},
        {.rrs = {A("", 300, "192.0.2.1")}},
        {.rcode = RCODE_SERVFAIL},
        {.rcode = RCODE_REFUSED},
        {.drop = 1000},
        {.garbage = 1000},
    };

    try_for(TRY_MS);
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
        fixture_free(&rooted);
        root_is(says[i]);
        ck_assert_msg(!checked(), "%zu", i);
        ck_assert_uint_gt(root[0].asked, 0);
        ck_assert(resolver_worked_at(resolver) == INT64_MIN);
    }
}
END_TEST

START_TEST(checks_at_one_time_are_one)
{
    struct checker many[10];

    try_for(10 * TRY_MS); /* only the first comes to nothing */
    root_is((struct fixture_rule){.drop = 1, .rrs = {ROOT_NS}});
    for (int i = 0; i < 10; i++)
        start(&many[i]);
    for (int i = 0; i < 10; i++)
        while (many[i].calls == 0)
            loop_run(loop);
    for (int i = 0; i < 10; i++)
        ck_assert(many[i].calls == 1 && many[i].knows);
    ck_assert_uint_eq(root[0].asked, 2);
}
END_TEST

START_TEST(each_check_asks)
{
    root_is((struct fixture_rule){.rcode = RCODE_NXDOMAIN, .rrs = {SOA("", 600, 300)}});
    ck_assert(!checked());
    root[0].rcode = RCODE_OK;
    root[0].rrs[0] = (struct fixture_rr)ROOT_NS;
    ck_assert(checked() && checked());
    ck_assert_uint_eq(root[0].asked, 3);
}
END_TEST

/* By the number of the question, not of its answer. */
START_TEST(records_vouch_up_to_their_question)
{
    uint64_t first, second;

    ck_assert_int_eq(asked("nowhere.test"), DNS_NXDOMAIN);
    ck_assert_uint_eq(resolver_vouched(resolver), 0);
    ck_assert_int_eq(asked("a.test"), DNS_OK);
    first = resolver_vouched(resolver);
    ck_assert_uint_eq(first, 3); /* behind a question and its answer */
    ck_assert_int_eq(asked("a.test"), DNS_OK);
    ck_assert_uint_eq(resolver_vouched(resolver), first);
    ck_assert_int_eq(asked("b.test"), DNS_OK);
    second = resolver_vouched(resolver);
    ck_assert_uint_eq(second, 5);
    root_is((struct fixture_rule){.rrs = {ROOT_NS}});
    ck_assert_uint_eq(resolver_vouched(resolver), 0);
    ck_assert(checked());
    ck_assert_uint_gt(resolver_vouched(resolver), second);
}
END_TEST

/* They may have begun to lie in between. */
START_TEST(what_was_asked_before_vouches_for_nothing)
{
    enum dns_status status = DNS_LOCAL;

    try_for(10 * TRY_MS); /* the second is answered before the first is put again */
    ck_assert_ptr_nonnull(resolver_query(resolver, "late.test", DNS_A, on_answer, &status));
    ck_assert_int_eq(asked("nowhere.test"), DNS_NXDOMAIN); /* the second question */
    ck_assert_int_eq(status, DNS_LOCAL);
    loop_run(loop);
    ck_assert_int_eq(status, DNS_OK);
    ck_assert_uint_eq(resolver_vouched(resolver), 1);
}
END_TEST

START_TEST(new_servers_are_asked_at_once)
{
    ck_assert(!checked());
    root_is((struct fixture_rule){.rrs = {ROOT_NS}});
    ck_assert(checked());
}
END_TEST

START_TEST(cancelled_are_not_called)
{
    struct checker a, b, c;

    root_is((struct fixture_rule){.rrs = {ROOT_NS}});
    start(&a);
    start(&b);
    root_check_cancel(&a.check);
    ck_assert_ptr_null(a.check);
    root_check_cancel(&a.check);
    loop_run(loop);
    start(&c);
    root_check_cancel(&c.check);
    ck_assert(checked());
    ck_assert_int_eq(a.calls, 0);
    ck_assert_int_eq(b.calls, 1);
    ck_assert_int_eq(c.calls, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("rootcheck");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, nothing_is_proved_at_first);
    tcase_add_test(t, only_records_prove);
    tcase_add_test(t, records_work_and_the_cache_does_not_count);
    tcase_add_test(t, servers_of_before_prove_nothing);
    tcase_add_test(t, forgotten_is_asked_again);
    tcase_add_test(t, root_is_known);
    tcase_add_test(t, root_is_not_known);
    tcase_add_test(t, checks_at_one_time_are_one);
    tcase_add_test(t, each_check_asks);
    tcase_add_test(t, records_vouch_up_to_their_question);
    tcase_add_test(t, what_was_asked_before_vouches_for_nothing);
    tcase_add_test(t, new_servers_are_asked_at_once);
    tcase_add_test(t, cancelled_are_not_called);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
