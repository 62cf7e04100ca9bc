/* callout/reply_rules and reply_syntax: how rules are written, which are refused, which fits. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "callout/reply_syntax.h"
#include "rules_rig.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

START_TEST(test_codes)
{
    static const char *const none[] = {"",    "5",   "55",   "5500", "600", "199", "5y",
                                       "5yy", "5YZ", "5yzz", "1yz",  "6yz", " 550"};
    struct reply_code_range range;
    struct error err;

    ck_assert(reply_code_parse("550", &range, &err) && range.low == 550 && range.high == 550);
    ck_assert(reply_code_parse("200", &range, &err) && range.low == 200 && range.high == 200);
    ck_assert(reply_code_parse("5yz", &range, &err) && range.low == 500 && range.high == 599);
    ck_assert(reply_code_parse("2yz", &range, &err) && range.low == 200 && range.high == 299);
    for (size_t i = 0; i < COUNT(none); i++) {
        ck_assert_msg(!reply_code_parse(none[i], &range, &err), "%s", none[i]);
        ck_assert_str_eq(err.text, "is no code: 200 to 599, or 2yz, 3yz, 4yz, 5yz");
    }
}
END_TEST

START_TEST(test_enhanced)
{
    static const char *const none[] = {"",      "5",     "5.1",    "5.1.",    "5.1.1.1",
                                       "3.1.1", "*.1.1", "5.1.1 ", "5..1",    "5.x.1",
                                       "NONE",  "X.1.1", "5.1.**", "5.1.*.1", " 5.1.1"};
    struct reply_enhanced e;
    struct error err;

    ck_assert(reply_enhanced_parse("5.1.10", &e, &err));
    ck_assert(e.cls == 5 && e.subject == 1 && e.detail == 10);
    ck_assert(reply_enhanced_parse("x.7.*", &e, &err));
    ck_assert(e.cls == REPLY_ENHANCED_ANY && e.subject == 7 && e.detail == REPLY_ENHANCED_ANY);
    ck_assert(reply_enhanced_parse("4.*.999", &e, &err));
    ck_assert(e.cls == 4 && e.subject == REPLY_ENHANCED_ANY && e.detail == 999);
    ck_assert(reply_enhanced_parse("none", &e, &err));
    ck_assert(e.cls == 0 && e.subject == 0 && e.detail == 0);
    ck_assert(!reply_enhanced_parse("5.1.1000", &e, &err));
    for (size_t i = 0; i < COUNT(none); i++)
        ck_assert_msg(!reply_enhanced_parse(none[i], &e, &err), "%s", none[i]);
}
END_TEST

START_TEST(test_lines)
{
    static char longest[REPLY_LINE_MAX + 1];
    struct smtp_reply r = rig_reply("550 5.1.1 no such user");
    struct error err;

    ck_assert_uint_eq(r.code, 550);
    ck_assert(r.enhanced.cls == 5 && r.enhanced.subject == 1 && r.enhanced.detail == 1);
    ck_assert_str_eq(r.text, "no such user");
    r = rig_reply("550-5.1.1 no such user\r");
    ck_assert(r.enhanced.cls == 5 && r.enhanced.detail == 1);
    ck_assert_str_eq(r.text, "no such user");
    r = rig_reply("421");
    ck_assert_uint_eq(r.code, 421);
    ck_assert_str_eq(r.text, "");
    ck_assert(!reply_line_parse("", 0, &r, &err));
    ck_assert_str_eq(err.text, "line without a reply code");
    ck_assert(!reply_line_parse("user unknown", 12, &r, &err));
    ck_assert(!reply_line_parse("550 a\n550 b", 11, &r, &err));
    ck_assert_str_eq(err.text, "more than one line");
    ck_assert(!reply_line_parse("550 \0x", 6, &r, &err));
    ck_assert_str_eq(err.text, "NUL in a reply");
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "550 ", 4);
    ck_assert(reply_line_parse(longest, REPLY_LINE_MAX - 1, &r, &err));
    ck_assert_uint_eq(strlen(r.text), REPLY_TEXT_MAX - 1);
    ck_assert(!reply_line_parse(longest, REPLY_LINE_MAX, &r, &err));
    ck_assert(!reply_line_parse(longest, REPLY_LINE_MAX + 1, &r, &err));
    ck_assert_str_eq(err.text, "line longer than 4096 bytes");
}
END_TEST

static const struct {
    const char *text;
    unsigned stages;
    const char *stage; /* or why not */
} examples[] = {
    {"550 no", 0, "rcpt"},
    {"550 no", RIG_MAIL | RIG_RCPT, "rcpt"},
    {"550 no", RIG_MAIL, "mail"},
    {"550 no", RIG_MAIL | 1u << SMTP_STAGE_EHLO, "ehlo"},
    {"550 no", 1u << SMTP_STAGE_QUIT, "quit"},
    {"mail: 550 no", 0, "mail"},
    {"mail:550 no", RIG_MAIL | RIG_RCPT, "mail"},
    {"greeting:   554 no", 0, "greeting"},
    {"mail: 550 no", RIG_RCPT, "is of stage mail, which its rule has not"},
    {"data: 550 no", 0, "is of no stage that there is: 'data'"},
    {"no", 0, "is no reply: line without a reply code"},
    {"mail:", 0, "is no reply: line without a reply code"},
    {"", 0, "is no reply: line without a reply code"},
};

