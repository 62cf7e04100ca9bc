/* conf: routes, good and bad, in two spellings, in included files, and many of them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_fixture.h"
#include "suite.h"

START_TEST(test_route)
{
    struct config *c = conf_good(HELO_LINE "route \"Example.COM\" { to = \"[10.0.0.5]:25\" }\n");
    const struct route *r = route_find(c->policy->routes, "example.com");

    ck_assert_ptr_eq(c->verifier.routes, c->policy->routes);
    ck_assert_ptr_nonnull(r);
    ck_assert_str_eq(r->domain, "example.com");
    ck_assert(!r->lmtp);
    ck_assert_int_eq(r->outage, ROUTE_OUTAGE_STALE);
    ck_assert_uint_eq(r->target_count, 1);
    ck_assert_int_eq(r->targets[0].kind, ROUTE_TARGET_IP);
    ck_assert_uint_eq(r->targets[0].port, 25);
    ck_assert_ptr_null(route_find(c->policy->routes, "sub.example.com"));
    config_free(&c);
}
END_TEST

START_TEST(test_every_key_of_a_route)
{
    struct config *c = conf_good(HELO_LINE "route '*.B\xc3\xbc"
                                           "cher.Example' {\n"
                                           "  protocol = lmtp outage = tempfail\n"
                                           "  to = {'unix:/run/lmtp', \"Backend.Example:24\",\n"
                                           "        '[mail.example.com]', '[2001:db8::1]:26'}\n"
                                           "}\n"
                                           "route plain.example { to = unix:/p outage = accept }");
    const struct route *r = route_find(c->policy->routes, "a.b.xn--bcher-kva.example");

    ck_assert_ptr_nonnull(r);
    ck_assert_str_eq(r->domain, "*.xn--bcher-kva.example");
    ck_assert(r->lmtp);
    ck_assert_int_eq(r->outage, ROUTE_OUTAGE_TEMPFAIL);
    ck_assert_uint_eq(r->target_count, 4);
    ck_assert_int_eq(r->targets[0].kind, ROUTE_TARGET_UNIX);
    ck_assert_int_eq(r->targets[1].kind, ROUTE_TARGET_MX);
    ck_assert_str_eq(r->targets[1].name, "backend.example");
    ck_assert_int_eq(r->targets[2].kind, ROUTE_TARGET_HOST);
    ck_assert_uint_eq(r->targets[2].port, 0);
    ck_assert_int_eq(r->targets[3].ip.family, AF_INET6);
    r = route_find(c->policy->routes, "plain.example");
    ck_assert_int_eq(r->outage, ROUTE_OUTAGE_ACCEPT);
    ck_assert(!r->lmtp);
    config_free(&c);
}
END_TEST

/* A wildcard leaves room for a local domain in it, and for another route. */
START_TEST(test_local_domain_below_a_wildcard)
{
    struct config *c = conf_good(HELO_LINE "local_domains = {mail.example.com, example.com}\n"
                                           "route '*.example.com' { to = '[10.0.0.1]' }\n"
                                           "route 'a.example.com' { to = '[10.0.0.2]' }\n");

    ck_assert_str_eq(route_find(c->policy->routes, "a.example.com")->domain, "a.example.com");
    ck_assert_str_eq(route_find(c->policy->routes, "b.example.com")->domain, "*.example.com");
    config_free(&c);
}
END_TEST

