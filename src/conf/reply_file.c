#include "conf/reply_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "callout/reply_syntax.h"
#include "conf/data_section.h"
#include "conf/values.h"

#define KIND         "rule"
#define EXAMPLES_MAX 32

/* A rule as it is read. */
struct draft {
    struct reply_rule rule;
    bool has_reason;
};

/* What is kept of it, to read its examples by. */
struct reader {
    bool added;
    unsigned stages;
    char provider[VERDICT_PROVIDER_SIZE];
};

static bool room_for_one(size_t count, struct error *err)
{
    if (count < REPLY_RULE_LIST_MAX)
        return true;
    error_set(err, "is one too many (%d at most)", REPLY_RULE_LIST_MAX);
    return false;
}

static bool add_provider(void *into, const char *value, struct error *err)
{
    struct reply_rule *r = &((struct draft *)into)->rule;

    if (!room_for_one(r->provider_count, err) ||
        !value_text(value, r->providers[r->provider_count], VERDICT_PROVIDER_SIZE, err))
        return false;
    r->provider_count++;
    return true;
}

/* QUIT's replies nobody reads. */
static bool add_stage(void *into, const char *value, struct error *err)
{
    struct reply_rule *r = &((struct draft *)into)->rule;
    enum smtp_stage stage;

    if (!reply_stage_parse(value, strlen(value), &stage) || stage == SMTP_STAGE_QUIT) {
        error_set(err, "is none of: connect, greeting, ehlo, helo, starttls, tls, mail, rcpt");
        return false;
    }
    r->stages |= 1U << stage;
    return true;
}

static bool add_code(void *into, const char *value, struct error *err)
{
    struct reply_rule *r = &((struct draft *)into)->rule;

    if (!room_for_one(r->code_count, err) ||
        !reply_code_parse(value, &r->codes[r->code_count], err))
        return false;
    r->code_count++;
    return true;
}

static bool add_enhanced(void *into, const char *value, struct error *err)
{
    struct reply_rule *r = &((struct draft *)into)->rule;

    if (!room_for_one(r->enhanced_count, err) ||
        !reply_enhanced_parse(value, &r->enhanced[r->enhanced_count], err))
        return false;
    r->enhanced_count++;
    return true;
}

static bool set_pattern(void *into, const char *value, struct error *err)
{
    struct reply_rule *r = &((struct draft *)into)->rule;

    pattern_free(&r->pattern);
    return pattern_new(&r->pattern, value, err);
}

static bool set_reason(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    d->has_reason = verdict_reason_parse(value, &d->rule.reason);
    if (!d->has_reason)
        error_set(err, "is no reason");
    return d->has_reason;
}

/* Read when all rules are there. */
static bool pass_example(void *into, const char *value, struct error *err)
{
    (void)into;
    (void)value;
    (void)err;
    return true;
}

#define ONE(nm)  .section = KIND " *", .name = nm
#define LIST(nm) ONE(nm), .list = true, .one_or_list = true

