/* conf: what is wrong is told, with the file and the line it stands in, and nothing else is. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_fixture.h"
#include "suite.h"

/* One problem each. HELO_LINE comes before, as line 1. */
static const struct {
    const char *text;
    unsigned line;
    const char *says;
} bad[] = {
    /* keys and sections */
    {"colour = blue", 2, "unknown key: colour"},
    {"\n\npolicy {\n  colour = blue\n}\n", 5, "unknown key: policy.colour"},
    {"policy { timeout = 1s }", 2, "unknown key: policy.timeout"},
    {"Wait = 1s", 2, "unknown key: Wait"},
    {"dovecot { }", 2, "unknown section: dovecot"},
    {"action { valid = accept }", 2, "unknown section: action"},
    {"action \"sideways\" { valid = accept }", 2, "unknown section: action sideways"},
    {"policy \"outbound\" { }", 2, "unknown section: policy outbound"},
    {"action \"outbound\" { free = accept }", 2, "unknown key: action outbound: free"},
    {"wait = 1s\n\nwait = 2s", 4, "wait is given twice, first at calloutd.conf:2"},
    {"cache {\n size = 1GiB\n size = 1GiB\n}", 4, "cache.size is given twice, first at "},
    {"timeout { tls = 1s }\ntimeout { connect = 1s }", 3, "timeout is given twice, first at "},
    {"action outbound { }\naction \"outbound\" { }", 3, "action outbound is given twice"},
    {"helo_name = a.example.net", 2, "helo_name is given twice, first at calloutd.conf:1"},
    {"wait = {6s}", 2, "wait: takes one value, and no list"},
    {"networks = 10.0.0.0/8", 2, "networks: takes a list: { ... }"},
    {"policy = 1", 2, "unknown key: policy"},
    {"wait += 1s", 2, "wait: takes one value: \"=\""},

    /* durations, sizes, numbers, modes */
    {"wait = 6", 2, "wait: \"6\" is no duration"},
    {"user = mail s\nlog = syslog", 2, "s, but no \"=\" or \"{\" after it"},
    {"wait = 6S", 2, "\"6S\" is no duration"},
    {"wait = 1.5s", 2, "\"1.5s\" is no duration"},
    {"wait = -1s", 2, "\"-1s\" is no duration"},
    {"wait = ''", 2, "\"\" is no duration"},
    {"wait = 0s", 2, "wait: \"0s\" is not from 1ms to 100s"},
    {"wait = 101s", 2, "wait: \"101s\" is not from 1ms to 100s"},
    {"wait = 99999999999999999999s", 2, "is no duration"},
    {"wait = 18446744073709551615d", 2, "is no duration"},
    {"\ntimeout {\n  connect = 5s\n  callout = 61m\n}", 5, "\"61m\" is not from 1ms to 1h"},
    {"cache { valid = {7d} }", 2, "cache.valid: needs two durations"},
    {"cache { valid = {} }", 2, "cache.valid: needs two durations"},
    {"cache { valid = {1d, 2d, 3d} }", 2, "cache.valid: \"3d\" is one too many"},
    {"cache { valid = {7d,\n 6d} }", 2, "cache.valid: is forgotten before it is refreshed"},
    {"cache { deferred = {500ms, 1h} }", 2, "\"500ms\" is not from 1s to 3650d"},
    {"cache { deferred = {1s, 3651d} }", 2, "\"3651d\" is not from 1s to 3650d"},
    {"cache { commit_interval = 0s }", 2, "\"0s\" is not from 1ms to 1s"},
    {"cache { commit_interval = 1001ms }", 2, "\"1001ms\" is not from 1ms to 1s"},
    {"cache { commit_records = 0 }", 2, "\"0\" is not from 1 to 8192"},
    {"cache { commit_records = 8193 }", 2, "\"8193\" is not from 1 to 8192"},
    {"cache { confirm_invalid = 1500ms }", 2, "\"1500ms\" is no whole number of seconds"},
    {"cache { confirm_invalid = 25h }", 2, "\"25h\" is not from 0 to 1d"},
    {"cache { size = 4GB }", 2, "\"4GB\" is no size"},
    {"cache { size = 1023KiB }", 2, "\"1023KiB\" is not from 1MiB to 64TiB"},
    {"cache { size = 17179869184TiB }", 2, "is no size"},
    {"limit { total = 0 }", 2, "limit.total: \"0\" is not from 1 to 100000"},
    {"limit { total = ten }", 2, "limit.total: \"ten\" is no number"},
    {"limit { max_waiting = 0x10 }", 2, "\"0x10\" is no number"},
    {"limit { connections = 0 }", 2, "limit.connections: \"0\" is not from 1 to 1000"},
    {"limit { connections = 1001 }", 2, "limit.connections: \"1001\" is not from 1 to 1000"},
    {"limit { per_connection = 0 }", 2, "limit.per_connection: \"0\" is not from 1 to 10000"},
    {"limit { burst = 0 }", 2, "limit.burst: \"0\" is not from 1 to 100000"},
    {"limit { rate = 2 }", 2, "limit.rate: \"2\" is no rate"},
    {"limit { rate = none }", 2, "limit.rate: \"none\" is no rate"},
    {"limit { rate = 0/s }", 2, "limit.rate: \"0/s\" is not from 4/h to 1000/s"},
    {"limit { rate = {2/s} }", 2, "rate: takes one value"},
    {"timeout { idle = 0 }", 2, "timeout.idle: \"0\" is no duration"},
    {"timeout { idle = 61m }", 2, "timeout.idle: \"61m\" is not from 0 to 1h"},
    {"greylist { retry = 5m }", 2, "retry: takes a list"},
    {"greylist { retry = {5m,\n 999ms} }", 3, "greylist.retry: \"999ms\" is not from 1s to 1d"},
    {"greylist { retry = {25h} }", 2, "greylist.retry: \"25h\" is not from 1s to 1d"},
    {"greylist { retry = {1m,1m,1m,1m,1m,1m,1m,1m,1m,1m,\n2m} }", 3,
     "greylist.retry: \"2m\" is one too many (10 at most)"},
    {"smtp_port = 65536", 2, "smtp_port: \"65536\" is not from 1 to 65535"},
    {"smtp_port = 0", 2, "smtp_port: \"0\" is not from 1 to 65535"},
    {"socket_mode = 0999", 2, "socket_mode: \"0999\" is no file mode"},
    {"socket_mode = 01777", 2, "socket_mode: \"01777\" is no file mode"},

    /* words */
    {"mode = sometimes", 2, "mode: \"sometimes\" is none of: enforce, monitor"},
    {"log = file", 2, "log: \"file\" is none of: syslog, stderr, journal"},
    {"tls = always", 2, "tls: \"always\" is none of: none, may, encrypt, verify"},
    {"private_destinations = maybe", 2, "is none of: refuse, allow"},
    {"action \"inbound\" {\n invalid = accept\n null_mx = drop\n}", 4,
     "action inbound: null_mx: \"drop\" is none of: accept, tempfail, reject"},

    /* addresses, networks, names, paths */
    {"networks = {\"::1\",\n \"10.0.0.1/8\"}", 3, "networks: \"10.0.0.1/8\" is no network"},
    {"networks = {\"10.0.0.0/33\"}", 2, "\"10.0.0.0/33\" is no network"},
    {"networks = {\"localhost\"}", 2, "\"localhost\" is no network"},
    {"networks = {\"\"}", 2, "\"\" is no network"},
    {"own_addresses = {\"192.0.2.0/24\"}", 2, "\"192.0.2.0/24\" is no IP address"},
    {"source_addresses = {\"192.0.2.0/24\"}", 2, "source_addresses: \"192.0.2.0/24\" is no IP"},
    {"source_addresses = {mail.example.net}", 2, "\"mail.example.net\" is no IP address"},
    {"source_addresses = {0.0.0.0}", 2, "\"0.0.0.0\" is no address that a connection can come"},
    {"source_addresses = {224.0.0.1}", 2, "\"224.0.0.1\" is no address that a connection can"},
    {"source_addresses = {'::'}", 2, "\"::\" is no address that a connection can come from"},
    {"source_addresses = {'fe80::1'}", 2, "\"fe80::1\" is no address that a connection can come"},
    {"source_addresses = {'::ffff:192.0.2.1'}", 2, "\"::ffff:192.0.2.1\" is no address that a"},
    {"source_addresses = {192.0.2.1, '2001:db8::1',\n'2001:DB8:0::1'}", 3,
     "source_addresses: \"2001:DB8:0::1\" is given twice"},
    {"dns_servers = {\"ns.example.net\"}", 2, "is no address of a DNS server"},
    {"dns_servers = {\"192.0.2.53:0\"}", 2, "\"192.0.2.53:0\" is not from 1 to 65535"},
    {"dns_servers = {\"[2001:db8::53\"}", 2, "is no address of a DNS server"},
    {"dns_servers = {\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"1.1.1.4\",\"1.1.1.5\",\"1.1.1.6\","
     "\"1.1.1.7\",\"1.1.1.8\",\n\"1.1.1.9\"}",
     3, "dns_servers: \"1.1.1.9\" is one too many (8 at most)"},
    {"local_domains = {\"exa mple.com\"}", 2, "local_domains: \"exa mple.com\" is no domain"},
    {"local_domains = {\"[192.0.2.1]\"}", 2, "is no domain"},
    {"probe_sender_fallback = x", 2, "probe_sender_fallback: \"x\" is no mail address"},
    {"catch_all { test = sometimes }", 2, "catch_all.test: \"sometimes\" is none of"},
    {"catch_all { probes = 4 }", 2, "catch_all.probes: \"4\""},
    {"fold_local_part = perhaps", 2, "fold_local_part: \"perhaps\" is none of"},
    {"probe_sender = postmaster", 2, "probe_sender: \"postmaster\" is no mail address"},
    {"probe_sender = \"<>\"", 2, "is no mail address"},
    {"probe_sender = \"j\xc3\xb6rg@example.net\"", 2, "must be ASCII"},
    {"state_dir = var/lib/calloutd", 2, "state_dir: \"var/lib/calloutd\" is no absolute path"},
    {"user = \"\"", 2, "user: \"\" is empty"},
    {"policy { listen = {} } milter { listen = '' }", 2, "policy.listen: is empty"},
    {"policy { listen = {\"127.0.0.1:8893\"} }", 2, "is neither \"inet:ADDRESS:PORT\" nor"},
    {"policy { listen = {\"inet:127.0.0.1:0\"} }", 2, "is neither \"inet:ADDRESS:PORT\" nor"},
    {"policy { listen = {\"unix:relative\"} }", 2, "is neither \"inet:ADDRESS:PORT\" nor"},
    {"policy { listen = {\"inet:[::1]:1\",\n\"inet:[::1]:1\"} }", 3, "is given twice"},
    {"control { listen = \"inet:127.0.0.1:8892\" }", 2,
     "control.listen: \"inet:127.0.0.1:8892\" "
     "needs a token"},
    {"control { listen = \"/run/control\" }", 2, "is neither \"inet:ADDRESS:PORT\" nor"},

    /* syntax */
    {"log = \"syslog\nwait = \"6s\"", 2, "a string without its closing quote"},
    {"log = 'syslog\nwait = 6s", 2, "a string without its closing quote"},
    {"log = 'syslog\\'", 2, "a string without its closing quote"},
    {"log = \"syslog", 2, "a string without its closing quote"},
    {"wait = 6s\n/* no end\nlog = syslog\n", 3, "a comment without its end"},
    {"wait = 6s /*/", 2, "a comment without its end"},
    {"\npolicy {\n listen = {\"inet:[::1]:1\"}\n", 3, "section policy has no end"},
    {"networks = {\"::1\"\n", 2, "end of file where \",\" or \"}\" should be"},
    {"networks = {\"::1\" \"::2\"}", 2, "\"::2\" where \",\" or \"}\" should be"},
    {"networks = {,}", 2, "\",\" where a value or \"}\" should be"},
    {"networks = {{\"::1\"}}", 2, "\"{\" where a value or \"}\" should be"},
    {"wait =\n", 2, "end of file where a value should be"},
    {"wait\n", 2, "wait, but no \"=\" or \"{\" after it"},
    {"wait = = 6s", 2, "\"=\" where a value should be"},
    {"}", 2, "\"}\" where a key or section should be"},
    {"= 6s", 2, "\"=\" where a key or section should be"},
    {"\"wait\" = 6s", 2, "\"wait\" where a key or section should be"},
    {"wait(6s)", 2, "wait, but no \"=\" or \"{\" after it"},
    {"policy { policy { } }", 2, "policy, but no \"=\" after it"},
    {"policy { include(\"x\") }", 2, "include, but no \"=\" after it"},
    {"include \"x\"", 2, "include, but no \"=\" or \"{\" after it"},
    {"include(", 2, "end of file where a file name should be"},
    {"include(\"x\"", 2, "end of file where \")\" should be"},
    {"log = \"\\d\"", 2, "a backslash in double quotes"},
    {"user = \"${HOME}\"", 2, "\"${\": the environment is not looked at"},
    {"user = ${HOME}", 2, "\"${\": the environment is not looked at"},
    {"user = \"a${USER:-root}\"", 2, "\"${\": the environment is not looked at"},
    {"\xef\xbb\xbfwait = 6s", 2, "unknown key: "},
};

