/* dns/resolver against a scripted server on the same loop. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "dns/resolver.h"
#include "dns_fixture.h"
#include "suite.h"

#define TRY_MS 60 /* where an answer is waited for in vain; else a question is put once */

static struct loop *loop;
static struct fixture *server;
static struct resolver *resolver;
static struct resolver_opts opts;

/* One who asks, and what came of it. */
struct asker {
    struct resolver_query *query;
    int calls;
    enum dns_status status;
    uint32_t ttl;
    size_t count;
    char first[NETADDR_TEXT_MAX];
    bool stop; /* the loop, once answered */
};

static struct fixture_rule rules[] = {
    {"a.test", DNS_A, .rrs = {A("a.test", 300, "192.0.2.1")}},
    {"zero.test", DNS_A, .rrs = {A("zero.test", 0, "192.0.2.1")}},
    {"empty.test", DNS_A, .rrs = {SOA("test", 600, 300)}},
    {"nosoa.test", DNS_A, .rcode = RCODE_NXDOMAIN},
    {"gone.test", DNS_A, .rcode = RCODE_NXDOMAIN, .rrs = {SOA("test", 600, 300)}},
    {"fail.test", DNS_A, .rcode = RCODE_SERVFAIL},
    {"refused.test", DNS_A, .rcode = RCODE_REFUSED},
    {"silent.test", DNS_A, .drop = 1000},
    {"mute.test", DNS_A, .drop = 1000},
    {"late.test", DNS_A, .drop = 1, .rrs = {A("late.test", 300, "192.0.2.5")}},
    {"slow.test", DNS_A, .drop = 2, .rrs = {A("slow.test", 300, "192.0.2.2")}},
    {"big.test", DNS_A, .truncate = true, .rrs = {A("big.test", 300, "192.0.2.3")}},
    {"noise.test", DNS_A, .garbage = 1, .rrs = {A("noise.test", 300, "192.0.2.4")}},
    {"allnoise.test", DNS_A, .garbage = 1000},
    {"alias.test", DNS_A,
     .rrs = {CNAME("alias.test", 40, "a.test"), A("a.test", 300, "192.0.2.1")}},
    {.name = NULL},
};

static struct fixture_rule *rule(const char *name)
{
    for (struct fixture_rule *r = rules; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    ck_abort_msg("no rule %s", name);
    return NULL;
}

static void on_answer(void *arg, struct dns_answer *answer, uint32_t ttl)
{
    struct asker *a = arg;

    a->query = NULL;
    a->calls++;
    a->status = answer->status;
    a->ttl = ttl;
    a->count = answer->count;
    if (answer->count > 0 && answer->ips != NULL)
        netaddr_format(&answer->ips[0], a->first);
    if (a->stop)
        event_base_loopbreak(loop_base(loop));
}

static void ask(struct asker *a, const char *name)
{
    *a = (struct asker){.stop = true};
    a->query = resolver_query(resolver, name, DNS_A, on_answer, a);
    ck_assert_ptr_nonnull(a->query);
    ck_assert_int_eq(a->calls, 0);
}

static void run(void)
{
    loop_run(loop);
}

static struct asker asked(const char *name)
{
    struct asker a;

