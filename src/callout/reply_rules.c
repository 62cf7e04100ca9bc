#include "callout/reply_rules.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct reply_rules {
    atomic_uint references;
    size_t count, room;
    struct reply_rule *rules; /* in order */
};

/* What a reply can tell. Codes that are given bind the reason to them, and to stage `rcpt`. */
static const struct bounds {
    bool told;
    uint16_t low, high;
    const char *codes; /* NULL: any, at any stage */
} bounds_of[VERDICT_REASON_COUNT] = {
    [REASON_MAILBOX_EXISTS] = {true, 200, 299, "2yz"},
    [REASON_FORWARDED] = {true, 200, 299, "2yz"},
    [REASON_MAILBOX_FULL] = {true, 400, 599, "4yz or 5yz"},
    [REASON_NO_MAILBOX] = {true, 500, 599, "5yz"},
    [REASON_MAILBOX_DISABLED] = {true, 500, 599, "5yz"},
    [REASON_MOVED] = {true, 500, 599, "5yz"},
    [REASON_BAD_SYNTAX] = {true, 500, 599, "5yz"},
    [REASON_NO_DOMAIN] = {true, 400, 599, "4yz or 5yz"},
    [REASON_NULL_MX] = {true, 500, 599, "5yz"},
    [REASON_CANNOT_VERIFY] = {true, 0, 0, NULL},
    [REASON_PROVIDER_MASKS] = {true, 0, 0, NULL},
    [REASON_BLOCKED] = {true, 0, 0, NULL},
    [REASON_SENDER_REFUSED] = {true, 0, 0, NULL},
    [REASON_SMTPUTF8_UNSUPPORTED] = {true, 0, 0, NULL},
    [REASON_PROTOCOL_ERROR] = {true, 0, 0, NULL},
    [REASON_GREYLISTED] = {true, 0, 0, NULL},
    [REASON_RATE_LIMITED] = {true, 0, 0, NULL},
    [REASON_SERVER_ERROR] = {true, 0, 0, NULL},
    [REASON_TLS_FAILED] = {true, 0, 0, NULL},
};

struct reply_rules *reply_rules_new(void)
{
    struct reply_rules *r = calloc(1, sizeof(*r));

    if (r != NULL)
        atomic_init(&r->references, 1);
    return r;
}

struct reply_rules *reply_rules_ref(struct reply_rules *r)
{
    if (r != NULL)
        atomic_fetch_add(&r->references, 1);
    return r;
}

void reply_rules_unref(struct reply_rules **rp)
{
    struct reply_rules *r = *rp;

    *rp = NULL;
    if (r == NULL || atomic_fetch_sub(&r->references, 1) > 1)
        return;
    for (size_t i = 0; i < r->count; i++)
        pattern_free(&r->rules[i].pattern);
    free(r->rules);
    free(r);
}

size_t reply_rules_count(const struct reply_rules *r)
{
    return r->count;
}

bool reply_may_tell(enum smtp_stage stage, uint16_t code, enum verdict_reason reason)
{
    const struct bounds *b = &bounds_of[reason];

    if (!b->told || b->codes == NULL)
        return b->told;
    return stage == SMTP_STAGE_RCPT && code >= b->low && code <= b->high;
}

static bool check_name(const struct reply_rules *r, const char *name, struct error *err)
{
    size_t len = strnlen(name, VERDICT_RULE_SIZE);

    if (len == 0 || len == VERDICT_RULE_SIZE ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len) {
        error_set(err, "its name is none: a-z, 0-9 and -, %d at most", VERDICT_RULE_SIZE - 1);
        return false;
    }
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->rules[i].name, name) == 0) {
            error_set(err, "there is one of that name before it");
            return false;
        }
    }
    return true;
}

static bool check_reason(const struct reply_rule *rule, struct error *err)
{
    const struct bounds *b = rule->reason < VERDICT_REASON_COUNT ? &bounds_of[rule->reason] : NULL;
    bool bound = rule->stages == 1u << SMTP_STAGE_RCPT && rule->code_count > 0;

    if (b == NULL || !b->told) {
        error_set(err, "no reply tells the reason %s", verdict_reason_name(rule->reason));
        return false;
    }
    for (size_t i = 0; i < rule->code_count; i++)
        bound = bound && reply_may_tell(SMTP_STAGE_RCPT, rule->codes[i].low, rule->reason) &&
                reply_may_tell(SMTP_STAGE_RCPT, rule->codes[i].high, rule->reason);
    if (b->codes != NULL && !bound) {
        error_set(err, "the reason %s has to be bound to stage rcpt and codes of %s",
                  verdict_reason_name(rule->reason), b->codes);
        return false;
    }
    return true;
}

