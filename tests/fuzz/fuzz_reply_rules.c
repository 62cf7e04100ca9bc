/*
 * callout/reply_rules, reply_syntax, pattern and classify: a set of rules and replies to read by
 * it, one thing a line. Its first octet says what a line is: `n` the name of a rule, `s` a stage of
 * it, `c` a code, `e` an enhanced code, `v` a provider, `p` its pattern, `r` its reason, which ends
 * it; `x` an example; `@` a reply.
 */
#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "callout/classify.h"
#include "callout/reply_syntax.h"
#include "fuzz.h"

#define LINE_MAX_OCTETS 8192
#define LINES_MAX       64 /* so that the patterns' limits bound a whole input */

struct state {
    struct reply_rules *rules;
    struct reply_rule rule; /* as far as it was given */
};

static void add_rule(struct state *s, const char *reason)
{
    struct error err = {""};
    size_t count = reply_rules_count(s->rules);
    bool ok;

    if (!verdict_reason_parse(reason, &s->rule.reason))
        return;
    ok = reply_rules_add(s->rules, &s->rule, &err);
    REQUIRE(reply_rules_count(s->rules) == count + ok);
    REQUIRE(ok || err.text[0] != '\0');
    memset(&s->rule, 0, sizeof(s->rule));
}

static void add_stage(struct state *s, const char *text, size_t len)
{
    enum smtp_stage stage;

    if (!reply_stage_parse(text, len, &stage))
        return;
    REQUIRE(strcmp(smtp_stage_name(stage), text) == 0);
    s->rule.stages |= 1u << stage;
}

static void add_code(struct state *s, const char *text)
{
    struct reply_rule *r = &s->rule;
    struct reply_code_range range;
    struct error err;

    if (!reply_code_parse(text, &range, &err))
        return;
    REQUIRE(range.low >= 200 && range.low <= range.high && range.high <= 599);
    if (r->code_count < REPLY_RULE_LIST_MAX)
        r->codes[r->code_count++] = range;
}

static void add_enhanced(struct state *s, const char *text)
{
    struct reply_rule *r = &s->rule;
    struct reply_enhanced e;
    struct error err;

    if (!reply_enhanced_parse(text, &e, &err))
        return;
    REQUIRE(e.cls <= 5 || e.cls == REPLY_ENHANCED_ANY);
    REQUIRE((e.subject <= 999 || e.subject == REPLY_ENHANCED_ANY) &&
            (e.detail <= 999 || e.detail == REPLY_ENHANCED_ANY));
    if (r->enhanced_count < REPLY_RULE_LIST_MAX)
        r->enhanced[r->enhanced_count++] = e;
}

static void add_provider(struct state *s, const char *text)
{
    struct reply_rule *r = &s->rule;

    if (r->provider_count < REPLY_RULE_LIST_MAX)
        (void)str_copy(r->providers[r->provider_count++], VERDICT_PROVIDER_SIZE, text);
}

static void add_pattern(struct state *s, const char *text)
{
    struct error err = {""};

    pattern_free(&s->rule.pattern);
    if (pattern_new(&s->rule.pattern, text, &err))
        REQUIRE(s->rule.pattern != NULL);
    else
        REQUIRE(s->rule.pattern == NULL && strncmp(err.text, "is no pattern: ", 15) == 0);
}

/* What holds of every reading, whatever the rules are. */
static void check_reading(const struct outcome *o, const struct reading *reading)
{
    enum verdict_status status = verdict_reason_status(reading->reason);
    bool rcpt = o->stage == SMTP_STAGE_RCPT;

    REQUIRE(reading->rule != NULL && strlen(reading->rule) < VERDICT_RULE_SIZE);
    REQUIRE(reply_may_tell(o->stage, o->reply.code, reading->reason));
    REQUIRE(status != STATUS_INVALID ||
            (rcpt && (o->reply.code >= 500 ||
                      (o->reply.code >= 400 && reading->reason == REASON_NO_DOMAIN))));
    REQUIRE(status != STATUS_VALID || (rcpt && reading->rule[0] != '\0'));
}

static void read_reply(const struct state *s, enum smtp_stage stage, const struct smtp_reply *reply)
{
    static const char *const providers[] = {"", "google"};
    struct outcome o = {.stage = stage, .reply = *reply};

    REQUIRE(reply->code >= 200 && reply->code <= 599 && reply->lines == 1);
    for (size_t i = 0; i < 2; i++) {
        struct reading reading = classify_outcome(s->rules, &o, providers[i], NULL);

        check_reading(&o, &reading);
    }
    for (unsigned i = SMTP_STAGE_CONNECT; i <= SMTP_STAGE_QUIT; i++) {
        struct reading none;

        o.stage = (enum smtp_stage)i;
        none = classify_outcome(NULL, &o, "", NULL);
        check_reading(&o, &none);
        REQUIRE(none.rule[0] == '\0' && verdict_reason_status(none.reason) != STATUS_INVALID);
    }
}

static void give_line(struct state *s, const char *text, size_t len)
{
    struct smtp_reply reply;
    enum smtp_stage stage = SMTP_STAGE_RCPT;
    struct error err = {""};

    switch (text[0]) {
    case 'n':
        (void)str_copy(s->rule.name, sizeof(s->rule.name), text + 1);
        break;
    case 's':
        add_stage(s, text + 1, strlen(text + 1));
        break;
    case 'c':
        add_code(s, text + 1);
        break;
    case 'e':
        add_enhanced(s, text + 1);
        break;
    case 'v':
        add_provider(s, text + 1);
        break;
    case 'p':
        add_pattern(s, text + 1);
        break;
    case 'r':
        add_rule(s, text + 1);
        break;
    case 'x':
        if (reply_example_parse(text + 1, s->rule.stages, &stage, &reply, &err))
            read_reply(s, stage, &reply);
        else
            REQUIRE(err.text[0] != '\0');
        break;
    case '@':
        if (reply_line_parse(text + 1, len - 1, &reply, &err))
            read_reply(s, stage, &reply);
        else
            REQUIRE(err.text[0] != '\0');
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char line[LINE_MAX_OCTETS + 1];
    const char *text = (const char *)data;
    struct state s = {.rules = reply_rules_new()};

    REQUIRE(s.rules != NULL);
    for (unsigned n = 0; size > 0 && n < LINES_MAX; n++) {
        const char *lf = memchr(text, '\n', size);
        size_t len = lf != NULL ? (size_t)(lf - text) : size;
        size_t kept = len < LINE_MAX_OCTETS ? len : LINE_MAX_OCTETS;

        memcpy(line, text, kept);
        line[kept] = '\0';
        if (kept > 0)
            give_line(&s, line, kept);
        len += lf != NULL;
        text += len;
        size -= len;
    }
    pattern_free(&s.rule.pattern);
    reply_rules_unref(&s.rules);
    return 0;
}
