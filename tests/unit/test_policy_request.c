/* frontend/policy_request: what Postfix sends, and what it never would. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "frontend/policy_request.h"
#include "suite.h"

#define HEAD "request=smtpd_access_policy\n"

/* With an empty line behind it, and then some. The values are in a copy that lasts until the next
   one. */
static bool parse(const char *text, struct policy_request *r, const char **why)
{
    static const char behind[] = "\nrequest=";
    static char copy[1024];
    size_t len = strlen(text), used;

    ck_assert_uint_lt(len + sizeof(behind), sizeof(copy));
    memcpy(copy, text, len);
    memcpy(copy + len, behind, sizeof(behind));
    used = policy_request_parse(copy, len + sizeof(behind) - 1, r, why);
    ck_assert(used == 0 || used == len + 1);
    return used > 0;
}

START_TEST(test_a_request_of_postfix)
{
    static const char text[] = HEAD "protocol_state=RCPT\n"
                                    "protocol_name=ESMTP\n"
                                    "client_address=192.0.2.7\n"
                                    "client_name=client.example.com\n"
                                    "sender=bob@example.com\n"
                                    "recipient=a=b@example.net\n"
                                    "recipient_count=0\n"
                                    "queue_id=8045F2AB23\n"
                                    "instance=123.456.7\n"
                                    "sasl_method=plain\n"
                                    "sasl_username=you\n"
                                    "ccert_subject=\n"
                                    "ccert_fingerprint=\n"
                                    "size=12345\n";
    struct policy_request r;
    const char *why = NULL;

    memset(&r, 0xa5, sizeof(r));
    ck_assert_msg(parse(text, &r, &why), "%s", why);
    ck_assert_str_eq(r.request, "smtpd_access_policy");
    ck_assert_str_eq(r.protocol_state, "RCPT");
    ck_assert_str_eq(r.client_address, "192.0.2.7");
    ck_assert_str_eq(r.sender, "bob@example.com");
    ck_assert_str_eq(r.recipient, "a=b@example.net");
    ck_assert_str_eq(r.queue_id, "8045F2AB23");
    ck_assert_str_eq(r.instance, "123.456.7");
    ck_assert_str_eq(r.sasl_username, "you");
    ck_assert_str_eq(r.ccert_fingerprint, "");
}
END_TEST

START_TEST(test_absent_ones_are_empty)
{
    struct policy_request r;
    const char *why = NULL;

    memset(&r, 0xa5, sizeof(r));
    ck_assert(parse(HEAD, &r, &why));
    ck_assert_str_eq(r.recipient, "");
    ck_assert_str_eq(r.sasl_username, "");
}
END_TEST

static const struct {
    const char *text, *why;
} bad[] = {
    {"", "not an smtpd_access_policy request"},
    {"recipient=a@example.com\n", "not an smtpd_access_policy request"},
    {"request=junk_mail\n", "not an smtpd_access_policy request"},
    {"request=SMTPD_ACCESS_POLICY\n", "not an smtpd_access_policy request"},
    {HEAD "GET / HTTP/1.1\n", "line without ="},
    {HEAD "=value\n", "line without a name"},
    {"\n" HEAD, "not an smtpd_access_policy request"},
    {HEAD "recipient=a@example.com\nrecipient=b@example.com\n", "recipient given twice"},
    {HEAD "recipient=\nrecipient=b@example.com\n", "recipient given twice"},
    {HEAD "queue_id=\nqueue_id=\n", "queue_id given twice"},
};

START_TEST(test_bad)
{
    struct policy_request r;
    const char *why = NULL;

    ck_assert(!parse(bad[_i].text, &r, &why));
    ck_assert_str_eq(why, bad[_i].why);
}
END_TEST

START_TEST(test_nul)
{
    static char text[] = HEAD "recipient=a\0b@example.com\n\n";
    struct policy_request r;
    const char *why = NULL;

    ck_assert(!policy_request_parse(text, sizeof(text) - 1, &r, &why));
    ck_assert_str_eq(why, "NUL byte");
}
END_TEST

START_TEST(test_nul_behind_it)
{
    static char text[] = HEAD "\nrecipient=a\0b@example.com\n\n";
    struct policy_request r;
    const char *why = NULL;

    ck_assert_uint_eq(policy_request_parse(text, sizeof(text) - 1, &r, &why), sizeof(HEAD));
}
END_TEST

START_TEST(test_no_empty_line)
{
    static const char *const texts[] = {"", HEAD, HEAD "recipient=a@example.com"};
    char copy[100];
    struct policy_request r;
    const char *why = NULL;

    (void)str_copy(copy, sizeof(copy), texts[_i]);
    ck_assert_uint_eq(policy_request_parse(copy, strlen(copy), &r, &why), 0);
    ck_assert_str_eq(why, "no empty line");
}
END_TEST

/* `name`=xxx... of n octets after a good head; returns the length. */
static size_t long_request(char *buf, const char *name, size_t n)
{
    size_t at = strlen(HEAD);

    memcpy(buf, HEAD, at);
    memcpy(buf + at, name, strlen(name));
    at += strlen(name);
    buf[at++] = '=';
    memset(buf + at, 'x', n);
    at += n;
    buf[at++] = '\n';
    buf[at++] = '\n';
    return at;
}

START_TEST(test_lengths)
{
    static char buf[POLICY_REQUEST_MAX + 100];
    struct policy_request r;
    const char *why = NULL;
    size_t fixed = long_request(buf, "helo_name", 0);

    ck_assert(
        policy_request_parse(buf, long_request(buf, "sender", POLICY_ATTRIBUTE_MAX), &r, &why));
    ck_assert_uint_eq(strlen(r.sender), POLICY_ATTRIBUTE_MAX);
    ck_assert(
        policy_request_parse(buf, long_request(buf, "sender", POLICY_ATTRIBUTE_MAX + 1), &r, &why));
    ck_assert_uint_eq(strlen(r.sender), POLICY_ATTRIBUTE_MAX);
    ck_assert(!r.recipient_cut);
    ck_assert(
        policy_request_parse(buf, long_request(buf, "recipient", POLICY_ATTRIBUTE_MAX), &r, &why));
    ck_assert(!r.recipient_cut);
    ck_assert(policy_request_parse(buf, long_request(buf, "recipient", POLICY_ATTRIBUTE_MAX + 1),
                                   &r, &why));
    ck_assert(r.recipient_cut);
    ck_assert(policy_request_parse(buf, long_request(buf, "helo_name", POLICY_REQUEST_MAX - fixed),
                                   &r, &why));
    ck_assert(!policy_request_parse(
        buf, long_request(buf, "helo_name", POLICY_REQUEST_MAX - fixed + 1), &r, &why));
    ck_assert_str_eq(why, "request longer than 65536 octets");
}
END_TEST

START_TEST(test_unknown_ones_may_repeat)
{
    struct policy_request r;
    const char *why = NULL;

    ck_assert(parse(HEAD "color=red\ncolor=blue\nrecipientx=1\nrecip=2\n", &r, &why));
    ck_assert_str_eq(r.recipient, "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy_request");
    TCase *t = tcase_create("policy_request");

    tcase_add_test(t, test_a_request_of_postfix);
    tcase_add_test(t, test_absent_ones_are_empty);
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, test_nul);
    tcase_add_test(t, test_nul_behind_it);
    tcase_add_loop_test(t, test_no_empty_line, 0, 3);
    tcase_add_test(t, test_lengths);
    tcase_add_test(t, test_unknown_ones_may_repeat);
    suite_add_tcase(s, t);
    return suite_run(s);
}