START_TEST(test_examples)
{
    struct smtp_reply r;
    struct error err;
    enum smtp_stage stage;
    bool ok = reply_example_parse(examples[_i].text, examples[_i].stages, &stage, &r, &err);

    ck_assert_str_eq(ok ? smtp_stage_name(stage) : err.text, examples[_i].stage);
    ck_assert(!ok || strcmp(r.text, "no") == 0);
}
END_TEST

static const struct {
    struct rig_rule rule;
    const char *why; /* NULL: taken */
} added[] = {
    {{"a-1", 0, NULL, NULL, NULL, NULL, REASON_BLOCKED}, NULL},
    {{"first", 0, NULL, NULL, NULL, NULL, REASON_BLOCKED}, "there is one of that name before it"},
    {{"", 0, NULL, NULL, NULL, NULL, REASON_BLOCKED},
     "its name is none: a-z, 0-9 and -, 47 at most"},
    {{"A", 0, NULL, NULL, NULL, NULL, REASON_BLOCKED},
     "its name is none: a-z, 0-9 and -, 47 at most"},
    {{"a", 0, NULL, NULL, NULL, "user", REASON_PENDING}, "no reply tells the reason pending"},
    {{"a", 0, NULL, NULL, NULL, NULL, REASON_DELIVERED}, "no reply tells the reason delivered"},
    {{"a", RIG_RCPT, "250", NULL, NULL, NULL, REASON_ACCEPTS_EVERYTHING},
     "no reply tells the reason accepts_everything"},
    {{"a", RIG_RCPT, "550", NULL, NULL, NULL, REASON_BOUNCED}, "no reply tells the reason bounced"},
    /* invalid */
    {{"a", RIG_RCPT, "5yz", NULL, NULL, "user", REASON_NO_MAILBOX}, NULL},
    {{"a", RIG_RCPT, "500 599", NULL, NULL, NULL, REASON_MOVED}, NULL},
    {{"a", RIG_RCPT, NULL, NULL, NULL, "user", REASON_NO_MAILBOX},
     "the reason no_mailbox has to be bound to stage rcpt and codes of 5yz"},
    {{"a", 0, "550", "5.1.1", NULL, NULL, REASON_NO_MAILBOX},
     "the reason no_mailbox has to be bound to stage rcpt and codes of 5yz"},
    {{"a", RIG_RCPT | RIG_MAIL, "550", NULL, NULL, NULL, REASON_MAILBOX_DISABLED},
     "the reason mailbox_disabled has to be bound to stage rcpt and codes of 5yz"},
    {{"a", RIG_RCPT, "550 450", NULL, NULL, NULL, REASON_BAD_SYNTAX},
     "the reason bad_syntax has to be bound to stage rcpt and codes of 5yz"},
    {{"a", RIG_RCPT, "4yz", NULL, NULL, NULL, REASON_NULL_MX},
     "the reason null_mx has to be bound to stage rcpt and codes of 5yz"},
    {{"a", RIG_RCPT, "454 5yz", NULL, NULL, "relay", REASON_NO_DOMAIN}, NULL},
    {{"a", RIG_RCPT, "354 550", NULL, NULL, "relay", REASON_NO_DOMAIN},
     "the reason no_domain has to be bound to stage rcpt and codes of 4yz or 5yz"},
    /* valid */
    {{"a", RIG_RCPT, "2yz", NULL, NULL, NULL, REASON_MAILBOX_EXISTS}, NULL},
    {{"a", RIG_RCPT, "251", NULL, NULL, NULL, REASON_FORWARDED}, NULL},
    {{"a", 0, "250", NULL, NULL, NULL, REASON_MAILBOX_EXISTS},
     "the reason mailbox_exists has to be bound to stage rcpt and codes of 2yz"},
    {{"a", RIG_RCPT, "551", NULL, NULL, NULL, REASON_FORWARDED},
     "the reason forwarded has to be bound to stage rcpt and codes of 2yz"},
    {{"a", RIG_RCPT, "4yz 552", NULL, NULL, NULL, REASON_MAILBOX_FULL}, NULL},
    {{"a", RIG_RCPT, "250", NULL, NULL, NULL, REASON_MAILBOX_FULL},
     "the reason mailbox_full has to be bound to stage rcpt and codes of 4yz or 5yz"},
    /* what harms nobody may be said of anything */
    {{"a", 0, NULL, NULL, NULL, NULL, REASON_CANNOT_VERIFY}, NULL},
    {{"a", 1u << SMTP_STAGE_STARTTLS, "454", NULL, NULL, NULL, REASON_TLS_FAILED}, NULL},
};