static const char *after_line(const char *problem, unsigned line)
{
    char head[64];
    int len = snprintf(head, sizeof(head), CONF_NAME ":%u: ", line);

    return strncmp(problem, head, (size_t)len) == 0 ? problem + len : NULL;
}

START_TEST(test_bad)
{
    struct config_problems p;
    const char *message;
    char text[1024];

    (void)snprintf(text, sizeof(text), HELO_LINE "%s\n", bad[_i].text);
    conf_bad(text, strlen(text), &p);
    message = after_line(p.lines[0], bad[_i].line);
    ck_assert_msg(message != NULL, "%s: not in line %u: %s", bad[_i].text, bad[_i].line,
                  p.lines[0]);
    ck_assert_msg(strstr(message, bad[_i].says) != NULL, "%s: %s", bad[_i].text, message);
    ck_assert_msg(p.count == 1, "%s: and also: %s", bad[_i].text, p.count > 1 ? p.lines[1] : "");
    config_problems_free(&p);
}
END_TEST

START_TEST(test_crlf_counts_lines_once)
{
    static const char text[] =
        HELO_LINE "wait = 6s\r\n\r\n# comment\r\npolicy {\r\nlisten = 1\r\n}\r\n";
    struct config_problems p;

    conf_bad(text, sizeof(text) - 1, &p);
    ck_assert_str_eq(p.lines[0], CONF_NAME ":6: listen: takes a list: { ... }");
    config_problems_free(&p);
}
END_TEST

