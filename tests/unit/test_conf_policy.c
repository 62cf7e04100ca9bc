/* conf: what is done and who is asked: actions, replies, brake, exempt files, milter, senders. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf_fixture.h"
#include "suite.h"

static void write_text(const char *name, const char *text)
{
    conf_write(name, text, strlen(text));
}

START_TEST(test_mode_of_each_class)
{
    struct config *c = conf_good(HELO_LINE "action outbound { mode = enforce }\n"
                                           "action sender { mode = enforce }\nmode = monitor\n");
    const bool *monitor = c->policy->decision.monitor;

    ck_assert(!monitor[CLASS_OUTBOUND] && monitor[CLASS_INBOUND] && !monitor[CLASS_SENDER]);
    config_free(&c);
    c = conf_good(HELO_LINE "action inbound { mode = monitor }\n");
    monitor = c->policy->decision.monitor;
    ck_assert(!monitor[CLASS_OUTBOUND] && monitor[CLASS_INBOUND] && !monitor[CLASS_SENDER]);
    config_free(&c);
}
END_TEST

START_TEST(test_flags_and_senders)
{
    struct config *c = conf_good(HELO_LINE "action outbound { smtputf8 = reject role = tempfail }\n"
                                           "action sender { no_mailbox = accept invalid = tempfail "
                                           "role = reject }\n");
    const struct decision_opts *d = &c->policy->decision;

    ck_assert_int_eq(d->flag_actions[CLASS_OUTBOUND][FLAG_SMTPUTF8], ACTION_REJECT);
    ck_assert_int_eq(d->flag_actions[CLASS_OUTBOUND][FLAG_ROLE], ACTION_TEMPFAIL);
    ck_assert_int_eq(d->flag_actions[CLASS_INBOUND][FLAG_ROLE], ACTION_ACCEPT);
    ck_assert_int_eq(d->flag_actions[CLASS_SENDER][FLAG_ROLE], ACTION_REJECT);
    ck_assert_int_eq(d->actions[CLASS_SENDER][REASON_NO_MAILBOX], ACTION_ACCEPT);
    ck_assert_int_eq(d->actions[CLASS_SENDER][REASON_NULL_MX], ACTION_TEMPFAIL);
    ck_assert_int_eq(d->actions[CLASS_INBOUND][REASON_NULL_MX], ACTION_REJECT);
    config_free(&c);
}
END_TEST

START_TEST(test_replies)
{
    struct config *c = conf_good(HELO_LINE "reply {\n"
                                           "  no_mailbox = \"no %{recipient} here\"\n"
                                           "  invalid = 'bad: 100%%'\n"
                                           "}\n");
    const struct decision_opts *d = &c->policy->decision;

    ck_assert_str_eq(d->reply[REASON_NO_MAILBOX], "no %{recipient} here");
    ck_assert_str_eq(d->reply[REASON_NULL_MX], "bad: 100%%");
    ck_assert_str_eq(d->reply[REASON_TIMEOUT], "");
    config_free(&c);
}
END_TEST

START_TEST(test_brake)
{
    struct config *c = conf_good(HELO_LINE "brake { invalid = 0 share = 100 window = 90s }\n");

    ck_assert_uint_eq(c->policy->brake.invalid, 0);
    ck_assert_uint_eq(c->policy->brake.share, 100);
    ck_assert_int_eq(c->policy->brake.window_ms, 90000);
    config_free(&c);
    c = conf_good(HELO_LINE);
    ck_assert_uint_eq(c->policy->brake.invalid, 50);
    ck_assert_uint_eq(c->policy->brake.share, 50);
    ck_assert_int_eq(c->policy->brake.window_ms, 3600000);
    config_free(&c);
}
END_TEST

START_TEST(test_sender_callout)
{
    static const struct {
        const char *word;
        bool means;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},
                 {"false", false}, {"no", false}, {"off", false}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char text[128];
        struct config *c;

        (void)snprintf(text, sizeof(text), HELO_LINE "sender_callout { enable = %s }\n",
                       words[i].word);
        c = conf_good(text);
        ck_assert_int_eq(c->policy->sender_callout, words[i].means);
        config_free(&c);
    }
}
END_TEST

START_TEST(test_own_sender)
{
    struct config *c = conf_good(HELO_LINE "probe_sender = '\"Probe\"@Example.NET'\n");

    ck_assert_str_eq(c->policy->own_senders[0], "probe@example.net");
    config_free(&c);
    c = conf_good(HELO_LINE);
    ck_assert_str_eq(c->policy->own_senders[0], "");
    config_free(&c);
}
END_TEST

static bool has(const struct exempt *e, const char *text)
{
    struct address a;
    const char *why;

    ck_assert(address_parse(text, strlen(text), &a, &why));
    return exempt_has_address(e, &a);
}

START_TEST(test_exempt)
{
    char text[512], dir[256];
    struct config *c;

    ck_assert_int_eq(mkdir("sub", 0700), 0);
    write_text("sub/senders", "# ours\n\n@example.com\n<>\n");
    write_text("clients", "192.0.2.0/24\r\n2001:db8::1");
    write_text("recipients", "User@example.org # told us so\n");
    ck_assert_ptr_nonnull(realpath(".", dir));
    (void)snprintf(text, sizeof(text),
                   HELO_LINE "exempt { senders = sub/senders clients = clients\n"
                             "         recipients = \"%s/recipients\" }\n",
                   dir);
    c = conf_good(text);
    ck_assert(has(c->policy->exempt_recipients, "user@example.org"));
    ck_assert(!has(c->policy->exempt_recipients, "a@example.com"));
    ck_assert(has(c->policy->exempt_senders, "a@example.com"));
    ck_assert(exempt_has_address(c->policy->exempt_senders, NULL));
    ck_assert(exempt_has_client(c->policy->exempt_clients, "192.0.2.9"));
    ck_assert(exempt_has_client(c->policy->exempt_clients, "2001:db8::1"));
    config_free(&c);
    c = conf_good(HELO_LINE);
    ck_assert_ptr_null(c->policy->exempt_recipients);
    ck_assert_ptr_null(c->policy->exempt_senders);
    ck_assert_ptr_null(c->policy->exempt_clients);
    config_free(&c);
}
END_TEST

/* Relative to the configuration file, wherever it is read from, and whoever includes what. */
START_TEST(test_exempt_beside_the_configuration)
{
    struct config_problems p;
    struct config *c;

    ck_assert_int_eq(mkdir("sub", 0700), 0);
    write_text("sub/x.conf", HELO_LINE "exempt { clients = clients }\n");
    write_text("sub/clients", "192.0.2.1\n");
    c = config_load("sub/x.conf", &p);
    ck_assert_msg(c != NULL, "%s", p.count > 0 ? p.lines[0] : "no problem told");
    ck_assert(exempt_has_client(c->policy->exempt_clients, "192.0.2.1"));
    config_free(&c);
    config_problems_free(&p);
}
END_TEST

