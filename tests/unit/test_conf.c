/* conf: what a good configuration comes to, includes, what needs a restart, the sample file. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conf_fixture.h"
#include "suite.h"

static void check_defaults(const struct config *c)
{
    const struct verifier_opts *v = &c->verifier;

    ck_assert_str_eq(v->session.helo_name, "mail.example.net");
    ck_assert_str_eq(v->probe_sender, "");
    ck_assert_str_eq(c->state_dir, "/var/lib/calloutd");
    ck_assert_str_eq(c->store.dir, "/var/lib/calloutd");
    ck_assert_str_eq(c->user, "calloutd");
    ck_assert_int_eq(c->log.target, LOG_TARGET_SYSLOG);
    ck_assert_int_eq(c->policy->wait_ms, 6000);
    ck_assert_uint_eq(c->policy->network_count, 2);
    ck_assert_uint_eq(c->policy->networks[0].bits, 8);
    ck_assert_uint_eq(c->policy->networks[1].bits, 128);
    ck_assert_uint_eq(c->policy->local_domain_count, 0);
    ck_assert_uint_eq(v->resolver.server_count, 0);
    ck_assert_uint_eq(c->policy_listen_count, 1);
    ck_assert_str_eq(c->policy_listen[0].text, "inet:127.0.0.1:8893");
    ck_assert_str_eq(c->control_listen.path, "/run/calloutd/control");
    ck_assert_uint_eq(c->listener.socket_mode, 0660);
    ck_assert_str_eq(c->listener.socket_group, "");
    ck_assert_uint_eq(v->total, 1000);
    ck_assert_uint_eq(v->max_waiting, 500);
    ck_assert_int_eq(v->session.tls, TLS_MAY);
    ck_assert_uint_eq(v->mx.own_count, 0);
    ck_assert(!v->mx.allow_private);
    ck_assert_uint_eq(v->smtp_port, 25);
}

static void check_default_times(const struct config *c)
{
    static const struct lifetime lifetimes[VERDICT_STATUS_COUNT] = {
        [STATUS_VALID] = {604800, 2678400},     [STATUS_INVALID] = {10800, 259200},
        [STATUS_CATCH_ALL] = {604800, 2678400}, [STATUS_UNKNOWN] = {3600, 43200},
        [STATUS_DEFERRED] = {300, 3600},
    };
    const struct session_opts *s = &c->verifier.session;

    ck_assert_int_eq(s->connect_ms, 10000);
    ck_assert_int_eq(s->greeting_ms, 30000);
    ck_assert_int_eq(s->command_ms, 30000);
    ck_assert_int_eq(s->tls_ms, 15000);
    ck_assert_int_gt(s->quit_ms, 0);
    ck_assert_int_eq(c->verifier.callout_ms, 120000);
    ck_assert_mem_eq(c->verifier.lifetimes, lifetimes, sizeof(lifetimes));
    ck_assert_int_eq(c->verifier.routed_invalid.refresh, 300);
    ck_assert_int_eq(c->verifier.routed_invalid.forget, 3600);
    ck_assert_uint_eq(c->store.size, UINT64_C(4) << 30);
    ck_assert_uint_eq(c->store.commit_ms, 10);
    ck_assert_uint_eq(c->store.commit_max, 1000);
    ck_assert_int_eq(c->verifier.confirm_invalid, 300);
}

START_TEST(test_defaults)
{
    struct config *c = conf_good(HELO_LINE);
    struct decision_opts d;

    ck_assert(!c->policy->sender_callout);
    ck_assert_str_eq(c->exempt.recipients, "");
    check_defaults(c);
    check_default_times(c);
    decision_defaults(&d);
    ck_assert_mem_eq(&c->policy->decision, &d, sizeof(d));
    config_free(&c);
    ck_assert_ptr_null(c);
    config_free(&c);
}
END_TEST

START_TEST(test_every_key)
{
    struct config *c = conf_good("// one of each\n"
                                 "helo_name = 'B\xc3\xbc"
                                 "cher.Example'\n"
                                 "probe_sender = \"\\\"a b\\\"@Example.NET\"\n"
                                 "state_dir = /srv/state user = mail log = stderr\n"
                                 "mode = monitor /* two\nlines */ wait = 1500ms\n"
                                 "networks = {10.0.0.0/8, \"2001:db8::/32\",}\n"
                                 "local_domains = {\"B\xc3\xbc"
                                 "cher.example\"}\n"
                                 "dns_servers = {192.0.2.53, '[2001:db8::53]:5353'}\n"
                                 "policy { listen = {'inet:[::1]:1', \"unix:/p\"} }\n"
                                 "control { listen = unix:/c } # end\n"
                                 "socket_mode = 0600 socket_group = mail\n"
                                 "cache { valid = {2h, 2h} size = 16MiB commit_interval = 1s\n"
                                 "        commit_records = 8192 confirm_invalid = 24h }\n"
                                 "limit { total = 7 max_waiting = 8 }\n"
                                 "timeout { connect = 1s greeting = 2s command = 3s tls = 4s\n"
                                 "          callout = 1h }\n"
                                 "tls = verify own_addresses = {192.0.2.1, \"2001:db8::1\"}\n"
                                 "private_destinations = allow smtp_port = 2525\n");
    const struct verifier_opts *v = &c->verifier;

    ck_assert_str_eq(v->session.helo_name, "xn--bcher-kva.example");
    ck_assert_str_eq(v->probe_sender, "\"a b\"@example.net");
    ck_assert_str_eq(c->store.dir, "/srv/state");
    ck_assert_str_eq(c->user, "mail");
    ck_assert_int_eq(c->log.target, LOG_TARGET_STDERR);
    for (int i = 0; i < MAIL_CLASS_COUNT; i++)
        ck_assert(c->policy->decision.monitor[i]);
    ck_assert_int_eq(c->policy->wait_ms, 1500);
    ck_assert_uint_eq(c->policy->network_count, 2);
    ck_assert_uint_eq(c->policy->networks[1].bits, 32);
    ck_assert_str_eq(c->policy->local_domains[0], "xn--bcher-kva.example");
    ck_assert_uint_eq(v->resolver.servers[0].port, 53);
    ck_assert_uint_eq(v->resolver.servers[1].port, 5353);
    ck_assert_int_eq(v->resolver.servers[1].ip.family, AF_INET6);
    ck_assert_uint_eq(c->policy_listen_count, 2);
    ck_assert_uint_eq(c->policy_listen[0].port, 1);
    ck_assert_str_eq(c->policy_listen[1].path, "/p");
    ck_assert_str_eq(c->control_listen.path, "/c");
    ck_assert_uint_eq(c->listener.socket_mode, 0600);
    ck_assert_str_eq(c->listener.socket_group, "mail");
    ck_assert_int_eq(v->lifetimes[STATUS_VALID].forget, 7200);
    ck_assert_int_eq(v->lifetimes[STATUS_INVALID].forget, 259200);
    ck_assert_uint_eq(c->store.size, 16 << 20);
    ck_assert_uint_eq(c->store.commit_ms, 1000);
    ck_assert_uint_eq(c->store.commit_max, 8192);
    ck_assert_int_eq(v->confirm_invalid, 86400);
    ck_assert_uint_eq(v->total, 7);
    ck_assert_uint_eq(v->max_waiting, 8);
    ck_assert_int_eq(v->session.command_ms, 3000);
    ck_assert_int_eq(v->callout_ms, 3600000);
    ck_assert_int_eq(v->session.tls, TLS_VERIFY);
    ck_assert_uint_eq(v->mx.own_count, 2);
    ck_assert(v->mx.allow_private);
    ck_assert_uint_eq(v->smtp_port, 2525);
    config_free(&c);
}
END_TEST