START_TEST(test_nul_octet)
{
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } nuls[] = {
        {"\nwait = 6\0s", 11, ":2: a NUL octet"},
        {"\n\0", 2, ":2: a NUL octet"},
        {"\nlog = \"sys\0log\"", 16, ":2: a string without its closing quote"},
        {"\nlog = 'sys\\\0log'", 17, ":2: a string without its closing quote"},
    };
    struct config_problems p;

    for (size_t i = 0; i < sizeof(nuls) / sizeof(nuls[0]); i++) {
        conf_bad(nuls[i].text, nuls[i].len, &p);
        ck_assert_msg(strstr(p.lines[0], nuls[i].says) != NULL, "%zu: %s", i, p.lines[0]);
        config_problems_free(&p);
    }
}
END_TEST

static void fill(char *text, size_t len, const char *head, char c, const char *tail)
{
    memset(text, c, len);
    memcpy(text, head, strlen(head));
    memcpy(text + len - strlen(tail), tail, strlen(tail));
}

START_TEST(test_very_long_lines)
{
    static char text[300000];
    struct config_problems p;

    fill(text, sizeof(text), HELO_LINE, 'x', " = 1\n");
    conf_bad(text, sizeof(text), &p);
    ck_assert_ptr_nonnull(strstr(p.lines[0], CONF_NAME ":2: unknown key: xxx"));
    config_problems_free(&p);

    fill(text, sizeof(text), HELO_LINE "user = '", 'x', "'\nwait = 1\n");
    conf_bad(text, sizeof(text), &p);
    ck_assert_uint_eq(p.count, 2);
    ck_assert_ptr_nonnull(after_line(p.lines[0], 2));
    ck_assert_ptr_nonnull(after_line(p.lines[1], 3));
    config_problems_free(&p);
}
END_TEST

