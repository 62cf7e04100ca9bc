#include "cache/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cache/entry_part.h"

static const char *const table_names[STORE_TABLE_COUNT] = {
#define X(id, name) [STORE_TABLE_##id] = (name),
    STORE_TABLES(X)
#undef X
};

static const struct {
    bool (*put)(struct entry_out *out, const uint8_t *key, size_t key_len, const uint8_t *value,
                size_t value_len);
    void (*get)(struct entry_in *in, struct entry *entry);
} tables[STORE_TABLE_COUNT] = {
    [STORE_TABLE_ADDRESS] = {entry_address_put, entry_address_get},
    [STORE_TABLE_DOMAIN] = {entry_domain_put, entry_domain_get},
    [STORE_TABLE_DESTINATION] = {entry_destination_put, entry_destination_get},
    [STORE_TABLE_DUE] = {entry_due_put, entry_due_get},
};

const char *entry_table_name(enum store_table table)
{
    return table_names[table];
}

bool entry_table_parse(const char *name, enum store_table *out)
{
    size_t i = str_find(table_names, STORE_TABLE_COUNT, name);

    if (i < STORE_TABLE_COUNT)
        *out = (enum store_table)i;
    return i < STORE_TABLE_COUNT;
}

json_t *entry_to_json(enum store_table table, const void *key, size_t key_len, const void *value,
                      size_t value_len)
{
    struct entry_out out = {.o = json_object(), .ok = true};

    entry_put_text(&out, "table", table_names[table]);
    if (tables[table].put(&out, key, key_len, value, value_len) && out.ok)
        return out.o;
    json_decref(out.o);
    return NULL;
}

static bool differs(const char *within, const char *name, const json_t *want, struct error *err)
{
    char *text = json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT);
    char safe[128];

    str_readable(safe, sizeof(safe), name, strlen(name));
    error_set(err, "%s%s%s: %s%s", within, within[0] != '\0' ? "." : "", safe,
              want != NULL ? "by the rest of the entry it should be " : "does not belong there",
              text != NULL ? text : "");
    free(text);
    return false;
}

/* The iterator of jansson changes nothing, and yet wants a `json_t *`. */
static bool members_same(const json_t *o, json_t *again, const char *within, struct error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)o, name, value)
    {
        const json_t *want = json_object_get(again, name);

        if (want == NULL || !json_equal(value, want))
            return differs(within, name, want, err);
    }
    json_object_foreach(again, name, value)
    {
        if (json_object_get(o, name) == NULL)
            return differs(within, name, value, err);
    }
    return true;
}

/* The inner objects first, to name the member there. */
static bool same(const json_t *o, json_t *again, struct error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)o, name, value)
    {
        json_t *want = json_object_get(again, name);

        if (json_is_object(value) && json_is_object(want) && !members_same(value, want, name, err))
            return false;
    }
    return members_same(o, again, "", err);
}

/* What is missing, unknown, or contradicts something else shows here. */
static bool made_again_is_same(const json_t *o, const struct entry *entry, struct error *err)
{
    json_t *again =
        entry_to_json(entry->table, entry->key, entry->key_len, entry->value, entry->value_len);
    bool ok;

    if (again == NULL) {
        error_set(err, "the members do not make an entry of table %s together",
                  table_names[entry->table]);
        return false;
    }
    ok = same(o, again, err);
    json_decref(again);
    return ok;
}

bool entry_from_json(const json_t *o, struct entry *out, struct error *err)
{
    struct entry_in in = {.o = o, .within = "", .err = err, .ok = true};

    memset(out, 0, sizeof(*out));
    if (!json_is_object(o)) {
        error_set(err, "not an object");
        return false;
    }
    entry_check(&in, "table", entry_table_parse(entry_get_string(&in, "table"), &out->table),
                "no such table");
    if (!in.ok)
        return false;
    tables[out->table].get(&in, out);
    return in.ok && made_again_is_same(o, out, err);
}
