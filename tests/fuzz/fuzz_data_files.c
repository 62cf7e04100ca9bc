/*
 * conf: any bytes as replies.conf and as providers.conf. They are either taken, and then the same a
 * second time, or refused with a problem that has its place; libConfuse never finds one that was
 * not told.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/provider_file.h"
#include "conf/reply_file.h"
#include "fuzz.h"

#define NAME "data.conf"

/* NAME: message, or NAME:LINE: message. */
static void check_problems(struct config_problems *p, bool taken)
{
    REQUIRE(taken == (p->errors == 0));
    for (size_t i = 0; i < p->count; i++) {
        const char *message = strstr(p->lines[i], ": ");

        REQUIRE(strncmp(p->lines[i], NAME ":", sizeof(NAME)) == 0 && message != NULL);
        REQUIRE(strncmp(message, ": libConfuse: ", 14) != 0 && strchr(p->lines[i], '\n') == NULL);
    }
    config_problems_free(p);
}

static struct reply_rules *read_rules(const char *text, size_t len, const struct providers *known)
{
    struct config_problems p = {.count = 0};
    struct reply_rules *r = reply_file_read(NAME, text, len, known, &p);

    check_problems(&p, r != NULL);
    return r;
}

static struct providers *read_providers(const char *text, size_t len)
{
    struct config_problems p = {.count = 0};
    struct providers *set = provider_file_read(NAME, text, len, &p);

    check_problems(&p, set != NULL);
    return set;
}

/* What no file may bring about: that a recipient is refused for anything but a 5yz, or 4yz where
   that denies relaying, at RCPT. */
static void check_rules(const struct reply_rules *r)
{
    static const struct {
        enum smtp_stage stage;
        uint16_t code;
    } harmless[] = {{SMTP_STAGE_RCPT, 250},
                    {SMTP_STAGE_RCPT, 354},
                    {SMTP_STAGE_MAIL, 550},
                    {SMTP_STAGE_GREETING, 554}};

    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        struct smtp_reply reply = {.code = harmless[i].code, .lines = 1, .text = "no such user"};
        const struct reply_rule *rule = reply_rules_find(r, harmless[i].stage, &reply, "", NULL);

        REQUIRE(rule == NULL || verdict_reason_status(rule->reason) != STATUS_INVALID);
    }
}

static void check_providers(const struct providers *set)
{
    const struct provider *p = providers_of_host(set, "mx.example.com");

    REQUIRE(p == NULL || providers_find(set, p->name) == p);
    p = providers_of_greeting(set, "mx.example.com ESMTP");
    REQUIRE(p == NULL || p->limits.rate_milli <= 1000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct providers *set = read_providers(text, size), *set2 = read_providers(text, size);
    struct reply_rules *rules = read_rules(text, size, set), *rules2 = read_rules(text, size, set2);

    REQUIRE((set == NULL) == (set2 == NULL) && (rules == NULL) == (rules2 == NULL));
    if (set != NULL)
        check_providers(set);
    if (rules != NULL)
        check_rules(rules);
    if (rules2 != NULL)
        REQUIRE(reply_rules_count(rules) == reply_rules_count(rules2));
    reply_rules_unref(&rules);
    reply_rules_unref(&rules2);
    providers_unref(&set);
    providers_unref(&set2);
    return 0;
}