START_TEST(test_file_is_bounded)
{
    static char text[(1 << 20) + 1];
    struct config_problems p;

    memset(text, '\n', sizeof(text));
    memcpy(text, HELO_LINE, strlen(HELO_LINE));
    conf_write(CONF_NAME, text, sizeof(text) - 1);
    config_free(&(struct config *){config_load(CONF_NAME, &p)});
    ck_assert_uint_eq(p.count, 0);
    conf_bad(text, sizeof(text), &p);
    ck_assert_str_eq(p.lines[0], CONF_NAME ": is longer than 1 MiB");
    config_problems_free(&p);
}
END_TEST

START_TEST(test_keys_are_bounded)
{
    struct config_problems p;
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(f);
    for (int i = 1; i <= 100000; i++)
        fprintf(f, "k%d=1\n", i);
    ck_assert_int_eq(fclose(f), 0);
    conf_bad(text, size, &p);
    ck_assert_uint_eq(p.count, PROBLEMS_MAX);
    ck_assert_uint_ge(p.errors, 100000);
    ck_assert_str_eq(p.lines[0], CONF_NAME ":50001: more than 50000 keys");
    config_problems_free(&p);
    free(text);
}
END_TEST

START_TEST(test_unreadable)
{
    struct config_problems p;

    ck_assert_ptr_null(config_load("missing.conf", &p));
    ck_assert_uint_eq(p.count, 1);
    ck_assert_str_eq(p.lines[0], "missing.conf: No such file or directory");
    config_problems_free(&p);

    ck_assert_ptr_null(config_load(".", &p));
    ck_assert_str_eq(p.lines[0], ".: is no regular file");
    config_problems_free(&p);

    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    ck_assert_ptr_null(config_load("fifo", &p));
    ck_assert_str_eq(p.lines[0], "fifo: is no regular file");
    config_problems_free(&p);

    conf_write("secret", "", 0);
    ck_assert_int_eq(chmod("secret", 0), 0);
    if (geteuid() != 0) {
        ck_assert_ptr_null(config_load("secret", &p));
        ck_assert_str_eq(p.lines[0], "secret: Permission denied");
        config_problems_free(&p);
    }
}
END_TEST

