#include "bench_door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quantiles.h"

#define CLIENTS 100
#define LONG_MS 60000

static void fail(const char *why)
{
    printf("%s\n", why);
    exit(EXIT_FAILURE);
}

static void open_policy(struct rcpt_env *env)
{
    struct policy_opts *opts = policy_opts_new();

    if (opts != NULL) {
        env->policy = policy_new(opts);
        policy_opts_unref(opts);
    }
    env->brake = brake_new(CLIENTS);
    if (env->policy == NULL || env->brake == NULL)
        fail("out of memory");
}

void bench_door_open(struct bench_door *d, struct bench_store *in)
{
    struct verifier_opts opts = {
        .session = {.helo_name = "probe.example"},
        .resolver = {.server_count = 1, .servers = {{.port = 9}}}, /* nobody is asked */
        .callout_ms = LONG_MS,
        .total = 1,
        .max_waiting = 1,
    };
    struct error err;

    *d = (struct bench_door){.in = in};
    (void)netaddr_parse("127.0.0.1", &opts.resolver.servers[0].ip);
    open_policy(&d->env);
    if (!verifier_new(&d->env.verifier, &opts, in->store, &err))
        fail(err.text);
}

void bench_door_close(struct bench_door *d)
{
    verifier_join(d->env.verifier);
    verifier_free(&d->env.verifier);
    policy_free(&d->env.policy);
    brake_free(&d->env.brake);
}

uint64_t bench_decide(void *door)
{
    struct bench_door *d = door;
    struct rcpt r = {.client = {.sasl_username = "somebody", .address = "192.0.2.1"},
                     .queue_id = "4XyZ0a1B2c"};
    char text[ADDRESS_TEXT_SIZE];
    struct address a;
    const char *why;
    uint64_t began;
    bool decided;

    bench_pick(d->in, &a);
    address_format(&a, text);
    began = now_ns();
    if (!address_from_internal(text, strlen(text), &a, &why))
        fail(why);
    r.text = text;
    r.address = &a;
    decided = rcpt_decide(&r, &d->env, NULL, NULL, NULL) != NULL;
    began = now_ns() - began;
    if (!decided)
        fail("the store was filled too long ago");
    return began;
}