START_TEST(test_what_may_be_added)
{
    static const struct rig_rule first = {.name = "first", .reason = REASON_BLOCKED};
    struct reply_rules *r = rig_rules(&first, 1);
    struct error err = {""};
    bool ok = rig_add(r, &added[_i].rule, &err);

    ck_assert_str_eq(ok ? "taken" : err.text, added[_i].why != NULL ? added[_i].why : "taken");
    ck_assert_uint_eq(reply_rules_count(r), ok ? 2 : 1);
    reply_rules_unref(&r);
}
END_TEST

START_TEST(test_how_many)
{
    struct reply_rules *r = reply_rules_new();
    struct reply_rule rule = {.reason = REASON_BLOCKED};
    struct error err;

    for (unsigned i = 0; i < REPLY_RULES_MAX; i++) {
        (void)snprintf(rule.name, sizeof(rule.name), "rule-%u", i);
        ck_assert(reply_rules_add(r, &rule, &err));
    }
    (void)snprintf(rule.name, sizeof(rule.name), "last");
    ck_assert(!reply_rules_add(r, &rule, &err));
    ck_assert_str_eq(err.text, "is one too many (1000 at most)");
    reply_rules_unref(&r);
}
END_TEST

START_TEST(test_lists_are_bounded)
{
    struct reply_rules *r = reply_rules_new();
    struct reply_rule rule = {.name = "a", .reason = REASON_BLOCKED};
    struct error err;

    rule.code_count = REPLY_RULE_LIST_MAX + 1;
    ck_assert(!reply_rules_add(r, &rule, &err));
    memset(rule.name, 'a', sizeof(rule.name));
    rule.code_count = 0;
    ck_assert(!reply_rules_add(r, &rule, &err)); /* a name without its end */
    reply_rules_unref(&r);
}
END_TEST

START_TEST(test_references)
{
    struct reply_rules *r = reply_rules_new(), *second = reply_rules_ref(r);

    reply_rules_unref(&r);
    ck_assert_ptr_null(r);
    ck_assert_uint_eq(reply_rules_count(second), 0);
    reply_rules_unref(&second);
    reply_rules_unref(&second);
    ck_assert_ptr_null(reply_rules_ref(NULL));
}
END_TEST