    ask(&a, name);
    run();
    ck_assert_int_eq(a.calls, 1);
    return a;
}

static void setup(void)
{
    loop = loop_new("test");
    ck_assert_ptr_nonnull(loop);
    server = fixture_new(loop, "127.0.0.1", 0, rules);
    opts = fixture_opts(server);
    ck_assert(resolver_new(&resolver, loop, &opts, NULL));
}

static void try_for(int ms)
{
    opts.try_ms = ms;
    ck_assert(resolver_reconfigure(resolver, &opts, NULL));
}

static void teardown(void)
{
    resolver_free(&resolver);
    resolver_free(&resolver);
    fixture_free(&server);
    loop_free(&loop);
}

START_TEST(answer_is_kept)
{
    struct asker a = asked("a.test"), b = asked("A.Test.");

    ck_assert_int_eq(a.status, DNS_OK);
    ck_assert_uint_eq(a.ttl, 300);
    ck_assert_str_eq(a.first, "192.0.2.1");
    ck_assert_int_eq(b.status, DNS_OK);
    ck_assert_uint_le(b.ttl, 300);
    ck_assert_str_eq(b.first, "192.0.2.1");
    ck_assert_uint_eq(rule("a.test")->asked, 1);
}
END_TEST

START_TEST(ttl_zero_is_not_kept)
{
    ck_assert_int_eq(asked("zero.test").status, DNS_OK);
    ck_assert_int_eq(asked("zero.test").status, DNS_OK);
    ck_assert_uint_eq(rule("zero.test")->asked, 2);
}
END_TEST

START_TEST(no_is_kept_by_its_soa)
{
    ck_assert_uint_eq(asked("empty.test").ttl, 300);
    ck_assert_int_eq(asked("empty.test").status, DNS_NODATA);
    ck_assert_uint_eq(rule("empty.test")->asked, 1);
    ck_assert_uint_eq(asked("gone.test").ttl, 300);
    ck_assert_int_eq(asked("gone.test").status, DNS_NXDOMAIN);
    ck_assert_uint_eq(rule("gone.test")->asked, 1);
    ck_assert_int_eq(asked("nosoa.test").status, DNS_NXDOMAIN);
    ck_assert_int_eq(asked("nosoa.test").status, DNS_NXDOMAIN);
    ck_assert_uint_eq(rule("nosoa.test")->asked, 2);
}
END_TEST

START_TEST(failures_of_the_server)
{
    unsigned before;

    ck_assert_int_eq(asked("fail.test").status, DNS_SERVFAIL);
    before = rule("fail.test")->asked;
    ck_assert_int_eq(asked("fail.test").status, DNS_SERVFAIL);
    ck_assert_uint_eq(rule("fail.test")->asked, before);
    ck_assert_int_eq(asked("refused.test").status, DNS_SERVFAIL);
}
END_TEST

START_TEST(silence_is_a_timeout)
{
    try_for(TRY_MS);
    ck_assert_int_eq(asked("silent.test").status, DNS_TIMEOUT);
    ck_assert_uint_ge(rule("silent.test")->asked, 3);
}
END_TEST

/* The servers may have been away when it went out: its next try is no business of who comes now. */
START_TEST(what_was_asked_in_vain_is_asked_anew)
{
    struct asker first, second;
    unsigned tries;

    try_for(TRY_MS);
    ck_assert_int_eq(asked("mute.test").status, DNS_TIMEOUT);
    tries = rule("mute.test")->asked;
    ask(&first, "silent.test");
    while (rule("silent.test")->asked < 2)
        ck_assert_int_eq(event_base_loop(loop_base(loop), EVLOOP_ONCE), 0);
    ask(&second, "silent.test");
    while (first.calls + second.calls < 2)
        run();
    ck_assert_uint_gt(rule("silent.test")->asked, tries);
}
END_TEST

/* A question's next try does not wait for that of one which is in its longest wait. */
START_TEST(tries_do_not_wait_for_each_other)
{
    struct asker silent, late;

    try_for(5 * TRY_MS);
    ask(&silent, "silent.test");
    while (rule("silent.test")->asked < 3)
        ck_assert_int_eq(event_base_loop(loop_base(loop), EVLOOP_ONCE), 0);
    late = asked("late.test");
    ck_assert_str_eq(late.first, "192.0.2.5");
    ck_assert_int_eq(silent.calls, 0);
    resolver_query_cancel(&silent.query);
}
END_TEST

START_TEST(third_try_is_answered)
{
    struct asker a;

    try_for(TRY_MS);
    a = asked("slow.test");
    ck_assert_int_eq(a.status, DNS_OK);
    ck_assert_str_eq(a.first, "192.0.2.2");
    ck_assert_uint_ge(rule("slow.test")->asked, 3);
}
END_TEST

START_TEST(truncated_goes_to_tcp)
{
    struct asker a = asked("big.test");

    ck_assert_int_eq(a.status, DNS_OK);
    ck_assert_str_eq(a.first, "192.0.2.3");
    ck_assert_uint_eq(rule("big.test")->asked_tcp, 1);
}
END_TEST

START_TEST(garbage_is_not_believed)
{
    struct asker a;

    try_for(TRY_MS);
    a = asked("noise.test");
    ck_assert_int_eq(a.status, DNS_OK);
    ck_assert_str_eq(a.first, "192.0.2.4");
    a = asked("allnoise.test");
    ck_assert(a.status == DNS_SERVFAIL || a.status == DNS_TIMEOUT);
}
END_TEST

START_TEST(alias_ttl)
{
    struct asker a = asked("alias.test");

    ck_assert_int_eq(a.status, DNS_OK);
    ck_assert_uint_eq(a.ttl, 40);
}
END_TEST

START_TEST(no_host_name_is_not_asked_for)
{
    static const char *const names[] = {"a b.test",    "\\000.test", "",
                                        "[192.0.2.1]", "x..test",    "."};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_int_eq(asked(names[i]).status, DNS_NXDOMAIN);
    ck_assert_uint_eq(fixture_asked(server), 0);
}
END_TEST

START_TEST(same_question_is_asked_once)
{
    struct asker many[50];

    for (int i = 0; i < 50; i++) {
        ask(&many[i], "a.test");
        many[i].stop = i == 49;
    }
    run();
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(many[i].calls, 1);
        ck_assert_str_eq(many[i].first, "192.0.2.1");
    }
    ck_assert_uint_eq(rule("a.test")->asked, 1);
}
END_TEST

