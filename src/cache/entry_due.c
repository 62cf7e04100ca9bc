#include <string.h>

#include "base/str.h"
#include "cache/entry_part.h"
#include "callout/schedule.h"

_Static_assert(SCHEDULE_ENTRY_SIZE_MAX <= ENTRY_VALUE_MAX, "a re-probe is an entry");

/* An address that is asked by another name would never be found. */
static bool is_about(const struct schedule_entry *e, const char *address)
{
    struct address a;
    const char *why;

    if (!address_parse(e->recipient, strlen(e->recipient), &a, &why))
        return false;
    if (strcmp(a.canonical, address) == 0)
        return true;
    address_keep_case(&a);
    return strcmp(a.canonical, address) == 0;
}

bool entry_due_put(struct entry_out *out, const uint8_t *key, size_t key_len, const uint8_t *value,
                   size_t value_len)
{
    char address[ADDRESS_TEXT_SIZE];
    struct schedule_entry e;
    bool apart;

    if (!entry_address_text(key, key_len, &apart, address) ||
        !schedule_entry_decode(value, value_len, &e) || e.apart != apart || !is_about(&e, address))
        return false;
    entry_put(out, "address", json_string(address));
    entry_put_flag(out, "apart", e.apart);
    entry_put_flag(out, "null_sender", e.null_sender);
    if (strcmp(e.recipient, address) != 0)
        entry_put(out, "recipient", json_string(e.recipient));
    entry_put_text(out, "sender", e.sender);
    entry_put_text(out, "helo", e.helo);
    entry_put_ip(out, "source", &e.source);
    entry_put_time_ms(out, "first_at", e.first_at);
    entry_put_time_ms(out, "due", e.due);
    entry_put_time_ms(out, "last_due", e.last_due);
    entry_put_number(out, "learned_ms", e.learned_ms);
    entry_put_number(out, "step", e.step);
    entry_put_flag(out, "want_catch_all", e.want_catch_all);
    entry_put_flag(out, "said_so", e.said_so);
    entry_put_flag(out, "confirm", e.confirm);
    return true;
}

static void get_members(struct entry_in *in, struct schedule_entry *e)
{
    e->apart = entry_get_flag(in, "apart");
    e->null_sender = entry_get_flag(in, "null_sender");
    entry_get_text(in, entry_has(in, "recipient") ? "recipient" : "address", e->recipient,
                   sizeof(e->recipient));
    entry_get_text(in, "sender", e->sender, sizeof(e->sender));
    entry_get_text(in, "helo", e->helo, sizeof(e->helo));
    entry_get_ip(in, "source", &e->source);
    e->first_at = entry_get_time_ms(in, "first_at");
    e->due = entry_get_time_ms(in, "due");
    e->last_due = entry_get_time_ms(in, "last_due");
    e->learned_ms = entry_get_number(in, "learned_ms", INT64_MAX);
    e->step = (unsigned)entry_get_number(in, "step", UINT32_MAX);
    e->want_catch_all = entry_get_flag(in, "want_catch_all");
    e->said_so = entry_get_flag(in, "said_so");
    e->confirm = entry_get_flag(in, "confirm");
}

void entry_due_get(struct entry_in *in, struct entry *entry)
{
    const char *text = entry_get_string(in, "address"), *why = "";
    struct schedule_entry e = {0};
    struct address a;

    get_members(in, &e);
    if (entry_address_parse(text, &a, &why))
        entry->key_len = record_key(&a, e.apart, entry->key);
    entry_check(in, "address", entry->key_len > 0, why);
    if (entry_has(in, "recipient"))
        entry_check(in, "recipient", is_about(&e, text), "not that address");
    entry->value_len = schedule_entry_encode(&e, entry->value, sizeof(entry->value));
    entry->expires = schedule_entry_expires(&e);
}