START_TEST(test_bad_exempt)
{
    static const char text[] = HELO_LINE "exempt {\n  recipients = missing\n  senders = fifo\n"
                                         "  clients = clients\n}\nwait = 0s\n";
    struct config_problems p;

    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    write_text("clients", "192.0.2.1\n\n192.0.2.1/24\n");
    conf_bad(text, sizeof(text) - 1, &p);
    ck_assert_uint_eq(p.count, 4);
    ck_assert_str_eq(p.lines[0], CONF_NAME ":7: wait: \"0s\" is not from 1ms to 100s");
    ck_assert_str_eq(p.lines[1],
                     CONF_NAME ":3: exempt.recipients: missing: No such file or directory");
    ck_assert_str_eq(p.lines[2], CONF_NAME ":4: exempt.senders: fifo: is no regular file");
    ck_assert_str_eq(p.lines[3], "clients:3: \"192.0.2.1/24\" is no address and no network (the "
                                 "bits behind the prefix must be 0)");
    config_problems_free(&p);
}
END_TEST

START_TEST(test_exempt_is_bounded)
{
    static char text[EXEMPT_FILE_MAX + 1];
    static const char conf[] = HELO_LINE "exempt { senders = big }\n";
    struct config_problems p;
    struct config *c;

    memset(text, '\n', sizeof(text));
    conf_write("big", text, EXEMPT_FILE_MAX);
    c = conf_good(conf);
    config_free(&c);
    conf_write("big", text, sizeof(text));
    conf_bad(conf, sizeof(conf) - 1, &p);
    ck_assert_str_eq(p.lines[0], CONF_NAME ":2: exempt.senders: big: is longer than 16 MiB");
    config_problems_free(&p);
}
END_TEST