static int many_left;

static void on_one_of_many(void *arg, struct dns_answer *answer, uint32_t ttl)
{
    (void)arg;
    (void)ttl;
    ck_assert_int_eq(answer->status, DNS_NXDOMAIN);
    if (--many_left == 0)
        event_base_loopbreak(loop_base(loop));
}

static void ask_many(int count)
{
    char name[32];

    many_left = count;
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "n%d.test", i);
        ck_assert_ptr_nonnull(resolver_query(resolver, name, DNS_A, on_one_of_many, NULL));
    }
}

/* More than a socket buffer holds: none may be lost on the way. */
START_TEST(many_questions_at_once)
{
    ask_many(2000);
    run();
    ck_assert_uint_ge(fixture_asked(server), 2000);
}
END_TEST

START_TEST(free_drops_what_is_held_back)
{
    ask_many(2000);
    resolver_free(&resolver);
    ck_assert_int_eq(many_left, 2000);
}
END_TEST

/* Under way, and already answered from the cache. */
START_TEST(cancelled_are_not_called)
{
    struct asker a, b, c, kept;

    ask(&a, "a.test");
    ask(&b, "a.test");
    a.stop = false;
    resolver_query_cancel(&a.query);
    ck_assert_ptr_null(a.query);
    resolver_query_cancel(&a.query);
    run();
    ck_assert_int_eq(a.calls, 0);
    ck_assert_int_eq(b.calls, 1);
    ask(&c, "a.test");
    resolver_query_cancel(&c.query);
    kept = asked("zero.test");
    ck_assert_int_eq(kept.calls, 1);
    ck_assert_int_eq(c.calls, 0);
}
END_TEST

static struct asker second;

static void cancel_other(void *arg, struct dns_answer *answer, uint32_t ttl)
{
    (void)answer;
    (void)ttl;
    ++*(int *)arg;
    resolver_query_cancel(&second.query);
    ask(&second, "zero.test");
}

START_TEST(cancel_and_ask_from_a_callback)
{
    int calls = 0;

    ck_assert_ptr_nonnull(resolver_query(resolver, "a.test", DNS_A, cancel_other, &calls));
    ask(&second, "a.test");
    run();
    ck_assert_int_eq(calls, 1);
    ck_assert_int_eq(second.calls, 1);
    ck_assert_uint_eq(rule("zero.test")->asked, 1);
}
END_TEST