START_TEST(test_lists)
{
    struct config *c = conf_good(HELO_LINE "networks = {}\n");

    ck_assert_uint_eq(c->policy->network_count, 0);
    config_free(&c);
    c = conf_good(HELO_LINE "networks += {192.0.2.0/24}\n");
    ck_assert_uint_eq(c->policy->network_count, 3);
    ck_assert_uint_eq(c->policy->networks[2].bits, 24);
    config_free(&c);
}
END_TEST

START_TEST(test_strings)
{
    struct config *c = conf_good(HELO_LINE "user = 'a\\b\\'c\\\\d ${x} \"'\n"
                                           "socket_group = \"a\\\"b\\\\c # // /* '\"\n"
                                           "state_dir = /a*b+c//d/**/");

    ck_assert_str_eq(c->user, "a\\b'c\\d ${x} \"");
    ck_assert_str_eq(c->listener.socket_group, "a\"b\\c # // /* '");
    ck_assert_str_eq(c->state_dir, "/a*b+c//d");
    config_free(&c);
}
END_TEST

/* The environment must not be able to change what a file means. */
START_TEST(test_environment_is_not_looked_at)
{
    struct config *c;

    ck_assert_int_eq(setenv("CALLOUTD_TEST", "x", 1), 0);
    c = conf_good(HELO_LINE "user = '${CALLOUTD_TEST}'\nsocket_group = \"$CALLOUTD_TEST\"\n");
    ck_assert_str_eq(c->user, "${CALLOUTD_TEST}");
    ck_assert_str_eq(c->listener.socket_group, "$CALLOUTD_TEST");
    config_free(&c);
}
END_TEST