/* One problem each. HELO_LINE comes before, as line 1. */
static const struct {
    const char *text;
    const char *says;
} bad[] = {
    {"route { to = x }", ":2: unknown section: route"},
    {"route \"\" { to = x }", ":2: unknown section: route"},
    {"\nroute \"exa mple.com\" { to = x }", ":3: route: \"exa mple.com\" is no domain"},
    {"route '[192.0.2.1]' { to = x }", ":2: route: \"[192.0.2.1]\" is no domain"},
    {"route '*' { to = x }", ":2: route: \"*\" is no domain"},
    {"route '*.' { to = x }", ":2: route: \"*.\" is no domain"},
    {"route 'a.*.example' { to = x }", ":2: route: \"a.*.example\" is no domain"},
    {"route 'a@b.example' { to = x }", ":2: route: \"a@b.example\" is no domain"},
    {"route 'a\\'b\\\\.example' { to = x }", ":2: route: \"a'b\\.example\" is no domain"},
    {"route a.example { }", ":2: route a.example: \"to\" is missing"},
    {"\nroute a.example { outage = stale to = {} }", ":3: route a.example: \"to\" is missing"},
    {"route a.example {\n to = {x,\n '[192.0.2.1'} }",
     ":4: route a.example: to: \"[192.0.2.1\" is"},
    {"route a.example { to = unix:run/lmtp }", "is no server: [ADDRESS]:PORT"},
    {"route a.example { to = '[::1]:0' }", "is no server: [ADDRESS]:PORT"},
    {"route a.example { to = x\n protocol = smtps }",
     ":3: route a.example: protocol: \"smtps\" is none of: smtp, lmtp"},
    {"route a.example { to = x\n\n outage = reject }",
     ":4: route a.example: outage: \"reject\" is none of: stale, accept, tempfail"},
    {"route a.example { to = x\n protocol = {smtp} }", ":3: protocol: takes one value"},
    {"route a.example { to = x\n port = 25 }", ":3: unknown key: route a.example: port"},
    {"route a.example { to = x\n to = y }", ":3: route a.example: to is given twice, first at "},
    {"route a.example { to = {a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,\nq} }",
     ":3: route a.example: to: \"q\" is one too many (16 at most)"},
    {"route a.example { to = x }\nroute 'a.example' { }",
     ":3: route a.example is given twice, first at calloutd.conf:2"},
    {"route A.example { to = x }\nroute a.example { to = y }",
     ":3: route: \"a.example\" is given twice: there is a route for a.example"},
    {"route xn--bcher-kva.example { to = x }\nroute '*.b.example' { to = x }\n"
     "route 'b\xc3\xbc"
     "cher.example' { to = y }",
     "is given twice: there is a route for xn--bcher-kva.example"},
    {"route '*.a.example' { to = x }\nroute '*.A.example' { to = y }",
     ":3: route: \"*.A.example\" is"},
    {"local_domains = {b.example, a.example, c.example}\nroute 'A.example' { to = x }",
     ":3: route: \"A.example\" is in local_domains, and local_domains are never called out"},
    {"cache { routed_invalid = {1h, 5m} }", ":2: cache.routed_invalid: is forgotten before"},
};

START_TEST(test_bad)
{
    conf_bad_line(bad[_i].text, bad[_i].says);
}
END_TEST

static void write_text(const char *name, const char *text)
{
    conf_write(name, text, strlen(text));
}

START_TEST(test_places_in_included_files)
{
    static const char text[] = HELO_LINE "include(a.conf)\nroute a.example { to = x }\n";
    struct config_problems p;

    write_text("a.conf",
               "\nroute b.example {\n  to = y\n  outage = x\n}\nroute A.example { to = x }\n"
               "route c.example { }\n");
    conf_bad(text, sizeof(text) - 1, &p);
    ck_assert_uint_eq(p.count, 3);
    ck_assert_str_eq(
        p.lines[0], "a.conf:4: route b.example: outage: \"x\" is none of: stale, accept, tempfail");
    ck_assert_str_eq(p.lines[1],
                     "a.conf:7: route c.example: \"to\" is missing: the servers to ask");
    ck_assert_str_eq(p.lines[2], CONF_NAME ":3: route: \"a.example\" is given twice: there is a "
                                           "route for a.example");
    config_problems_free(&p);
}
END_TEST

/* What is too long is not taken for what its beginning says. */
START_TEST(test_title_is_bounded)
{
    struct config_problems p;
    char text[2048] = HELO_LINE "route '", *at = text + strlen(text);

    memset(at, 'a', 600);
    memcpy(at + 600, "' { to = x }\n", 14);
    conf_bad(text, strlen(text), &p);
    ck_assert_uint_eq(p.count, 1);
    ck_assert_str_eq(p.lines[0], CONF_NAME ":2: a title of route that is longer than 511 octets");
    config_problems_free(&p);
}
END_TEST

START_TEST(test_many)
{
    struct config *c;
    char *text = NULL, domain[64];
    size_t size;
    FILE *f = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(f);
    fputs(HELO_LINE, f);
    for (int i = 0; i < 10000; i++)
        fprintf(f,
                "route \"d%d.example\" { to = \"[10.0.%d.%d]\" protocol = lmtp outage = accept }\n",
                i, i / 256, i % 256);
    ck_assert_int_eq(fclose(f), 0);
    c = conf_good(text);
    for (int i = 0; i < 10000; i++) {
        const struct route *r;

        (void)snprintf(domain, sizeof(domain), "d%d.example", i);
        r = route_find(c->policy->routes, domain);
        ck_assert_ptr_nonnull(r);
        ck_assert_uint_eq(r->targets[0].ip.bytes[3], (unsigned)i % 256);
    }
    config_free(&c);
    free(text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("conf_routes");
    TCase *t = tcase_create("conf_routes");

    tcase_add_checked_fixture(t, conf_setup, conf_teardown);
    tcase_add_test(t, test_route);
    tcase_add_test(t, test_every_key_of_a_route);
    tcase_add_test(t, test_local_domain_below_a_wildcard);
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, test_places_in_included_files);
    tcase_add_test(t, test_title_is_bounded);
    tcase_add_test(t, test_many);
    suite_add_tcase(s, t);
    return suite_run(s);
}