static bool check_counts(const struct reply_rules *r, const struct reply_rule *rule,
                         struct error *err)
{
    if (r->count == REPLY_RULES_MAX) {
        error_set(err, "is one too many (%d at most)", REPLY_RULES_MAX);
        return false;
    }
    if (rule->code_count > REPLY_RULE_LIST_MAX || rule->enhanced_count > REPLY_RULE_LIST_MAX ||
        rule->provider_count > REPLY_RULE_LIST_MAX) {
        error_set(err, "a list of more than %d", REPLY_RULE_LIST_MAX);
        return false;
    }
    return true;
}

static bool make_room(struct reply_rules *r, struct error *err)
{
    size_t room = r->room > 0 ? 2 * r->room : 32;
    struct reply_rule *grown;

    if (r->count < r->room)
        return true;
    grown = realloc(r->rules, room * sizeof(*grown));
    if (grown == NULL) {
        error_set(err, "out of memory");
        return false;
    }
    r->rules = grown;
    r->room = room;
    return true;
}

bool reply_rules_add(struct reply_rules *r, const struct reply_rule *rule, struct error *err)
{
    struct pattern *pattern = rule->pattern;

    if (!check_counts(r, rule, err) || !check_name(r, rule->name, err) ||
        !check_reason(rule, err) || !make_room(r, err)) {
        pattern_free(&pattern);
        return false;
    }
    r->rules[r->count++] = *rule;
    return true;
}

/* Puts "@" in the place of the address, which may hold what else ends a word; returns the length.
 */
static size_t hide_address(const char *text, const struct address *a, char out[REPLY_TEXT_MAX])
{
    size_t end = strnlen(text, REPLY_TEXT_MAX - 1), used = 0, len;
    char whole[ADDRESS_TEXT_SIZE];

    address_format(a, whole);
    len = strlen(whole);
    for (size_t i = 0; i < end;) {
        if (strncasecmp(text + i, whole, len) == 0) {
            out[used++] = '@';
            i += len;
        } else {
            out[used++] = text[i++];
        }
    }
    out[used] = '\0';
    return used;
}

/* The text without the names in it; returns its length. */
static size_t words_of(const char *text, size_t end, char words[REPLY_TEXT_MAX])
{
    size_t used = 0;

    for (size_t i = 0; i < end;) {
        size_t len = strcspn(text + i, " <>()[]\"',;:");

        if (len > end - i)
            len = end - i;
        if (memchr(text + i, '@', len) != NULL) {
            words[used++] = '@';
        } else {
            memcpy(words + used, text + i, len);
            used += len;
        }
        i += len;
        if (i < end)
            words[used++] = text[i++];
    }
    return used;
}

static bool fits_code(const struct reply_rule *rule, uint16_t code)
{
    for (size_t i = 0; i < rule->code_count; i++)
        if (code >= rule->codes[i].low && code <= rule->codes[i].high)
            return true;
    return rule->code_count == 0;
}

static bool part_fits(uint16_t wanted, uint16_t part)
{
    return wanted == REPLY_ENHANCED_ANY || wanted == part;
}

static bool fits_enhanced(const struct reply_rule *rule, const struct enhanced_code *have)
{
    for (size_t i = 0; i < rule->enhanced_count; i++) {
        const struct reply_enhanced *e = &rule->enhanced[i];

        if (e->cls == 0 || have->cls == 0) {
            if (e->cls == have->cls)
                return true;
        } else if (part_fits(e->cls, have->cls) && part_fits(e->subject, have->subject) &&
                   part_fits(e->detail, have->detail)) {
            return true;
        }
    }
    return rule->enhanced_count == 0;
}

static bool fits_provider(const struct reply_rule *rule, const char *provider)
{
    for (size_t i = 0; i < rule->provider_count; i++)
        if (strcmp(rule->providers[i], provider) == 0)
            return true;
    return rule->provider_count == 0;
}

const struct reply_rule *reply_rules_find(const struct reply_rules *r, enum smtp_stage stage,
                                          const struct smtp_reply *reply, const char *provider,
                                          const struct address *recipient)
{
    char text[REPLY_TEXT_MAX], words[REPLY_TEXT_MAX];
    size_t len;

    if (recipient != NULL)
        len = words_of(text, hide_address(reply->text, recipient, text), words);
    else
        len = words_of(reply->text, strnlen(reply->text, REPLY_TEXT_MAX - 1), words);

    for (size_t i = 0; i < r->count; i++) {
        const struct reply_rule *rule = &r->rules[i];

        if ((rule->stages == 0 || (rule->stages & 1u << stage) != 0) &&
            fits_code(rule, reply->code) && fits_enhanced(rule, &reply->enhanced) &&
            fits_provider(rule, provider) &&
            (rule->pattern == NULL || pattern_matches(rule->pattern, words, len)))
            return rule;
    }
    return NULL;
}
