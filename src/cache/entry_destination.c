#include <string.h>

#include "base/str.h"
#include "cache/entry_part.h"
#include "callout/destination.h"

_Static_assert(DESTINATION_FACT_SIZE_MAX <= ENTRY_VALUE_MAX, "a fact is an entry");

/* What would be written otherwise than it is could not be found again. */
static bool is_name(const char *text)
{
    char safe[DESTINATION_NAME_SIZE];

    str_readable(safe, sizeof(safe), text, strlen(text));
    return text[0] != '\0' && strcmp(safe, text) == 0;
}

static void put_breaker(struct entry_out *out, const struct breaker *b)
{
    struct entry_out inner = {.o = json_object(), .ok = true};

    entry_put_text(&inner, "state", breaker_state_name(b->state));
    entry_put_number(&inner, "level", b->level);
    entry_put_hash(&inner, "struck", b->struck);
    entry_put_time(&inner, "opened_at", b->opened_at);
    entry_put_time(&inner, "open_until", b->open_until);
    if (b->stage != SMTP_STAGE_CONNECT)
        entry_put_text(&inner, "stage", smtp_stage_name(b->stage));
    entry_put_reply(&inner, b->code, &b->enhanced, b->text);
    entry_put_text(&inner, "mx", b->mx);
    if (b->state == BREAKER_CLOSED && json_object_size(inner.o) == 1) /* that is what all are */
        (void)json_object_clear(inner.o);
    entry_put_inner(out, "breaker", &inner);
}

bool entry_destination_put(struct entry_out *out, const uint8_t *key, size_t key_len,
                           const uint8_t *value, size_t value_len)
{
    char name[DESTINATION_NAME_SIZE];
    struct destination_fact f;

    if (key_len >= sizeof(name) || memchr(key, '\0', key_len) != NULL ||
        !str_copyn(name, sizeof(name), (const char *)key, key_len) || !is_name(name) ||
        !destination_fact_decode(value, value_len, &f))
        return false;
    entry_put_text(out, "destination", name);
    entry_put_time(out, "expires_at", f.expires_at);
    entry_put_time(out, "null_sender_refused_at", f.null_sender_refused_at);
    entry_put_number(out, "greylist_ms", f.greylist_ms);
    entry_put_time(out, "greylisted_at", f.greylisted_at);
    entry_put_number(out, "level", f.level);
    entry_put_time(out, "pause_until", f.pause_until);
    put_breaker(out, &f.breaker);
    return true;
}

static void get_breaker(struct entry_in *in, struct breaker *b)
{
    struct entry_in inner = entry_enter(in, "breaker");

    if (!entry_has(in, "breaker"))
        return;
    entry_check(&inner, "state", breaker_state_parse(entry_get_string(&inner, "state"), &b->state),
                "no such state");
    b->level = (unsigned)entry_get_number(&inner, "level", BREAKER_LEVEL_MAX);
    b->struck = entry_get_hash(&inner, "struck");
    b->opened_at = entry_get_time(&inner, "opened_at");
    b->open_until = entry_get_time(&inner, "open_until");
    if (entry_has(&inner, "stage"))
        entry_check(&inner, "stage", smtp_stage_parse(entry_get_string(&inner, "stage"), &b->stage),
                    "no such stage");
    entry_get_reply(&inner, &b->code, &b->enhanced, b->text, sizeof(b->text));
    entry_get_text(&inner, "mx", b->mx, sizeof(b->mx));
    entry_leave(in, &inner);
}

void entry_destination_get(struct entry_in *in, struct entry *entry)
{
    const char *name = entry_get_string(in, "destination");
    struct destination_fact f = {0};

    f.expires_at = entry_get_time(in, "expires_at");
    f.null_sender_refused_at = entry_get_time(in, "null_sender_refused_at");
    f.greylist_ms = entry_get_number(in, "greylist_ms", INT64_MAX);
    f.greylisted_at = entry_get_time(in, "greylisted_at");
    f.level = (unsigned)entry_get_number(in, "level", PACE_LEVEL_MAX);
    f.pause_until = entry_get_time(in, "pause_until");
    get_breaker(in, &f.breaker);
    entry_check(in, "destination", is_name(name), "not a destination's name");
    if (!in->ok)
        return;
    entry->key_len = strlen(name);
    memcpy(entry->key, name, entry->key_len);
    entry->value_len = destination_fact_encode(&f, entry->value, sizeof(entry->value));
    entry->expires = f.expires_at;
}
