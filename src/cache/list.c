#include "cache/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "cache/key.h"

static struct log_ratelimit reports; /* of damaged records, of all lists */

struct writing {
    enum store_table table;
    cache_line write;
    void *arg;
};

static bool is_one_domain(const struct cache_list *l)
{
    return l->filter.domain[0] != '\0';
}

static bool is_one_destination(const struct cache_list *l)
{
    return l->filter.destination[0] != '\0';
}

void cache_list_begin(struct cache_list *l, const struct cache_filter *filter)
{
    memset(l, 0, sizeof(*l));
    l->filter = *filter;
    if (filter->is_address)
        (void)str_copy(l->filter.domain, sizeof(l->filter.domain), filter->address.domain);
    if (is_one_destination(l))
        l->filter.tables &= 1u << STORE_TABLE_DESTINATION;
}

static void report(enum store_table table, const void *key, size_t key_len)
{
    char name[STORE_KEY_MAX + 1];

    if (!log_ratelimit(&reports))
        return;
    str_printable(name, sizeof(name), key, key_len);
    log_warning("store: damaged record left out: table=%s key=\"%s\"; more of this is not logged "
                "for a minute",
                entry_table_name(table), name);
}

static bool write_entry(void *arg, const void *key, size_t key_len, const void *value,
                        size_t value_len)
{
    struct writing *w = arg;
    json_t *o = entry_to_json(w->table, key, key_len, value, value_len);
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
    size_t len;

    json_decref(o);
    if (text == NULL) {
        report(w->table, key, key_len);
        return true;
    }
    len = strlen(text);
    text[len] = '\n'; /* in place of its NUL */
    w->write(w->arg, text, len + 1);
    free(text);
    return true;
}

/* The key of the table's entry number `step`; false: there are no more. */
static bool key_of_step(const struct cache_list *l, uint8_t key[STORE_KEY_MAX], size_t *len)
{
    struct cache_key keys[CACHE_KEYS_MAX];

    if (l->table == STORE_TABLE_DESTINATION) {
        if (is_one_destination(l))
            (void)str_copy((char *)key, STORE_KEY_MAX, l->filter.destination);
        else
            (void)str_format((char *)key, STORE_KEY_MAX, "domain/%s", l->filter.domain);
        *len = strlen((char *)key);
        return l->step == 0;
    }
    if (l->step >= cache_keys(&l->filter.address, keys))
        return false;
    *len = keys[l->step].len;
    memcpy(key, keys[l->step].bytes, *len);
    return true;
}

/* One entry that is asked for by its key. */
static bool list_single(struct cache_list *l, struct store *s, int64_t now, struct writing *w)
{
    uint8_t key[STORE_KEY_MAX], value[STORE_VALUE_MAX];
    size_t key_len = 0, len = 0;

    if (!key_of_step(l, key, &key_len)) {
        l->place.ended = true;
        return true;
    }
    l->step++;
    switch (store_get(s, w->table, key, key_len, now, value, sizeof(value), &len)) {
    case STORE_OK:
        return write_entry(w, key, key_len, value, len);
    case STORE_MISS:
    case STORE_BAD:
        return true;
    case STORE_ERROR:
        break;
    }
    return false;
}

static bool list_range(struct cache_list *l, struct store *s, int64_t now, unsigned most,
                       struct writing *w)
{
    /* with its NUL, which ends the domain in keys, too */
    size_t prefix_len = is_one_domain(l) ? strlen(l->filter.domain) + 1 : 0;

    return store_page(s, w->table, l->filter.domain, prefix_len, now, most, &l->place, write_entry,
                      w);
}

static bool is_single(const struct cache_list *l)
{
    switch ((enum store_table)l->table) {
    case STORE_TABLE_ADDRESS:
    case STORE_TABLE_DUE:
        return l->filter.is_address;
    case STORE_TABLE_DESTINATION:
        return is_one_domain(l) || is_one_destination(l);
    case STORE_TABLE_DOMAIN:
    case STORE_TABLE_COUNT:
        break;
    }
    return false;
}

/* Past the tables that are through or not wanted. */
static void to_next_table(struct cache_list *l)
{
    while (l->table < STORE_TABLE_COUNT &&
           (l->place.ended || (l->filter.tables & 1u << l->table) == 0)) {
        l->place = (struct store_place){.ended = false};
        l->step = 0;
        l->table++;
    }
    l->ended = l->table == STORE_TABLE_COUNT;
}

bool cache_list_page(struct cache_list *l, struct store *s, int64_t now, unsigned most,
                     cache_line write, void *arg)
{
    struct writing w = {.write = write, .arg = arg};

    to_next_table(l);
    if (l->ended)
        return true;
    w.table = (enum store_table)l->table;
    if (!(is_single(l) ? list_single(l, s, now, &w) : list_range(l, s, now, most, &w)))
        return false;
    to_next_table(l);
    return true;
}
