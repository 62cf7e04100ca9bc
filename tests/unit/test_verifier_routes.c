/* callout/verifier with routes: who is asked, how, and what is remembered of it. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "callout/address_store.h"
#include "callout/verifier.h"
#include "conf/data_files.h"
#include "scripted_server.h"
#include "session_run.h"
#include "store_rig.h"
#include "suite.h"

#define VALID_OK (UINT64_C(1) << REASON_MAILBOX_EXISTS)

static struct store_rig rig;
static struct loop *loop;
static struct config_problems no_problems;
static struct verifier *verifier;
static struct verifier_opts opts;
static struct scripted_server servers[2];
static char directory[32], lmtp[64];

struct answer {
    int calls;
    bool at_once;
    struct verdict v;
    char trace[4096];
};

static int awaited;

static void on_answer(void *arg, const struct verdict *v, const char *trace)
{
    struct answer *a = arg;

    a->calls++;
    a->v = *v;
    if (trace != NULL)
        snprintf(a->trace, sizeof(a->trace), "%s", trace);
    if (--awaited == 0)
        event_base_loopbreak(loop_base(loop));
}

static struct address address(const char *text)
{
    struct address a;
    const char *why;

    ck_assert(address_parse(text, strlen(text), &a, &why));
    return a;
}

static struct route *add_route(struct route_table *t, const char *domain, bool by_lmtp)
{
    struct route *r = route_table_add(t, domain);

    ck_assert_ptr_nonnull(r);
    r->lmtp = by_lmtp;
    return r;
}

static void add_target(struct route *r, const char *text)
{
    struct route_target target;
    struct error err = {""};

    ck_assert_msg(route_target_parse(text, &target, &err), "%s", err.text);
    ck_assert(route_add_target(r, &target, &err));
}

/* d.example by LMTP at the socket `path`. */
static struct route_table *table_of(const char *path)
{
    struct route_table *t = route_table_new();
    char text[80];

    snprintf(text, sizeof(text), "unix:%s", path);
    add_target(add_route(t, "d.example", true), text);
    return t;
}