START_TEST(free_drops_what_is_under_way)
{
    struct asker a, b;

    ask(&a, "silent.test");
    ask(&b, "a.test");
    resolver_free(&resolver);
    ck_assert_int_eq(a.calls + b.calls, 0);
}
END_TEST

/* 127.0.0.9 answers nothing there; then a second server that is silent. */
START_TEST(dead_servers_are_passed)
{
    static struct fixture_rule silence[] = {{"a.test", DNS_A, .drop = 1000}, {.name = NULL}};
    struct fixture *mute = fixture_new(loop, "127.0.0.1", 0, silence);
    struct resolver_opts three = opts;
    struct asker a;

    three.try_ms = TRY_MS;
    three.server_count = 3;
    three.servers[2] = three.servers[0];
    ck_assert(netaddr_parse("127.0.0.9", &three.servers[0].ip));
    three.servers[1] = fixture_opts(mute).servers[0];
    ck_assert(resolver_reconfigure(resolver, &three, NULL));
    a = asked("a.test");
    ck_assert_int_eq(a.status, DNS_OK);
    ck_assert_uint_ge(silence[0].asked, 1);
    resolver_free(&resolver);
    fixture_free(&mute);
}
END_TEST

/* With several servers too a refusal to answer is told from silence, and the next one is asked. */
START_TEST(several_servers_that_refuse)
{
    static struct fixture_rule refusals[] = {{"fail.test", DNS_A, .rcode = RCODE_SERVFAIL},
                                             {"a.test", DNS_A, .rcode = RCODE_REFUSED},
                                             {.name = NULL}};
    struct fixture *lame = fixture_new(loop, "127.0.0.1", 0, refusals);
    struct resolver_opts two = opts;

    two.server_count = 2;
    two.servers[1] = two.servers[0];
    two.servers[0] = fixture_opts(lame).servers[0];
    ck_assert(resolver_reconfigure(resolver, &two, NULL));
    ck_assert_int_eq(asked("a.test").status, DNS_OK);
    ck_assert_int_eq(asked("fail.test").status, DNS_SERVFAIL);
    ck_assert_uint_ge(rule("fail.test")->asked, 1);
    resolver_free(&resolver);
    fixture_free(&lame);
}
END_TEST

START_TEST(nobody_listens)
{
    struct resolver_opts dead = opts;

    dead.try_ms = TRY_MS;
    ck_assert(netaddr_parse("127.0.0.9", &dead.servers[0].ip));
    ck_assert(resolver_reconfigure(resolver, &dead, NULL));
    ck_assert_int_eq(asked("a.test").status, DNS_TIMEOUT);
}
END_TEST

START_TEST(ipv6_server)
{
    struct fixture *six = fixture_new(loop, "::1", 0, rules);
    struct resolver_opts o = fixture_opts(six);

    ck_assert(resolver_reconfigure(resolver, &o, NULL));
    ck_assert_int_eq(asked("a.test").status, DNS_OK);
    ck_assert_uint_eq(fixture_asked(six), 1);
    resolver_free(&resolver);
    fixture_free(&six);
}
END_TEST

/* The one under way finishes with the server it was sent to, the next goes to the new one. */
START_TEST(reconfigured_under_way)
{
    static struct fixture_rule other[] = {
        {"slow.test", DNS_A, .rrs = {A("slow.test", 300, "192.0.2.99")}}, {.name = NULL}};
    struct fixture *fresh = fixture_new(loop, "127.0.0.1", 0, other);
    struct resolver_opts o = fixture_opts(fresh);
    struct asker before, after;

    try_for(TRY_MS);
    ask(&before, "slow.test");
    ck_assert(resolver_reconfigure(resolver, &o, NULL));
    ask(&after, "slow.test");
    after.stop = false;
    run();
    ck_assert_int_eq(before.calls, 1);
    ck_assert_str_eq(before.first, "192.0.2.2");
    ck_assert_int_eq(after.calls, 1);
    ck_assert_str_eq(after.first, "192.0.2.99");
    ck_assert_str_eq(asked("slow.test").first, "192.0.2.99");
    ck_assert_uint_eq(fixture_asked(fresh), 1);
    resolver_free(&resolver);
    fixture_free(&fresh);
}
END_TEST