/* A reason's line counts more than its status's, whatever their order. */
START_TEST(test_actions)
{
    struct config *c = conf_good(HELO_LINE "action \"outbound\" {\n"
                                           "  null_mx = tempfail\n"
                                           "  invalid = accept\n"
                                           "  greylisted = reject\n"
                                           "}\n"
                                           "action 'inbound' { deferred = accept }\n");
    const enum action *out = c->policy->decision.actions[CLASS_OUTBOUND];
    const enum action *in = c->policy->decision.actions[CLASS_INBOUND];

    ck_assert_int_eq(out[REASON_NO_MAILBOX], ACTION_ACCEPT);
    ck_assert_int_eq(out[REASON_NULL_MX], ACTION_TEMPFAIL);
    ck_assert_int_eq(out[REASON_GREYLISTED], ACTION_REJECT);
    ck_assert_int_eq(out[REASON_TIMEOUT], ACTION_ACCEPT);
    ck_assert_int_eq(in[REASON_TIMEOUT], ACTION_ACCEPT);
    ck_assert_int_eq(in[REASON_NO_MAILBOX], ACTION_REJECT);
    config_free(&c);
}
END_TEST

static void write_text(const char *name, const char *text)
{
    conf_write(name, text, strlen(text));
}

/* Some editors begin UTF-8 with it. */
START_TEST(test_byte_order_mark)
{
    struct config *c = conf_good("\xef\xbb\xbf" HELO_LINE "wait = 7s\n");

    ck_assert_int_eq(c->policy->wait_ms, 7000);
    config_free(&c);
}
END_TEST

START_TEST(test_include)
{
    struct config *c;

    ck_assert_int_eq(mkdir("sub", 0700), 0);
    write_text("sub/a.conf", "include('b.conf') smtp_port = 26\n");
    write_text("sub/b.conf", "policy { listen = {'unix:/b'} } # no line end");
    c = conf_good(HELO_LINE "include(\"sub/a.conf\") wait = 1s\n");
    ck_assert_str_eq(c->policy_listen[0].path, "/b");
    ck_assert_uint_eq(c->verifier.smtp_port, 26);
    ck_assert_int_eq(c->policy->wait_ms, 1000);
    config_free(&c);
}
END_TEST

static void told(const struct config_problems *p, size_t index, const char *wanted)
{
    ck_assert_uint_gt(p->count, index);
    ck_assert_str_eq(p->lines[index], wanted);
}

