/* base/loop: the mailbox between threads, and timers. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"
#include "suite.h"

#define POSTERS 4
#define LETTERS 20000

struct counter {
    struct loop *loop;
    int got, last[POSTERS];
    bool ordered;
};

struct letter_box {
    struct counter *counter;
    int poster, number;
};

static void receive(void *arg)
{
    struct letter_box *b = arg;
    struct counter *c = b->counter;

    if (b->number != c->last[b->poster] + 1)
        c->ordered = false;
    c->last[b->poster] = b->number;
    if (++c->got == POSTERS * LETTERS)
        loop_stop(c->loop);
    free(b);
}

static struct counter counter;

static void *post_many(void *arg)
{
    for (int i = 1; i <= LETTERS; i++) {
        struct letter_box *b = malloc(sizeof(*b));

        if (b == NULL)
            abort();
        *b = (struct letter_box){&counter, *(int *)arg, i};
        loop_post(counter.loop, receive, b);
    }
    return NULL;
}

START_TEST(letters_arrive_once_and_in_order)
{
    pthread_t threads[POSTERS];
    int ids[POSTERS];

    counter = (struct counter){.loop = loop_new("test"), .ordered = true};
    ck_assert_ptr_nonnull(counter.loop);
    for (int i = 0; i < POSTERS; i++) {
        ids[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, &ids[i]), 0);
    }
    loop_run(counter.loop);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(counter.got, POSTERS * LETTERS);
    ck_assert(counter.ordered);
    loop_free(&counter.loop);
    ck_assert_ptr_null(counter.loop);
    loop_free(&counter.loop);
}
END_TEST

static void count_up(void *arg)
{
    ++*(int *)arg;
}

START_TEST(mailbox_is_emptied_when_freed)
{
    struct loop *l = loop_new("test");
    int n = 0;

    loop_post(l, count_up, &n);
    loop_post(l, count_up, &n);
    ck_assert_int_eq(n, 0);
    loop_free(&l);
    ck_assert_int_eq(n, 2);
}
END_TEST

struct firing {
    struct loop *loop;
    char order[4];
    int n;
};

static void fire_early(void *arg)
{
    struct firing *f = arg;

    f->order[f->n++] = 'e';
}

static void fire_late(void *arg)
{
    struct firing *f = arg;

    f->order[f->n++] = 'l';
    loop_stop(f->loop);
}

static void fire_never(void *arg)
{
    (void)arg;
    ck_abort_msg("it fires");
}

START_TEST(timers_fire_once_in_order)
{
    struct firing f = {.loop = loop_new("test")};
    struct loop_timer *early = loop_timer_new(f.loop, fire_early, &f);
    struct loop_timer *late = loop_timer_new(f.loop, fire_late, &f);
    struct loop_timer *never = loop_timer_new(f.loop, fire_never, &f);

    ck_assert(!loop_timer_armed(early));
    loop_timer_arm(late, 200); /* not before the others are armed, however slow it is here */
    loop_timer_arm(never, 5);
    loop_timer_arm(early, -5);
    loop_timer_disarm(never);
    ck_assert(loop_timer_armed(early));
    loop_run(f.loop);
    ck_assert_str_eq(f.order, "el");
    ck_assert(!loop_timer_armed(late));
    loop_timer_free(&early);
    loop_timer_free(&late);
    loop_timer_free(&never);
    loop_timer_free(&never);
    loop_free(&f.loop);
}
END_TEST

struct moved {
    struct loop *loop;
    int64_t early_at, late_at;
    int count;
};

static void note_firing(struct moved *m, int64_t *at)
{
    ck_assert_int_eq(*at, 0);
    *at = clock_mono_ms();
    if (++m->count == 2)
        loop_stop(m->loop);
}

static void fire_forward(void *arg)
{
    struct moved *m = arg;

    note_firing(m, &m->early_at);
}