static char conf_path[] = "/tmp/resolv.conf.XXXXXX";

static void conf_write(const char *text)
{
    char fresh[sizeof(conf_path) + 8];
    FILE *f;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", conf_path);
    f = fopen(fresh, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(rename(fresh, conf_path), 0);
}

START_TEST(resolv_conf_is_watched)
{
    struct fixture *two = fixture_new(loop, "127.0.0.2", fixture_port(server), rules);
    struct resolver_opts o = {.port = fixture_port(server)};
    int fd = mkstemp(conf_path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    conf_write("nameserver 127.0.0.1\n");
    (void)snprintf(o.resolv_conf, sizeof(o.resolv_conf), "%s", conf_path);
    ck_assert(resolver_reconfigure(resolver, &o, NULL));
    ck_assert_int_eq(asked("a.test").status, DNS_OK);
    ck_assert_uint_eq(fixture_asked(server), 1);
    conf_write("");
    ck_assert_int_eq(asked("zero.test").status, DNS_OK); /* one being written: no change */
    ck_assert_uint_eq(fixture_asked(server), 2);
    conf_write("nameserver 127.0.0.2\n");
    ck_assert_int_eq(asked("a.test").status, DNS_OK);
    ck_assert_uint_eq(fixture_asked(server), 2);
    ck_assert_uint_eq(fixture_asked(two), 1);
    ck_assert_int_eq(unlink(conf_path), 0);
    ck_assert_int_eq(asked("zero.test").status, DNS_OK);
    ck_assert_uint_eq(fixture_asked(two), 2);
    resolver_free(&resolver);
    fixture_free(&two);
}
END_TEST

/* Without resolv.conf the server is 127.0.0.1, as resolv.conf(5) has it. */
START_TEST(resolv_conf_is_missing)
{
    struct resolver_opts o = {.port = fixture_port(server)};

    (void)snprintf(o.resolv_conf, sizeof(o.resolv_conf), "/nonexistent/resolv.conf");
    resolver_free(&resolver);
    ck_assert(resolver_new(&resolver, loop, &o, NULL));
    ck_assert_int_eq(asked("a.test").status, DNS_OK);
}
END_TEST

START_TEST(own_addresses)
{
    size_t count;
    const struct netaddr *own = resolver_own_addresses(resolver, &count);

    ck_assert_ptr_nonnull(own);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_ne(netaddr_scope(&own[i]), NETADDR_LOOPBACK);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("resolver");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, answer_is_kept);
    tcase_add_test(t, ttl_zero_is_not_kept);
    tcase_add_test(t, no_is_kept_by_its_soa);
    tcase_add_test(t, failures_of_the_server);
    tcase_add_test(t, silence_is_a_timeout);
    tcase_add_test(t, what_was_asked_in_vain_is_asked_anew);
    tcase_add_test(t, tries_do_not_wait_for_each_other);
    tcase_add_test(t, third_try_is_answered);
    tcase_add_test(t, truncated_goes_to_tcp);
    tcase_add_test(t, garbage_is_not_believed);
    tcase_add_test(t, alias_ttl);
    tcase_add_test(t, no_host_name_is_not_asked_for);
    tcase_add_test(t, same_question_is_asked_once);
    tcase_add_test(t, many_questions_at_once);
    tcase_add_test(t, free_drops_what_is_held_back);
    tcase_add_test(t, cancelled_are_not_called);
    tcase_add_test(t, cancel_and_ask_from_a_callback);
    tcase_add_test(t, free_drops_what_is_under_way);
    tcase_add_test(t, dead_servers_are_passed);
    tcase_add_test(t, several_servers_that_refuse);
    tcase_add_test(t, nobody_listens);
    tcase_add_test(t, ipv6_server);
    tcase_add_test(t, reconfigured_under_way);
    tcase_add_test(t, resolv_conf_is_watched);
    tcase_add_test(t, resolv_conf_is_missing);
    tcase_add_test(t, own_addresses);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