/* All bad values at once, and the first syntax error after them. */
START_TEST(test_every_problem_is_told)
{
    static const char text[] = HELO_LINE "wait = 0s\n"
                                         "limit {\n"
                                         "  total = 0\n"
                                         "  nonsense = 1\n"
                                         "}\n"
                                         "tls = {may, none}\n"
                                         "dovecot {\n"
                                         "  listen = 1\n"
                                         "}\n"
                                         "mode = sometimes\n"
                                         "user = mail\n"
                                         "user = ''\n"
                                         "policy {\n"
                                         "  listen = {\"x\"\n"
                                         "mode = 1\n";
    static const unsigned lines[] = {2, 4, 5, 7, 8, 11, 16};
    struct config_problems p;

    conf_bad(text, sizeof(text) - 1, &p);
    ck_assert_uint_eq(p.count, 9); /* line 13 twice: the second of its kind, and empty */
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        size_t told = 0;

        for (size_t j = 0; j < p.count; j++)
            told += after_line(p.lines[j], lines[i]) != NULL;
        ck_assert_msg(told == 1, "line %u is told %zu times", lines[i], told);
    }
    config_problems_free(&p);
}
END_TEST

/* What is quoted cannot write to a terminal. */
START_TEST(test_problems_are_one_printable_line)
{
    static const char text[] = "user = x\nb\033[2Jad\x01 = 1\n";
    struct config_problems p;

    conf_bad(text, sizeof(text) - 1, &p);
    ck_assert_str_eq(p.lines[0], CONF_NAME ":2: unknown key: b?[2Jad?");
    config_problems_free(&p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf_bad");
    TCase *t = tcase_create("conf_bad");

    tcase_add_checked_fixture(t, conf_setup, conf_teardown);
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, test_crlf_counts_lines_once);
    tcase_add_test(t, test_nul_octet);
    tcase_add_test(t, test_very_long_lines);
    tcase_add_test(t, test_file_is_bounded);
    tcase_add_test(t, test_keys_are_bounded);
    tcase_add_test(t, test_unreadable);
    tcase_add_test(t, test_every_problem_is_told);
    tcase_add_test(t, test_problems_are_one_printable_line);
    suite_add_tcase(s, t);
    return suite_run(s);
}