static void fire_put_off(void *arg)
{
    struct moved *m = arg;

    note_firing(m, &m->late_at);
}

/* A time that is put off does not come before the last that was named; a sooner one comes. In what
   order they come, where both are over, is not said. */
START_TEST(timers_are_put_off_and_brought_forward)
{
    struct moved m = {.loop = loop_new("test")};
    struct loop_timer *early = loop_timer_new(m.loop, fire_forward, &m);
    struct loop_timer *late = loop_timer_new(m.loop, fire_put_off, &m);
    struct loop_timer *never = loop_timer_new(m.loop, fire_never, &m);
    int64_t began = clock_mono_ms();

    loop_timer_arm(late, 5);
    loop_timer_arm(late, 60);
    loop_timer_arm(early, 60000);
    loop_timer_arm(early, 120000);
    loop_timer_arm(early, 30);
    loop_timer_arm(never, 5);
    loop_timer_arm(never, 20);
    loop_timer_disarm(never);
    loop_timer_arm(never, 60000);
    loop_run(m.loop);
    ck_assert_int_ge(m.early_at - began, 30);
    ck_assert_int_lt(m.early_at - began, 60000);
    ck_assert_int_ge(m.late_at - began, 60);
    ck_assert(!loop_timer_armed(late));
    ck_assert(loop_timer_armed(never));
    loop_timer_free(&early);
    loop_timer_free(&late);
    loop_timer_free(&never);
    loop_free(&m.loop);
}
END_TEST

struct gathering {
    struct loop *self, *other;
    atomic_int got;
    int seen;
};

static void got_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void wait_for(struct gathering *g, int count)
{
    const struct timespec one = {.tv_nsec = 1000000};

    for (int i = 0; i < 20000 && atomic_load(&g->got) < count; i++)
        (void)nanosleep(&one, NULL);
}

/* A letter that is to go out at once takes those with it that were to wait for the turn's end. */
static void gather_and_wait(void *arg)
{
    struct gathering *g = arg;

    loop_post_gathered(g->other, got_one, &g->got);
    loop_post(g->other, got_one, &g->got);
    wait_for(g, 2);
    g->seen = atomic_load(&g->got);
    loop_post_gathered(g->other, got_one, &g->got);
    loop_post_gathered(g->other, got_one, &g->got);
    loop_stop(g->self);
}

START_TEST(gathered_letters_arrive)
{
    struct gathering g = {.self = loop_new("self"), .other = loop_new("other")};

    ck_assert(loop_start_thread(g.other));
    loop_post_gathered(g.self, gather_and_wait, &g);
    loop_run(g.self);
    ck_assert_int_eq(g.seen, 2);
    wait_for(&g, 4);
    ck_assert_int_eq(atomic_load(&g.got), 4);
    loop_post_gathered(g.other, got_one, &g.got);
    loop_stop(g.other);
    loop_join(g.other);
    loop_free(&g.other);
    loop_free(&g.self);
    ck_assert_int_eq(atomic_load(&g.got), 5);
}
END_TEST

START_TEST(a_loop_in_its_own_thread_stops)
{
    struct loop *l = loop_new("test");
    int n = 0;

    ck_assert(loop_start_thread(l));
    loop_post(l, count_up, &n);
    loop_stop(l);
    loop_join(l);
    loop_join(l);
    loop_free(&l);
    ck_assert_int_eq(n, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("loop");
    TCase *t = tcase_create("core");

    tcase_add_test(t, letters_arrive_once_and_in_order);
    tcase_add_test(t, mailbox_is_emptied_when_freed);
    tcase_add_test(t, timers_fire_once_in_order);
    tcase_add_test(t, timers_are_put_off_and_brought_forward);
    tcase_add_test(t, gathered_letters_arrive);
    tcase_add_test(t, a_loop_in_its_own_thread_stops);
    suite_add_tcase(s, t);
    return suite_run(s);
}
