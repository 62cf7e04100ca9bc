/*
 * cache/entry: any text as an object, and any bytes as a key and a value. What is taken can be
 * written, and that, read, is the same again.
 *
 * Text begins with '{'. Else the first octet is the table, the next the length of the key.
 */
#include <jansson.h>
#include <string.h>

#include "cache/entry.h"
#include "fuzz.h"

/* Whether it is the same entry that the text is of. */
static void check_text(const char *text, const struct entry *entry, bool same)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *again;
    struct entry back;
    struct error err;
    char *dumped;

    REQUIRE(entry_from_json(o, &back, &err));
    REQUIRE(back.table == entry->table && back.key_len == entry->key_len &&
            memcmp(back.key, entry->key, entry->key_len) == 0);
    REQUIRE(!same || (back.value_len == entry->value_len && back.expires == entry->expires &&
                      memcmp(back.value, entry->value, entry->value_len) == 0));
    again = entry_to_json(back.table, back.key, back.key_len, back.value, back.value_len);
    REQUIRE(again != NULL);
    dumped = json_dumps(again, JSON_COMPACT);
    REQUIRE(dumped != NULL && strcmp(dumped, text) == 0);
    free(dumped);
    json_decref(again);
    json_decref(o);
}

static void check(const struct entry *entry, bool same)
{
    json_t *o =
        entry_to_json(entry->table, entry->key, entry->key_len, entry->value, entry->value_len);
    char *text;

    REQUIRE(o != NULL || !same);
    if (o == NULL)
        return;
    text = json_dumps(o, JSON_COMPACT);
    REQUIRE(text != NULL);
    check_text(text, entry, same);
    free(text);
    json_decref(o);
}

static void from_text(const uint8_t *data, size_t size)
{
    json_t *o = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    struct entry entry;
    struct error err;

    if (o != NULL && entry_from_json(o, &entry, &err))
        check(&entry, true);
    json_decref(o);
}

static void from_bytes(const uint8_t *data, size_t size)
{
    struct entry entry = {.table = (enum store_table)(data[0] % STORE_TABLE_COUNT)};

    entry.key_len = data[1];
    if (entry.key_len > size - 2 || size - 2 - entry.key_len > sizeof(entry.value))
        return;
    entry.value_len = size - 2 - entry.key_len;
    memcpy(entry.key, data + 2, entry.key_len);
    memcpy(entry.value, data + 2 + entry.key_len, entry.value_len);
    check(&entry, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == '{')
        from_text(data, size);
    else if (size >= 2)
        from_bytes(data, size);
    return 0;
}
