#include "rules_rig.h"

#include <check.h>
#include <string.h>

#include "base/str.h"
#include "callout/reply_syntax.h"

/* The next word of a list, NULL at its end; `word` holds it. */
static const char *next_word(const char **list, char word[64])
{
    size_t len;

    if (*list == NULL)
        return NULL;
    *list += strspn(*list, " ");
    len = strcspn(*list, " ");
    if (len == 0)
        return NULL;
    ck_assert(str_copyn(word, 64, *list, len));
    *list += len;
    return word;
}

bool rig_add(struct reply_rules *r, const struct rig_rule *one, struct error *err)
{
    const char *codes = one->codes, *enhanced = one->enhanced, *providers = one->providers;
    struct reply_rule rule = {.stages = one->stages, .reason = one->reason};
    char word[64];
    struct error why;

    ck_assert(str_copy(rule.name, sizeof(rule.name), one->name));
    while (next_word(&codes, word) != NULL)
        ck_assert(reply_code_parse(word, &rule.codes[rule.code_count++], &why));
    while (next_word(&enhanced, word) != NULL)
        ck_assert(reply_enhanced_parse(word, &rule.enhanced[rule.enhanced_count++], &why));
    while (next_word(&providers, word) != NULL)
        ck_assert(str_copy(rule.providers[rule.provider_count++], VERDICT_PROVIDER_SIZE, word));
    if (one->pattern != NULL)
        ck_assert_msg(pattern_new(&rule.pattern, one->pattern, &why), "%s", why.text);
    return reply_rules_add(r, &rule, err);
}

struct reply_rules *rig_rules(const struct rig_rule *rules, size_t count)
{
    struct reply_rules *r = reply_rules_new();
    struct error err = {""};

    ck_assert_ptr_nonnull(r);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(rig_add(r, &rules[i], &err), "%s: %s", rules[i].name, err.text);
    ck_assert_uint_eq(reply_rules_count(r), count);
    return r;
}

struct smtp_reply rig_reply(const char *line)
{
    struct smtp_reply reply = {0};
    struct error err = {""};

    ck_assert_msg(reply_line_parse(line, strlen(line), &reply, &err), "%s: %s", line, err.text);
    return reply;
}