START_TEST(test_milter)
{
    struct config *a = conf_good(HELO_LINE), *b, *off;
    struct config_problems p;

    ck_assert_str_eq(a->milter_listen, "inet:8894@127.0.0.1");
    b = conf_good(HELO_LINE "milter { listen = 'inet6:8894@[::1]' } policy { listen = {} }\n");
    ck_assert_str_eq(b->milter_listen, "inet6:8894@[::1]");
    ck_assert_uint_eq(b->policy_listen_count, 0);
    off = conf_good(HELO_LINE "milter { listen = '' } wait = 100s\n");
    ck_assert_str_eq(off->milter_listen, "");
    config_free(&a);
    config_free(&b);
    config_free(&off);

    write_text(CONF_NAME, HELO_LINE "\nwait = 10s\n");
    a = config_load(CONF_NAME, &p);
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_eq(p.count, 1);
    ck_assert_uint_eq(p.errors, 0);
    ck_assert_ptr_nonnull(strstr(p.lines[0], CONF_NAME ":3: warning: wait: Sendmail gives up"));
    config_problems_free(&p);
    config_free(&a);
}
END_TEST

START_TEST(test_catch_all_and_senders)
{
    struct config *c = conf_good(HELO_LINE "probe_sender_fallback = 'Fallback@Example.NET'\n"
                                           "fold_local_part = false\n"
                                           "catch_all { test = always probes = 3 }\n");
    struct config_problems p;

    ck_assert_str_eq(c->verifier.probe_sender_fallback, "Fallback@example.net");
    ck_assert_str_eq(c->policy->own_senders[1], "fallback@example.net");
    ck_assert_str_eq(c->policy->own_senders[0], "");
    ck_assert(!c->policy->fold_local_part);
    ck_assert_int_eq(c->policy->catch_all_test, CATCH_ALL_TEST_ALWAYS);
    ck_assert_uint_eq(c->verifier.catch_all_probes, 3);
    config_free(&c);

    write_text(CONF_NAME, HELO_LINE "probe_sender = 'a@example.net'\n"
                                    "probe_sender_fallback = 'b@example.net'\n");
    c = config_load(CONF_NAME, &p);
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(p.count, 1);
    ck_assert_uint_eq(p.errors, 0);
    ck_assert_ptr_nonnull(strstr(p.lines[0], CONF_NAME ":3: warning: probe_sender_fallback"));
    config_problems_free(&p);
    config_free(&c);
}
END_TEST

