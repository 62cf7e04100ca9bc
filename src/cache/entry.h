/*
 * A record of the store as a JSON object, and back: what `calloutctl cache` shows, exports and
 * imports. Every object says when, how, from which MX and with which reply it is known, and when it
 * is asked again. Absent facts are left out. Times are RFC 3339 UTC, remote text is one line of
 * UTF-8 (base/str).
 *
 *   {"table": "address", "address": …, "null_sender": true?, "status", "reason", "source",
 *    "probed_at", "refresh_at", "expires_at", "retry_at"?, "noted"?,
 *    "reply": {"stage", "failure"?, "code"?, "enhanced"?, "text"?, "rule"?}?, "mx"?, "ip"?, "tls"?,
 *    "provider"?, "catch_all"?}
 *   {"table": "domain", "domain", "hosts"?, "catch_all", "learned_at", "refresh_at", "expires_at",
 *    "asked"?, "accepted"?, "reply": {"code"?, "enhanced"?, "text"?}?, "mx"?}
 *   {"table": "destination", "destination", "expires_at", "null_sender_refused_at"?,
 *    "greylist_ms"?, "greylisted_at"?, "level"?, "pause_until"?,
 *    "breaker": {"state", "level"?, "struck"?, "opened_at"?, "open_until"?, "stage"?, "code"?,
 *                "enhanced"?, "text"?, "mx"?}?}
 *   {"table": "due", "address", "apart": true?, "null_sender": true?, "recipient"?, "sender"?,
 *    "helo"?, "source"?, "first_at", "due", "last_due", "learned_ms"?, "step"?,
 *    "want_catch_all": true?, "said_so": true?, "confirm": true?}
 *
 * "null_sender" of `address` and "apart" of `due` are that of callout/record's key. "recipient" is
 * left out where it is the address. Hashes ("hosts", "struck") are 16 hexadecimal digits. The times
 * of `due` have milliseconds. A time that is 0, before anything happened, is left out too.
 *
 * Guarantee: what entry_to_json() makes, entry_from_json() reads; made again of that it is the same
 * object, octet for octet. And a record whose texts are what they should be is the same record.
 *
 * Threads: any. Ownership: the caller owns the object (json_decref).
 */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

#define ENTRY_VALUE_MAX 2048

/* A record, as the store takes it. */
struct entry {
    enum store_table table;
    uint8_t key[STORE_KEY_MAX];
    size_t key_len;
    uint8_t value[ENTRY_VALUE_MAX];
    size_t value_len;
    int64_t expires;
};

/* NULL when key or value are not those of a well-formed record of a known version, or out of
   memory. The order of members is always the same: dump it with JSON_COMPACT and nothing else. */
json_t *entry_to_json(enum store_table table, const void *key, size_t key_len, const void *value,
                      size_t value_len);

/* False, with err naming the member, for anything that entry_to_json() does not make: an unknown
   member, a missing one, one of another type or out of its range. */
bool entry_from_json(const json_t *o, struct entry *out, struct error *err);

/* "address", "domain", …; false for any other name. */
const char *entry_table_name(enum store_table table);
bool entry_table_parse(const char *name, enum store_table *out);

#endif
