/* callout/gate: desks that nobody needs, trials that go on, what is told, who is refused. */
#include <check.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/desk.h"
#include "suite.h"

static struct engine engine;
static unsigned refused;
static const struct session_target targets[] = {{.name = "", .ip.family = AF_INET, .port = 25},
                                                {.name = "", .ip.family = AF_INET, .port = 26}};

static void setup(void)
{
    memset(&engine, 0, sizeof(engine));
    refused = 0;
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

static void come_and_go(const char *destination);

static void on_refused(void *arg, const struct verdict *v)
{
    (void)arg;
    (void)v;
    refused++;
    come_and_go("mx/next.example"); /* as one with a sender to fall back to */
    loop_stop(engine.loop);
}

/* `how`: goes_on, before, fresh_session; the rest is set here. */
static struct turn *come(const char *destination, struct turn_ask how)
{
    static const struct session_opts session;
    const struct turn_handler h = {.on_refused = on_refused};
    struct verdict v;

    how.any_source = true;
    how.domain = "example.org";
    how.session = &session;
    how.targets = targets;
    how.count = 2;
    (void)str_copy(how.destination, sizeof(how.destination), destination);
    return gate_wait(engine.gate, &how, &h, &v);
}

/* Joins the queue and leaves it. */
static void come_and_go(const char *destination)
{
    struct turn *t = come(destination, (struct turn_ask){0});

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

/* Who is refused may go to another desk, which may be one too many. */
START_TEST(test_swept_while_it_is_served)
{
    char name[64];

    ck_assert(turn_waits(come("mx/a.example", (struct turn_ask){0}))); /* its time is over */
    for (unsigned i = 0; i < 9999; i++) {
        (void)str_format(name, sizeof(name), "mx/d%u.example", i);
        come_and_go(name);
    }
    loop_run(engine.loop);
    ck_assert_uint_eq(refused, 1);
    ck_assert_ptr_nonnull(desk_find(engine.gate, "mx/a.example"));
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
    first = come("mx/a.example", (struct turn_ask){0});
    ck_assert_int_eq(b->state, BREAKER_TRIAL);
    next = come("mx/a.example", (struct turn_ask){.goes_on = true, .before = first});
    turn_end(&first);
    ck_assert_int_eq(b->state, BREAKER_TRIAL);
    ck_assert_ptr_null(come("mx/a.example", (struct turn_ask){0}));
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

/* Who had a turn goes on in a pause, but makes no new connection. */
START_TEST(test_lost_session_waits_into_a_pause)
{
    struct turn *on = come("mx/a.example", (struct turn_ask){.goes_on = true});
    struct turn *lost =
        come("mx/a.example", (struct turn_ask){.goes_on = true, .fresh_session = true});

    ck_assert(turn_waits(on) && turn_waits(lost));
    unreached("mx/a.example");
    unreached("mx/a.example");
    ck_assert_uint_eq(refused, 1);
    turn_end(&on);
}
END_TEST

/* A kept session that is of no use to a turn leaves no trace in it. */
START_TEST(test_no_room_on_kept)
{
    struct turn *t = come("mx/a.example", (struct turn_ask){0});
    struct line l = {.engine = &engine, .desk = t->desk, .kept = true, .asked = 20};

    l.peer = &targets[1];
    l.tls = t->session->tls;
    l.helo_name = t->session->helo_name;
    ck_assert(!line_serves(&l, t));
    ck_assert_uint_eq(t->target, 0);
    turn_end(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *tc = tcase_create("gate");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_desks_are_bounded);
    tcase_add_test(tc, test_swept_while_it_is_served);
    tcase_add_test(tc, test_trial_goes_on);
    tcase_add_test(tc, test_told_while_it_lasts);
    tcase_add_test(tc, test_lost_session_waits_into_a_pause);
    tcase_add_test(tc, test_no_room_on_kept);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