static void setup(void)
{
    rig_init(&rig);
    rig_open(&rig);
    snprintf(directory, sizeof(directory), "/tmp/test_verifier.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(lmtp, sizeof(lmtp), "%s/lmtp", directory);
    loop = loop_new("test");
    opts = (struct verifier_opts){
        .session = {.helo_name = "me.example",
                    .tls = TLS_ENCRYPT,
                    .connect_ms = LONG_MS,
                    .greeting_ms = LONG_MS,
                    .command_ms = LONG_MS,
                    .tls_ms = LONG_MS,
                    .quit_ms = LONG_MS},
        .resolver = {.server_count = 1, .servers = {{.port = 9}}},
        .smtp_port = 2525,
        .callout_ms = LONG_MS,
        .lifetimes = {[STATUS_VALID] = {700, 3100},
                      [STATUS_INVALID] = {30, 300},
                      [STATUS_UNKNOWN] = {100, 1200},
                      [STATUS_DEFERRED] = {500, 600}},
        .routed_invalid = {7, 77},
        .total = 10,
        .max_waiting = 10,
    };
    ck_assert(netaddr_parse("127.0.0.1", &opts.resolver.servers[0].ip));
    opts.routes = table_of(lmtp);
    ck_assert(data_files_builtin(&opts.replies, &opts.providers, &no_problems));
}

/* With `opts`, whose routes are the verifier's alone from here on. */
static void start(void)
{
    struct error err = {""};

    ck_assert_msg(verifier_new(&verifier, &opts, rig.store, &err), "%s", err.text);
    route_table_unref(&opts.routes);
}

static void teardown(void)
{
    verifier_stop(verifier, LONG_MS);
    verifier_join(verifier);
    store_close(&rig.store);
    verifier_free(&verifier);
    route_table_unref(&opts.routes);
    reply_rules_unref(&opts.replies);
    providers_unref(&opts.providers);
    loop_free(&loop);
    rig_remove(&rig);
    unlink(lmtp);
    ck_assert_int_eq(rmdir(directory), 0);
}

static void post(struct answer *a, const struct verifier_request *how, const char *text)
{
    struct address asked = address(text);
    struct verifier_request rq = *how;

    *a = (struct answer){.calls = 0};
    rq.address = &asked;
    rq.trace = true;
    awaited++;
    a->at_once = verifier_ask(verifier, &rq, loop, on_answer, a, &a->v);
    ck_assert_int_eq(a->calls, 0);
    awaited -= a->at_once;
}

static void ask(struct answer *a, const struct verifier_request *how, const char *text)
{
    post(a, how, text);
    if (!a->at_once)
        loop_run(loop);
    ck_assert_int_eq(a->calls, !a->at_once);
}

static void expect(const struct answer *a, enum verdict_reason reason)
{
    ck_assert_msg(a->v.reason == reason, "%s: %s\n%s", verdict_reason_name(a->v.reason),
                  a->v.evidence.text, a->trace);
}

/* What the store has once everything under way is in it. */
static bool stored(const char *text, struct record *r)
{
    struct address a = address(text);

    while (verifier_count(verifier).flights > 0)
        ;
    store_flush(rig.store);
    return address_store_get(rig.store, &a, false, clock_wall(), r);
}

/* As configured, or up to a tenth shorter. */
static void expect_about(int64_t life, int64_t configured)
{
    ck_assert_int_le(life, configured);
    ck_assert_int_ge(life, configured - configured / 10);
}

static void expect_life(const struct record *r, int64_t refresh, int64_t forget)
{
    expect_about(r->verdict.refresh_at - r->verdict.probed_at, refresh);
    expect_about(r->verdict.expires_at - r->verdict.probed_at, forget);
}

static void serve(int i, const char *where, const char *const *const *scripts)
{
    ck_assert(scripted_server_start(&servers[i], where, scripts));
}

static void served(int i)
{
    scripted_server_finish(&servers[i]);
    ck_assert_str_eq(servers[i].error, "");
}

#define LHLO       "<220 mx", ">LHLO me.example", "<250-mx", "<250 STARTTLS"
#define RCPT(to)   ">RCPT TO:<" to "@d.example>"
#define TO(to)     ">MAIL FROM:<>", "<250 ok", RCPT(to)
#define REPLY(...) __VA_ARGS__, BYE

static const struct verifier_request plain;
static const struct verifier_request fresh = {.fresh = true};
static const struct verifier_request stale = {.stale_ok = VALID_OK};

/* TLS is wanted, offered, and not used on a unix socket. */
START_TEST(known_and_unknown)
{
    SCRIPT(known, LHLO, TO("bob"), REPLY("<250 ok"));
    SCRIPT(unknown, LHLO, TO("nobody"), REPLY("<550 5.1.1 unknown"));
    SCRIPTS(scripts, known, unknown);
    struct answer a;
    struct record r;
    char mx[80];

    serve(0, lmtp, scripts);
    start();
    ask(&a, &plain, "bob@d.example");
    expect(&a, REASON_MAILBOX_EXISTS);
    snprintf(mx, sizeof(mx), "unix:%s", lmtp);
    ck_assert_str_eq(a.v.evidence.mx, mx);
    ck_assert(stored("bob@d.example", &r));
    expect_life(&r, 700, 3100);
    ask(&a, &plain, "nobody@d.example");
    expect(&a, REASON_NO_MAILBOX);
    ck_assert(stored("nobody@d.example", &r));
    expect_life(&r, 7, 77);
    ask(&a, &plain, "nobody@d.example");
    ck_assert(a.at_once);
    served(0);
}
END_TEST

START_TEST(no_life_for_invalid)
{
    SCRIPT(unknown, LHLO, TO("nobody"), REPLY("<550 5.1.1 unknown"));
    SCRIPTS(scripts, unknown);
    struct answer a;
    struct record r;

    serve(0, lmtp, scripts);
    opts.routed_invalid = (struct lifetime){0, 0};
    start();
    ask(&a, &plain, "nobody@d.example");
    expect(&a, REASON_NO_MAILBOX);
    ck_assert(!stored("nobody@d.example", &r));
    served(0);
}
END_TEST

START_TEST(backend_disowns_the_domain)
{
    SCRIPT(one, LHLO, TO("bob"), REPLY("<554 5.7.1 <bob@d.example>: Relay access denied"));
    SCRIPTS(scripts, one);
    struct answer a;

    serve(0, lmtp, scripts);
    start();
    ask(&a, &plain, "bob@d.example");
    expect(&a, REASON_CANNOT_VERIFY);
    served(0);
}
END_TEST

START_TEST(backend_down)
{
    struct answer a;
    struct record r;

    start();
    ask(&a, &plain, "bob@d.example");
    expect(&a, REASON_UNREACHABLE);
    ck_assert(stored("bob@d.example", &r));
    expect_life(&r, 10, 60);
}
END_TEST

/* Who was known long ago. */
static void know(const char *text, enum verdict_reason reason)
{
    struct address a = address(text);
    struct record r = {.noted = reason};
    int64_t now = clock_wall();

    verdict_init(&r.verdict, reason, SOURCE_PROBE);
    r.verdict.probed_at = now - 1000;
    r.verdict.refresh_at = now - 300;
    r.verdict.expires_at = now + 2100;
    ck_assert(address_store_put(rig.store, &a, false, &r, NULL, NULL));
    store_flush(rig.store);
}

/* Who was known stays known until that is forgotten, however often nobody can be asked. */
START_TEST(backend_down_known_user)
{
    int64_t now = clock_wall(), expires;
    struct answer a;
    struct record r;

    know("bob@d.example", REASON_MAILBOX_EXISTS);
    start();
    ck_assert(stored("bob@d.example", &r));
    expires = r.verdict.expires_at;
    for (int i = 0; i < 3; i++) {
        ask(&a, &stale, "bob@d.example");
        ck_assert(a.at_once);
        expect(&a, REASON_MAILBOX_EXISTS);
        ck_assert(stored("bob@d.example", &r));
        ask(&a, &fresh, "bob@d.example");
        expect(&a, REASON_UNREACHABLE);
        ck_assert(stored("bob@d.example", &r));
        ck_assert_int_eq(r.verdict.reason, REASON_MAILBOX_EXISTS);
        ck_assert_int_eq(r.verdict.expires_at, expires);
        ck_assert_int_eq(r.noted, REASON_UNREACHABLE);
        ck_assert(r.retry_at >= now + 10 && r.retry_at <= clock_wall() + 10);
    }
}
END_TEST

/* Who joins a callout hears the one answer that turns nobody if they asked for what is said now,
   and else what stands, whoever came first. */
START_TEST(only_who_asks_with_fresh_hears_what_is_to_be_confirmed)
{
    SCRIPT(bob, LHLO, TO("bob"), REPLY("<550 5.1.1 unknown"));
    SCRIPT(joe, LHLO, TO("joe"), REPLY("<550 5.1.1 unknown"));
    SCRIPTS(scripts, bob, joe);
    struct answer a, b;

    serve(0, lmtp, scripts);
    opts.confirm_invalid = 300;
    know("bob@d.example", REASON_MAILBOX_EXISTS);
    know("joe@d.example", REASON_MAILBOX_EXISTS);
    start();
    post(&a, &fresh, "bob@d.example");
    post(&b, &plain, "bob@d.example");
    loop_run(loop);
    expect(&a, REASON_NO_MAILBOX);
    expect(&b, REASON_MAILBOX_EXISTS);
    post(&a, &plain, "joe@d.example");
    post(&b, &fresh, "joe@d.example");
    loop_run(loop);
    expect(&a, REASON_MAILBOX_EXISTS);
    expect(&b, REASON_NO_MAILBOX);
    served(0);
}
END_TEST

/* Who asks with the null sender does not join who asks with the configured one. */
START_TEST(null_sender)
{
    SCRIPT(with, LHLO, ">MAIL FROM:<probe@me.example>", "<250 ok", RCPT("bob"), REPLY("<250 ok"));
    SCRIPT(without, LHLO, TO("bob"), REPLY("<250 ok"));
    SCRIPTS(scripts, with, without);
    const struct verifier_request null = {.null_sender = true};
    struct answer a, b, c;

    serve(0, lmtp, scripts);
    snprintf(opts.probe_sender, sizeof(opts.probe_sender), "probe@me.example");
    start();
    post(&a, &plain, "bob@d.example");
    post(&b, &null, "bob@d.example");
    post(&c, &null, "bob@d.example");
    loop_run(loop);
    ck_assert_int_eq(a.calls + b.calls + c.calls, 3);
    expect(&a, REASON_MAILBOX_EXISTS);
    expect(&b, REASON_MAILBOX_EXISTS);
    expect(&c, REASON_MAILBOX_EXISTS);
    served(0);
}
END_TEST

/* What is under way keeps the routes it began with, and nobody else does. */
START_TEST(other_routes)
{
    SCRIPT(one, LHLO, TO("bob"), REPLY("<250 ok"));
    SCRIPTS(scripts, one);
    struct error err = {""};
    struct answer a;

    serve(0, lmtp, scripts);
    start();
    post(&a, &plain, "bob@d.example");
    opts.routes = table_of("/nonexistent/lmtp");
    ck_assert(verifier_reconfigure(verifier, &opts, &err));
    route_table_unref(&opts.routes);
    loop_run(loop);
    expect(&a, REASON_MAILBOX_EXISTS);
    ask(&a, &plain, "carol@d.example");
    expect(&a, REASON_UNREACHABLE);
    ck_assert_str_eq(a.v.evidence.mx, "unix:/nonexistent/lmtp");
    served(0);
}
END_TEST

/* A port with the target; else LMTP's own; else the usual one. */
START_TEST(ports)
{
    struct answer a;

    add_target(add_route(opts.routes, "lmtp.example", true), "[127.0.0.1]");
    add_target(add_route(opts.routes, "smtp.example", false), "[127.0.0.1]");
    add_target(add_route(opts.routes, "other.example", true), "[127.0.0.1]:1");
    opts.callout_ms = SHORT_MS; /* whatever listens there */
    start();
    ask(&a, &plain, "bob@lmtp.example");
    ck_assert_msg(strstr(a.trace, "[127.0.0.1]:24\n") != NULL, "%s", a.trace);
    ask(&a, &plain, "bob@smtp.example");
    ck_assert_msg(strstr(a.trace, "[127.0.0.1]:2525\n") != NULL, "%s", a.trace);
    ask(&a, &plain, "bob@other.example");
    ck_assert_msg(strstr(a.trace, "[127.0.0.1]:1\n") != NULL, "%s", a.trace);
}
END_TEST

/* Two servers on one host are two: the one that is busy does not speak for the other. */
START_TEST(second_on_the_same_host)
{
    SCRIPT(busy, "<421 4.3.2 closing", BYE);
    SCRIPT(well, EHLO, "<250 mx", ">MAIL FROM:<>", "<250 ok", ">RCPT TO:<bob@two.example>",
           REPLY("<250 ok"));
    SCRIPTS(first, busy);
    SCRIPTS(second, well);
    struct route *r = add_route(opts.routes, "two.example", false);
    struct answer a;
    char text[40];

    serve(0, "127.0.0.1", first);
    serve(1, "127.0.0.1", second);
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "[127.0.0.1]:%u", (unsigned)servers[i].port);
        add_target(r, text);
    }
    start();
    ask(&a, &plain, "bob@two.example");
    expect(&a, REASON_MAILBOX_EXISTS);
    served(0);
    served(1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("verifier_routes");
    TCase *t = tcase_create("all");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, known_and_unknown);
    tcase_add_test(t, no_life_for_invalid);
    tcase_add_test(t, backend_disowns_the_domain);
    tcase_add_test(t, backend_down);
    tcase_add_test(t, backend_down_known_user);
    tcase_add_test(t, only_who_asks_with_fresh_hears_what_is_to_be_confirmed);
    tcase_add_test(t, null_sender);
    tcase_add_test(t, other_routes);
    tcase_add_test(t, ports);
    tcase_add_test(t, second_on_the_same_host);
    suite_add_tcase(s, t);
    return suite_run(s);
}