static const struct data_key keys[] = {
    {{LIST("provider")}, add_provider},
    {{LIST("stage")}, add_stage},
    {{LIST("code")}, add_code},
    {{LIST("enhanced")}, add_enhanced},
    {{ONE("pattern")}, set_pattern},
    {{ONE("reason")}, set_reason},
    {{LIST("example"), .max = EXAMPLES_MAX}, pass_example},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static bool grammar_key_at(size_t index, struct grammar_key *out)
{
    if (index >= KEY_COUNT)
        return false;
    *out = keys[index].key;
    return true;
}

static const char *const titles[] = {KIND " \"name\"", NULL};

const struct grammar reply_file_grammar = {.key = grammar_key_at, .titles = titles};

static void warn_of_providers(const struct data_section *s, const struct reply_rule *r,
                              const struct providers *known)
{
    for (size_t i = 0; known != NULL && i < r->provider_count; i++)
        if (providers_find(known, r->providers[i]) == NULL)
            data_value_warn(s, "provider", (unsigned)i, "is no provider of providers.conf");
}

/* They would fit everything, which is not what it looks like. */
static void refuse_empty_lists(const struct data_section *s)
{
    static const char *const lists[] = {"provider", "stage", "code", "enhanced"};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (data_section_given(s, lists[i]) && !data_section_has(s, lists[i]))
            data_section_problem(s, "%s is empty: it would fit everything", lists[i]);
}

static void read_rule(const struct data_section *s, struct reply_rules *rules,
                      const struct providers *known, struct reader *out)
{
    size_t before = s->from->problems->errors;
    struct draft d = {.has_reason = false};
    struct error err = {""};

    data_section_read(s, keys, KEY_COUNT, &d);
    refuse_empty_lists(s);
    if (!str_copy(d.rule.name, sizeof(d.rule.name), s->title))
        data_section_problem(s, "its name is longer than %zu octets", sizeof(d.rule.name) - 1);
    if (!data_section_has(s, "reason"))
        data_section_problem(s, "\"reason\" is missing: what such a reply says");
    if (!data_section_has(s, "example"))
        data_section_problem(s, "\"example\" is missing: a reply that it is for");
    if (s->from->problems->errors > before || !d.has_reason) { /* or it is given twice: told */
        pattern_free(&d.rule.pattern);
        return;
    }
    warn_of_providers(s, &d.rule, known);
    out->added = reply_rules_add(rules, &d.rule, &err); /* takes the pattern */
    if (!out->added)
        data_section_problem(s, "%s", err.text);
    out->stages = d.rule.stages;
    if (d.rule.provider_count > 0)
        (void)str_copy(out->provider, sizeof(out->provider), d.rule.providers[0]);
}

static void check_example(const struct data_section *s, unsigned index,
                          const struct reply_rules *rules, const struct reader *by)
{
    const char *text = language_value(s->values, "example", index);
    const struct reply_rule *found;
    struct smtp_reply reply;
    enum smtp_stage stage;
    struct error err = {""};

    if (!reply_example_parse(text, by->stages, &stage, &reply, &err)) {
        data_value_problem(s, "example", index, "%s", err.text);
        return;
    }
    found = reply_rules_find(rules, stage, &reply, by->provider, NULL);
    if (found == NULL)
        data_value_problem(s, "example", index, "is read by no rule");
    else if (strcmp(found->name, s->title) != 0)
        data_value_problem(s, "example", index, "is read by rule %s (line %u)", found->name,
                           data_section_line(s, found->name));
}

/* By all rules: that one is in the way of another shows here. */
static void check_examples(const struct data_section *s, const struct reply_rules *rules,
                           const struct reader *by)
{
    unsigned count = language_value_count(s->values, "example");

    for (unsigned i = 0; by->added && i < count && i < EXAMPLES_MAX; i++)
        check_example(s, i, rules, by);
}

static void read_rules(const struct data_text *d, struct reply_rules *rules,
                       const struct providers *known)
{
    size_t count = data_section_count(d, REPLY_RULES_MAX);
    struct reader *readers = calloc(count + 1, sizeof(*readers));
    struct data_section s;

    if (readers == NULL) {
        problems_add(d->problems, NULL, 0, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        data_section_get(d, i, &s);
        read_rule(&s, rules, known, &readers[i]);
    }
    for (size_t i = 0; i < count; i++) {
        data_section_get(d, i, &s);
        check_examples(&s, rules, &readers[i]);
    }
    free(readers);
}

struct reply_rules *reply_file_read(const char *name, const char *text, size_t len,
                                    const struct providers *known, struct config_problems *problems)
{
    struct data_text d = {.kind = KIND, .problems = problems};
    struct reply_rules *rules = reply_rules_new();
    size_t before = problems->errors;

    if (rules == NULL)
        problems_add(problems, name, 0, "out of memory");
    else if (data_text_parse(&d, &reply_file_grammar, name, text, len))
        read_rules(&d, rules, known);
    data_text_free(&d);
    if (problems->errors > before)
        reply_rules_unref(&rules);
    return rules;
}