/* Each in its own file and line, the same in those that include it. */
START_TEST(test_include_places)
{
    static const char text[] = HELO_LINE "\n"
                                         "include(sub/a.conf)\n"
                                         "wait = 0s include(missing.conf)\n"
                                         "include('sub') tls = x\n";
    struct config_problems p;

    ck_assert_int_eq(mkdir("sub", 0700), 0);
    write_text("sub/a.conf", "log = x\ninclude(b.conf)\npolicy {\n listen = {\"x\"}\n}\n");
    write_text("sub/b.conf", "\n\nlimit { total = 0 }\nuser = \"a\n");
    conf_bad(text, sizeof(text) - 1, &p);
    told(&p, 0, "sub/b.conf:4: a string without its closing quote");
    told(&p, 1, CONF_NAME ":4: include: missing.conf: No such file or directory");
    told(&p, 2, CONF_NAME ":5: include: sub: is no regular file");
    told(&p, 3, "sub/a.conf:1: log: \"x\" is none of: syslog, stderr, journal");
    told(&p, 4, CONF_NAME ":4: wait: \"0s\" is not from 1ms to 100s");
    told(&p, 5, CONF_NAME ":5: tls: \"x\" is none of: none, may, encrypt, verify");
    told(&p, 6,
         "sub/a.conf:4: policy.listen: \"x\" is neither \"inet:ADDRESS:PORT\" nor "
         "\"unix:/PATH\" (of at most 107 octets)");
    told(&p, 7, "sub/b.conf:3: limit.total: \"0\" is not from 1 to 100000");
    ck_assert_uint_eq(p.count, 8);
    config_problems_free(&p);
}
END_TEST

START_TEST(test_include_twice_and_in_circles)
{
    struct config_problems p;

    write_text("a.conf", "wait = 1s\n\ninclude(b.conf)\n");
    write_text("b.conf", "include(./a.conf)\n");
    conf_bad("include(a.conf)", 15, &p);
    told(&p, 0, "b.conf:1: include: ./a.conf: includes itself");
    config_problems_free(&p);

    write_text("a.conf", "\nwait = 1s\n");
    conf_bad(HELO_LINE "include(a.conf)include(a.conf)",
             strlen(HELO_LINE "include(a.conf)include(a.conf)"), &p);
    told(&p, 0, "a.conf:2: wait is given twice, first at a.conf:2");
    ck_assert_uint_eq(p.count, 1);
    config_problems_free(&p);
}
END_TEST

START_TEST(test_include_is_bounded)
{
    struct config_problems p;
    struct config *c;
    char name[32], text[64], many[64 * 20] = HELO_LINE;

    for (int i = 1; i <= 9; i++) {
        (void)snprintf(name, sizeof(name), "deep%d", i);
        (void)snprintf(text, sizeof(text), "include(deep%d)\n", i + 1);
        write_text(name, i < 9 ? text : "wait = 1s\n");
    }
    c = conf_good(HELO_LINE "include(deep2)\n"); /* 8 deep */
    config_free(&c);
    conf_bad("include(deep1)", 14, &p);
    told(&p, 0, "deep8:1: include: deep9: is included too deep");
    config_problems_free(&p);

    write_text("empty", "");
    for (int i = 1; i <= 64; i++)
        (void)snprintf(many + strlen(many), sizeof(many) - strlen(many), "include(empty)\n");
    conf_bad(many, strlen(many), &p);
    told(&p, 0, CONF_NAME ":65: include: empty: is one file too many");
    config_problems_free(&p);
}
END_TEST

static void note_key(void *arg, const char *key)
{
    char *all = arg;

    (void)snprintf(all + strlen(all), 256 - strlen(all), "%s ", key);
}

