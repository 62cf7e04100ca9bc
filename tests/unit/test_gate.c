/* callout/gate: desks that nobody needs, trials that go on, what is told. */
#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/desk.h"
#include "suite.h"

static struct engine engine;

static void setup(void)
{
    memset(&engine, 0, sizeof(engine));
    engine.opts.limits = (struct pace_limits){2, 20, 2000, 20};
    engine.opts.total = 10;
    engine.loop = loop_new("test");
    engine.keep = keep_new(NULL, 2000);
    engine.dead = dead_new(10);
    engine.sources = sources_new(&engine.opts.sources, 10);
    outage_init(&engine.network, OUTAGE_NETWORK);
    engine.gate = gate_new(&engine);
    ck_assert_ptr_nonnull(engine.gate);
}

static void teardown(void)
{
    gate_free(&engine.gate);
    sources_free(&engine.sources);
    dead_free(&engine.dead);
    keep_free(&engine.keep);
    loop_free(&engine.loop);
}

static void on_refused(void *arg, const struct verdict *v)
{
    (void)arg;
    (void)v;
}

/* `before`: see struct turn_ask. */
static struct turn *come(const char *destination, struct turn *before)
{
    static const struct session_opts session;
    const struct session_target target = {.ip.family = AF_INET, .port = 25};
    const struct turn_handler h = {.on_refused = on_refused};
    struct turn_ask ask = {.goes_on = before != NULL,
                           .before = before,
                           .any_source = true,
                           .domain = "example.org",
                           .session = &session,
                           .targets = &target,
                           .count = 1};
    struct verdict v;

    (void)str_copy(ask.destination, sizeof(ask.destination), destination);
    return gate_wait(engine.gate, &ask, &h, &v);
}

/* Joins the queue and leaves it. */
static void come_and_go(const char *destination)
{
    struct turn *t = come(destination, NULL);

    turn_end(&t);
}

static void unreached(const char *destination)
{
    struct verdict v;
    const struct gate_word word = {
        .destination = destination, .domain = "example.org", .verdict = &v};

    verdict_init(&v, REASON_UNREACHABLE, SOURCE_PROBE);
    v.has_evidence = true;
    v.evidence.stage = SMTP_STAGE_CONNECT;
    v.evidence.failure = SMTP_FAILURE_REFUSED;
    gate_heard(engine.gate, &word);
}

/* A few that failed once long ago, and are asked no more, do not keep all others in memory. */
START_TEST(test_desks_are_bounded)
{
    char name[64];

    for (unsigned i = 0; i < 15000; i++) {
        (void)str_format(name, sizeof(name), "mx/d%u.example", i);
        come_and_go(name);
        if (i < 32)
            unreached(name);
    }
    ck_assert_uint_le(HASH_COUNT(engine.gate->desks), 10000 + 32);
}
END_TEST

/* The first host takes no connection, and the next one is asked: that is still the trial. */
START_TEST(test_trial_goes_on)
{
    struct breaker *b;
    struct turn *first, *next;

    come_and_go("mx/a.example");
    b = &desk_find(engine.gate, "mx/a.example")->standing.breaker;
    b->state = BREAKER_OPEN; /* its time was over long ago */
    first = come("mx/a.example", NULL);
    ck_assert_int_eq(b->state, BREAKER_TRIAL);
    next = come("mx/a.example", first);
    turn_end(&first);
    ck_assert_int_eq(b->state, BREAKER_TRIAL);
    ck_assert_ptr_null(come("mx/a.example", NULL));
    turn_end(&next);
    ck_assert_int_eq(b->state, BREAKER_OPEN);
}
END_TEST

/* What is over is not told, though nobody has come since. */
START_TEST(test_told_while_it_lasts)
{
    struct gate_report report;
    struct standing *s;

    come_and_go("mx/a.example");
    s = &desk_find(engine.gate, "mx/a.example")->standing;
    s->bulk_until = clock_mono_ms() + 60000;
    ck_assert_uint_eq(gate_tell(engine.gate, &report, 1), 1);
    ck_assert(report.bulk_pauses);
    s->bulk_until = clock_mono_ms();
    ck_assert_uint_eq(gate_tell(engine.gate, &report, 1), 0);
    s->pace.level = 1;
    s->pace.eases_at = clock_mono_ms() + 60000;
    ck_assert_uint_eq(gate_tell(engine.gate, &report, 1), 1);
    s->pace.eases_at = clock_mono_ms();
    ck_assert_uint_eq(gate_tell(engine.gate, &report, 1), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *tc = tcase_create("gate");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_desks_are_bounded);
    tcase_add_test(tc, test_trial_goes_on);
    tcase_add_test(tc, test_told_while_it_lasts);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
