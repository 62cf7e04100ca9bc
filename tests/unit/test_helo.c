/* conf/helo: which names we greet with, which are refused, where this host's own comes from. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/helo.h"
#include "conf_fixture.h"
#include "suite.h"

enum end { TAKEN, WARNED, REFUSED };

static void settle(const char *given, enum end wanted, const char *becomes)
{
    char name[256];
    const char *warning = "not set";
    struct error err = {""};
    bool ok;

    (void)str_copy(name, sizeof(name), given);
    ok = helo_settle(name, sizeof(name), &warning, &err);
    ck_assert_msg(ok == (wanted != REFUSED), "%s: %s", given, err.text);
    ck_assert_msg((warning != NULL) == (wanted == WARNED), "%s: warning", given);
    if (ok)
        ck_assert_str_eq(name, becomes);
    else
        ck_assert_msg(strstr(err.text, "set helo_name") != NULL, "%s: %s", given, err.text);
}

START_TEST(test_configured)
{
    settle("mail.example.net", TAKEN, "mail.example.net");
    settle("Mail.Example.NET", TAKEN, "mail.example.net");
    settle("b\xc3\xbc"
           "cher.example",
           TAKEN, "xn--bcher-kva.example");
    settle("[192.0.2.1]", WARNED, "[192.0.2.1]");
    settle("[IPv6:2001:db8::1]", WARNED, "[IPv6:2001:db8::1]");
    settle("localhost", REFUSED, NULL);
    settle("LOCALHOST", REFUSED, NULL);
    settle("localhost.localdomain", REFUSED, NULL);
    settle("x.localhost", REFUSED, NULL);
    settle("mail", REFUSED, NULL);
    settle("192.0.2.1", REFUSED, NULL);
    settle("2001:db8::1", REFUSED, NULL);
    settle("[192.0.2.256]", REFUSED, NULL);
    settle("[192.0.2.1", REFUSED, NULL);
    settle("-mail.example.net", REFUSED, NULL);
    settle("mail..example.net", REFUSED, NULL);
    settle("mail.example.net\r\nRSET", REFUSED, NULL);
}
END_TEST

START_TEST(test_found)
{
    settle("", TAKEN, "mail.example.net");
    conf_host_name = "mail";
    conf_host_canonical = "mail.example.org";
    settle("", TAKEN, "mail.example.org");
    conf_host_name = "localhost.localdomain";
    settle("", TAKEN, "mail.example.org");
}
END_TEST

START_TEST(test_not_found)
{
    conf_host_name = "mail";
    settle("", REFUSED, NULL);
    conf_host_canonical = "mail";
    settle("", REFUSED, NULL);
    conf_host_canonical = "localhost";
    settle("", REFUSED, NULL);
    conf_host_name = NULL;
    settle("", REFUSED, NULL);
    conf_host_name = "";
    settle("", REFUSED, NULL);
}
END_TEST

/* The problem stands where helo_name is given, or is the file's. */
START_TEST(test_places)
{
    struct config_problems p;
    struct config *cfg;

    conf_host_name = "mail";
    conf_bad("\n", 1, &p);
    ck_assert_ptr_eq(strstr(p.lines[0], CONF_NAME ": helo_name: \"mail\""), p.lines[0]);
    config_problems_free(&p);
    conf_bad("\n\nhelo_name = mail\n", 19, &p);
    ck_assert_ptr_eq(strstr(p.lines[0], CONF_NAME ":3: helo_name: \"mail\""), p.lines[0]);
    config_problems_free(&p);
    conf_write(CONF_NAME, "\nhelo_name = '[192.0.2.1]'\n", 27);
    cfg = config_load(CONF_NAME, &p);
    ck_assert_ptr_nonnull(cfg);
    ck_assert_uint_eq(p.count, 1);
    ck_assert_uint_eq(p.errors, 0);
    ck_assert_ptr_eq(strstr(p.lines[0], CONF_NAME ":2: warning: helo_name: "), p.lines[0]);
    config_problems_free(&p);
    config_free(&cfg);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("helo");
    TCase *t = tcase_create("helo");

    tcase_add_checked_fixture(t, conf_setup, conf_teardown);
    tcase_add_test(t, test_configured);
    tcase_add_test(t, test_found);
    tcase_add_test(t, test_not_found);
    tcase_add_test(t, test_places);
    suite_add_tcase(s, t);
    return suite_run(s);
}
