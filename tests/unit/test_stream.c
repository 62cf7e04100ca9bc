/* frontend/stream: what comes in pieces is one, what a client does not read waits. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontend/stream.h"
#include "suite.h"

#define MOST 10000

static struct loop *loop;
static struct stream stream;
static int client;
static unsigned calls;

static void on_ready(void *arg)
{
    (void)arg;
    calls++;
    loop_stop(loop);
}

static void on_time(void *arg)
{
    loop_stop(arg);
}

static void setup(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    int ends[2];

    ck_assert_int_eq(sigaction(SIGPIPE, &ignore, NULL), 0);
    loop = loop_new("test");
    ck_assert_ptr_nonnull(loop);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    client = ends[1];
    calls = 0;
    ck_assert(stream_open(&stream, loop, ends[0], MOST, on_ready, NULL));
}

static void teardown(void)
{
    stream_close(&stream);
    stream_close(&stream);
    if (client >= 0)
        close(client);
    loop_free(&loop);
}

/* Until on_ready(), or for so long. */
static void run(int64_t ms)
{
    struct loop_timer *t = loop_timer_new(loop, on_time, loop);

    loop_timer_arm(t, ms);
    loop_run(loop);
    loop_timer_free(&t);
}

static void say(const char *text, size_t len)
{
    ck_assert_int_eq(write(client, text, len), (ssize_t)len);
}

static void expect_input(const char *text, size_t len)
{
    size_t there;
    const char *input;

    do
        run(5000);
    while ((input = stream_input(&stream, &there)) != NULL && there < len && !stream.broken);
    ck_assert_uint_eq(there, len);
    ck_assert(memcmp(input, text, len) == 0);
}

START_TEST(pieces_are_one)
{
    static char text[MOST];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    say(text, 1);
    expect_input(text, 1);
    say(text + 1, 4999);
    expect_input(text, 5000);
    stream_drop(&stream, 3000);
    say(text + 5000, 5000);
    expect_input(text + 3000, 7000);
    stream_drop(&stream, 7000);
    say("end", 3);
    expect_input("end", 3);
}
END_TEST

START_TEST(held_input_stays_where_it_is)
{
    const char *input;
    size_t len;

    say("one", 3);
    expect_input("one", 3);
    input = stream_input(&stream, &len);
    stream_hold(&stream, true);
    say("two", 3);
    run(50);
    ck_assert_uint_eq(calls, 1);
    ck_assert_ptr_eq(stream_input(&stream, &len), input);
    ck_assert_uint_eq(len, 3);
    stream_hold(&stream, false);
    expect_input("onetwo", 6);
}
END_TEST

START_TEST(what_is_not_read_waits)
{
    static char text[100000];
    size_t sent = 0, got = 0;

    for (; sent < 10 * sizeof(text); sent += sizeof(text))
        stream_send(&stream, text, sizeof(text));
    ck_assert_uint_eq(stream_unsent(&stream), sent);
    run(50);
    ck_assert_uint_eq(calls, 0);
    while (calls == 0) {
        ssize_t n = read(client, text, sizeof(text));

        got += n > 0 ? (size_t)n : 0;
        run(1);
    }
    ck_assert_uint_eq(stream_unsent(&stream), 0);
    for (ssize_t n; (n = read(client, text, sizeof(text))) > 0;)
        got += (size_t)n;
    ck_assert_uint_eq(got, sent);
}
END_TEST

START_TEST(its_end_is_told_once)
{
    say("x", 1);
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    expect_input("x", 1);
    if (!stream.eof)
        run(5000);
    ck_assert(stream.eof);
    calls = 0;
    run(50);
    ck_assert_uint_eq(calls, 0);
    ck_assert(!stream.broken);
    stream_send(&stream, "bye", 3);
    run(5000);
    ck_assert_uint_eq(stream_unsent(&stream), 0);
}
END_TEST

START_TEST(nothing_is_there_before_anything_came)
{
    size_t len = 1;

    ck_assert_ptr_null(stream_input(&stream, &len));
    ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(what_was_to_be_sent_is_not_lost_by_closing)
{
    char text[16] = "";

    stream_send(&stream, "bye", 3);
    stream_close(&stream);
    ck_assert_int_eq(read(client, text, sizeof(text)), 3);
    ck_assert_str_eq(text, "bye");
    ck_assert_int_eq(read(client, text, sizeof(text)), 0);
    run(50);
    ck_assert_uint_eq(calls, 0);
}
END_TEST

START_TEST(a_big_buffer_is_given_back)
{
    static char text[MOST];

    say(text, sizeof(text));
    expect_input(text, sizeof(text));
    ck_assert_uint_eq(stream.input.size, MOST);
    stream_drop(&stream, sizeof(text));
    ck_assert_uint_eq(stream.input.size, 0);
    say("next", 4);
    expect_input("next", 4);
}
END_TEST

START_TEST(who_has_gone_breaks_it)
{
    close(client);
    client = -1;
    stream_send(&stream, "hello", 5);
    for (int i = 0; i < 3 && !stream.broken; i++)
        run(50);
    ck_assert(stream.broken);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stream");
    TCase *t = tcase_create("core");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, pieces_are_one);
    tcase_add_test(t, held_input_stays_where_it_is);
    tcase_add_test(t, what_is_not_read_waits);
    tcase_add_test(t, its_end_is_told_once);
    tcase_add_test(t, nothing_is_there_before_anything_came);
    tcase_add_test(t, what_was_to_be_sent_is_not_lost_by_closing);
    tcase_add_test(t, a_big_buffer_is_given_back);
    tcase_add_test(t, who_has_gone_breaks_it);
    suite_add_tcase(s, t);
    return suite_run(s);
}