START_TEST(test_restart_keys)
{
    struct config *a = conf_good(HELO_LINE), *same = conf_good(HELO_LINE);
    struct config *b = conf_good(
        "helo_name = other.example.net wait = 1s user = u state_dir = /s\n"
        "socket_mode = 0600 socket_group = g\n"
        "cache { size = 1GiB commit_interval = 1ms commit_records = 1 confirm_invalid = 0s }\n"
        "policy { listen = {\"unix:/p\"} } milter { listen = '' } control { listen = unix:/c }\n"
        "networks = {} log = stderr tls = none limit { total = 1 }\n");
    struct config *c = conf_good(HELO_LINE "policy { listen += {'unix:/p'} }\n");
    char keys[256] = "";

    config_restart_keys(a, same, note_key, keys);
    ck_assert_str_eq(keys, "");
    config_restart_keys(a, b, note_key, keys);
    ck_assert_str_eq(keys, "state_dir user socket_mode socket_group policy.listen milter.listen "
                           "control.listen cache.size cache.commit_interval cache.commit_records ");
    keys[0] = '\0';
    config_restart_keys(a, c, note_key, keys);
    ck_assert_str_eq(keys, "policy.listen ");
    config_free(&a);
    config_free(&same);
    config_free(&b);
    config_free(&c);
}
END_TEST

/* Checked, and let go of: what is compared octet by octet must hold no pointers. */
static void drop_lists(struct policy_opts *a, struct policy_opts *b)
{
    ck_assert_uint_eq(a->network_count, b->network_count);
    ck_assert_mem_eq(a->networks, b->networks, a->network_count * sizeof(a->networks[0]));
    ck_assert_uint_eq(a->local_domain_count, 0);
    free(a->networks);
    free(b->networks);
    a->networks = b->networks = NULL;
    route_table_unref(&a->routes);
    route_table_unref(&b->routes);
}

static void check_equal(struct config *a, struct config *b)
{
    struct policy_opts *policy = b->policy;

    drop_lists(a->policy, b->policy);
    ck_assert_mem_eq(a->policy, b->policy, sizeof(*a->policy));
    route_table_unref(&a->verifier.routes);
    route_table_unref(&b->verifier.routes);
    reply_rules_unref(&a->verifier.replies);
    reply_rules_unref(&b->verifier.replies);
    providers_unref(&a->verifier.providers);
    providers_unref(&b->verifier.providers);
    b->policy = a->policy;
    ck_assert_mem_eq(a, b, sizeof(*a));
    b->policy = policy;
}

/* The sample file, with what it has commented out. Its text begins with "# ", one space. */
static char *uncommented(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = NULL, line[512];
    size_t size, keys = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_msg(in != NULL, "%s", path);
    ck_assert_ptr_nonnull(out);
    while (fgets(line, sizeof(line), in) != NULL) {
        bool key = line[0] == '#' && (line[1] != ' ' || line[2] == ' ') && line[1] != '\n';

        ck_assert_msg(line[0] == '#' || line[0] == '\n', "in force in the sample: %s", line);
        fputs(key ? line + 1 : line, out);
        keys += key;
    }
    fclose(in);
    fclose(out);
    ck_assert_uint_gt(keys, 40);
    return text;
}

/* Every line of the sample says what holds without it. */
START_TEST(test_sample_is_the_defaults)
{
    struct config *a = conf_good(""), *b;
    char *text = uncommented(SRCDIR "/etc/calloutd.conf");

    b = conf_good(text);
    check_equal(a, b);
    config_free(&a);
    config_free(&b);
    free(text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf");
    TCase *t = tcase_create("conf");

    tcase_add_checked_fixture(t, conf_setup, conf_teardown);
    tcase_add_test(t, test_defaults);
    tcase_add_test(t, test_every_key);
    tcase_add_test(t, test_lists);
    tcase_add_test(t, test_strings);
    tcase_add_test(t, test_environment_is_not_looked_at);
    tcase_add_test(t, test_actions);
    tcase_add_test(t, test_byte_order_mark);
    tcase_add_test(t, test_include);
    tcase_add_test(t, test_include_places);
    tcase_add_test(t, test_include_twice_and_in_circles);
    tcase_add_test(t, test_include_is_bounded);
    tcase_add_test(t, test_restart_keys);
    tcase_add_test(t, test_sample_is_the_defaults);
    suite_add_tcase(s, t);
    return suite_run(s);
}