static const struct rig_rule some[] = {
    {"listed", 0, NULL, NULL, NULL, "\\b(dnsbl|blocklist)\\b", REASON_BLOCKED},
    {"google-5210", RIG_RCPT, "550", "5.2.1", "google gmail", NULL, REASON_RATE_LIMITED},
    {"sender", RIG_MAIL, "5yz", NULL, NULL, NULL, REASON_SENDER_REFUSED},
    {"enhanced", RIG_RCPT, "550 554", "5.1.1 x.1.10", NULL, NULL, REASON_NO_MAILBOX},
    {"disabled", RIG_RCPT, "5yz", "5.2.1", NULL, NULL, REASON_MAILBOX_DISABLED},
    {"policy", 0, NULL, "x.7.*", NULL, NULL, REASON_BLOCKED},
    {"words", RIG_RCPT, "5yz", "none 5.0.0", NULL, "user unknown|no such user", REASON_NO_MAILBOX},
    {"accepted", RIG_RCPT, "2yz", NULL, NULL, NULL, REASON_MAILBOX_EXISTS},
    {"names", RIG_RCPT, "5yz", NULL, NULL, "^to <@>: no|\"@\" is|@ unknown$", REASON_NO_MAILBOX},
};

static const struct {
    enum smtp_stage stage;
    const char *provider, *reply, *rule;
} fits[] = {
    /* the first that fits, by everything it names */
    {SMTP_STAGE_RCPT, "", "550 5.1.1 on a blocklist", "listed"},
    {SMTP_STAGE_RCPT, "", "550 5.1.1 on no list", "enhanced"},
    {SMTP_STAGE_RCPT, "", "554 5.1.10 x", "enhanced"},
    {SMTP_STAGE_RCPT, "", "551 5.1.1 x", "-"},
    {SMTP_STAGE_RCPT, "", "550 5.1.2 x", "-"},
    {SMTP_STAGE_MAIL, "", "550 5.1.1 user unknown", "sender"},
    {SMTP_STAGE_GREETING, "", "550 5.1.1 user unknown", "-"},
    {SMTP_STAGE_GREETING, "", "220 mx on a blocklist", "listed"},
    {SMTP_STAGE_RCPT, "", "250 2.1.5 ok", "accepted"},
    /* provider */
    {SMTP_STAGE_RCPT, "google", "550 5.2.1 x", "google-5210"},
    {SMTP_STAGE_RCPT, "gmail", "550 5.2.1 x", "google-5210"},
    {SMTP_STAGE_RCPT, "goog", "550 5.2.1 x", "disabled"},
    {SMTP_STAGE_RCPT, "", "550 5.2.1 x", "disabled"},
    /* enhanced: any detail, and none */
    {SMTP_STAGE_RCPT, "", "550 5.7.509 user unknown", "policy"},
    {SMTP_STAGE_RCPT, "", "450 4.7.1 x", "policy"},
    {SMTP_STAGE_RCPT, "", "550 user unknown", "words"},
    {SMTP_STAGE_RCPT, "", "550 5.0.0 user unknown", "words"},
    {SMTP_STAGE_RCPT, "", "550 5.3.0 user unknown", "-"},
    {SMTP_STAGE_RCPT, "", "450 user unknown", "-"},
    /* a word that holds an @ is just that */
    {SMTP_STAGE_RCPT, "", "550 <blocklist@dnsbl.example>: no such user", "words"},
    {SMTP_STAGE_RCPT, "", "550 user unknown:blocklist@example.com", "words"},
    {SMTP_STAGE_RCPT, "", "550 'dnsbl@example.com', (a@blocklist) user unknown", "words"},
    {SMTP_STAGE_RCPT, "", "550 a@example.com on a blocklist", "listed"},
    {SMTP_STAGE_RCPT, "", "550 to <a@example.com>: no", "names"},
    {SMTP_STAGE_RCPT, "", "550 the \"a.b-c@example.com\" is", "names"},
    {SMTP_STAGE_RCPT, "", "550 RCPT:a@b@c unknown", "names"},
    {SMTP_STAGE_RCPT, "", "550 @ unknown", "names"},
    {SMTP_STAGE_RCPT, "", "550 a@ unknown to us", "-"},
    /* case, and octets that are no text */
    {SMTP_STAGE_RCPT, "", "550 User UNKNOWN", "words"},
    {SMTP_STAGE_RCPT, "", "550 \xff\xc3(user unknown", "words"},
    {SMTP_STAGE_RCPT, "", "550 user \xffunknown", "-"},
};