/* One problem each. HELO_LINE comes before, as line 1. */
static const struct {
    const char *text;
    const char *says;
} bad[] = {
    {"action sender {\n  mode = maybe }", ":3: action sender: mode: \"maybe\" is none of: enforce"},
    {"action outbound {\n\n  skipped = reject }", ":4: action outbound: skipped: there is no such "
                                                  "key: who is not called out is always accepted"},
    {"action sender { skipped = accept }", ":2: action sender: skipped: there is no such key"},
    {"action inbound { disposable = accept }", ":2: unknown key: action inbound: disposable"},
    {"action inbound { role = maybe }", ":2: action inbound: role: \"maybe\" is none of: accept"},
    {"reply { skipped = x }", ":2: reply.skipped: there is no such key"},
    {"reply { role = x }", ":2: unknown key: reply.role"},
    {"reply { outbound = x }", ":2: unknown key: reply.outbound"},
    {"reply {\n valid = '' }", ":3: reply.valid: \"\" is empty"},
    {"reply {\n valid = '%{address}' }",
     ":3: reply.valid: \"%{address}\" has no such variable: \"address\""},
    {"reply { no_domain = '%{mx' }", "has no such variable: \"mx\""},
    {"reply { no_domain = 'n\xc3\xb6' }", "is not printable ASCII"},
    {"brake { invalid = -1 }", ":2: brake.invalid: \"-1\" is no number"},
    {"brake { invalid = 1000001 }", ":2: brake.invalid: \"1000001\" is not from 0 to 1000000"},
    {"brake { share = 0 }", ":2: brake.share: \"0\" is not from 1 to 100"},
    {"brake { share = 101 }", ":2: brake.share: \"101\" is not from 1 to 100"},
    {"brake { share = 50% }", ":2: brake.share: \"50%\" is no number"},
    {"brake { window = 999ms }", ":2: brake.window: \"999ms\" is not from 1s to 31d"},
    {"sender_callout { enable = 1 }", "sender_callout.enable: \"1\" is none of: true, false, yes"},
    {"sender_callout { enable = {true} }", ":2: enable: takes one value, and no list"},
    {"exempt { recipients = . }", ":2: exempt.recipients: .: is no regular file"},
    {"exempt { addresses = x }", ":2: unknown key: exempt.addresses"},
    {"milter { listen = {'inet:1'} }", ":2: listen: takes one value, and no list"},
    {"milter { listen = 'inet:127.0.0.1:8894' }", ":2: milter.listen: \"inet:127.0.0.1:8894\" is"},
    {"milter { listen = 'inet:0@127.0.0.1' }", "is no milter socket"},
    {"milter { listen = 'inet:65536@127.0.0.1' }", "is no milter socket"},
    {"milter { listen = 'inet:8894@::1' }", "is no milter socket"},
    {"milter { listen = 'unix:run/milter' }", "is no milter socket"},
    {"milter { listen = '/run/milter' }", "is no milter socket"},
    {"policy {\n listen = {}\n}\nmilter { listen = '' }",
     ":3: policy.listen: is empty, and so is milter.listen: nobody could ask"},
};

START_TEST(test_bad)
{
    conf_bad_line(bad[_i].text, bad[_i].says);
}
END_TEST

START_TEST(test_places_in_included_files)
{
    static const char text[] = HELO_LINE "include(a.conf)\n";
    struct config_problems p;

    write_text("a.conf", "\nreply {\n  invalid = '%{x}'\n}\nbrake {\n  share = 0\n}\n");
    conf_bad(text, sizeof(text) - 1, &p);
    ck_assert_uint_eq(p.count, 2);
    ck_assert_str_eq(p.lines[0], "a.conf:6: brake.share: \"0\" is not from 1 to 100");
    ck_assert_str_eq(p.lines[1], "a.conf:3: reply.invalid: \"%{x}\" has no such variable: \"x\"");
    config_problems_free(&p);
}
END_TEST

START_TEST(test_template_is_bounded)
{
    char text[1024] = HELO_LINE "reply { invalid = '", *at = text + strlen(text);
    struct config_problems p;
    struct config *c;

    memset(at, 'x', TEMPLATE_MAX);
    memcpy(at + TEMPLATE_MAX, "' }\n", 5);
    c = conf_good(text);
    ck_assert_uint_eq(strlen(c->policy->decision.reply[REASON_MOVED]), TEMPLATE_MAX);
    config_free(&c);
    memcpy(at + TEMPLATE_MAX, "x' }\n", 6);
    conf_bad(text, strlen(text), &p);
    ck_assert_ptr_nonnull(strstr(p.lines[0], "is longer than 400 octets"));
    config_problems_free(&p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf_policy");
    TCase *t = tcase_create("conf_policy");

    tcase_add_checked_fixture(t, conf_setup, conf_teardown);
    tcase_add_test(t, test_mode_of_each_class);
    tcase_add_test(t, test_flags_and_senders);
    tcase_add_test(t, test_replies);
    tcase_add_test(t, test_brake);
    tcase_add_test(t, test_sender_callout);
    tcase_add_test(t, test_own_sender);
    tcase_add_test(t, test_exempt);
    tcase_add_test(t, test_exempt_beside_the_configuration);
    tcase_add_test(t, test_bad_exempt);
    tcase_add_test(t, test_exempt_is_bounded);
    tcase_add_test(t, test_milter);
    tcase_add_test(t, test_catch_all_and_senders);
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, test_places_in_included_files);
    tcase_add_test(t, test_template_is_bounded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