START_TEST(test_which_fits)
{
    struct reply_rules *r = rig_rules(some, COUNT(some));
    struct smtp_reply reply = rig_reply(fits[_i].reply);
    const struct reply_rule *rule =
        reply_rules_find(r, fits[_i].stage, &reply, fits[_i].provider, NULL);

    ck_assert_msg(strcmp(rule != NULL ? rule->name : "-", fits[_i].rule) == 0, "%s: %s",
                  fits[_i].reply, rule != NULL ? rule->name : "-");
    reply_rules_unref(&r);
}
END_TEST

/* "x.*.*" is any enhanced code, but there has to be one. */
START_TEST(test_any_enhanced_code_is_one)
{
    static const struct rig_rule any = {
        .name = "any", .enhanced = "x.*.*", .reason = REASON_BLOCKED};
    struct reply_rules *r = rig_rules(&any, 1);
    struct smtp_reply with = rig_reply("250 2.0.0 ok"), without = rig_reply("250 ok");

    ck_assert_ptr_nonnull(reply_rules_find(r, SMTP_STAGE_RCPT, &with, "", NULL));
    ck_assert_ptr_null(reply_rules_find(r, SMTP_STAGE_RCPT, &without, "", NULL));
    reply_rules_unref(&r);
}
END_TEST

/* Texts as long as there are, of names and of words, with the word that counts at the end. */
START_TEST(test_text_of_full_length)
{
    static const char *const ends[] = {" user unknown", "<user unknown"};
    struct reply_rules *r = rig_rules(some, COUNT(some));
    struct smtp_reply reply = {.code = 550, .lines = 1};
    size_t full = sizeof(reply.text) - 1;

    for (size_t i = 0; i < COUNT(ends); i++) {
        size_t len = strlen(ends[i]);
        const struct reply_rule *rule;

        memset(reply.text, i == 0 ? '@' : ' ', full);
        memcpy(reply.text + full - len, ends[i], len);
        rule = reply_rules_find(r, SMTP_STAGE_RCPT, &reply, "", NULL);
        ck_assert(rule != NULL && strcmp(rule->name, "words") == 0);
    }
    memset(reply.text, '@', full);
    ck_assert_ptr_null(reply_rules_find(r, SMTP_STAGE_RCPT, &reply, "", NULL));
    memset(reply.text, 'x', full);
    ck_assert_ptr_null(reply_rules_find(r, SMTP_STAGE_RCPT, &reply, "", NULL));
    reply_rules_unref(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("reply_rules");
    TCase *t = tcase_create("reply_rules");

    tcase_add_test(t, test_codes);
    tcase_add_test(t, test_enhanced);
    tcase_add_test(t, test_lines);
    tcase_add_loop_test(t, test_examples, 0, (int)COUNT(examples));
    tcase_add_loop_test(t, test_what_may_be_added, 0, (int)COUNT(added));
    tcase_add_test(t, test_how_many);
    tcase_add_test(t, test_lists_are_bounded);
    tcase_add_test(t, test_references);
    tcase_add_loop_test(t, test_which_fits, 0, (int)COUNT(fits));
    tcase_add_test(t, test_any_enhanced_code_is_one);
    tcase_add_test(t, test_text_of_full_length);
    suite_add_tcase(s, t);
    return suite_run(s);
}
