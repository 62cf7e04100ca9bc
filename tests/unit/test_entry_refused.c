/* cache/entry: every object that is no record, and every record that is none. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cache/entry.h"
#include "entry_rig.h"
#include "suite.h"

/* An object that is not written like this, and the error names the member. */
static void check_refused(const json_t *o, const char *name)
{
    struct entry entry;
    struct error err;

    ck_assert_msg(!entry_from_json(o, &entry, &err), "%s", name);
    ck_assert_msg(strstr(err.text, name) != NULL, "%s: %s", name, err.text);
}

/* A member left out, but those that may be missing: then it is another entry. */
static void check_without(json_t *whole, json_t *object, const char *name)
{
    json_t *value = json_incref(json_object_get(object, name));
    struct entry entry;
    struct error err;

    ck_assert_int_eq(json_object_del(object, name), 0);
    if (!entry_from_json(whole, &entry, &err))
        ck_assert_msg(strstr(err.text, name) != NULL || strstr(err.text, "together") != NULL ||
                          strstr(err.text, "does not belong there") != NULL,
                      "%s: %s", name, err.text);
    ck_assert_int_eq(json_object_set_new(object, name, value), 0);
}

static void check_with(json_t *whole, json_t *object, const char *name, json_t *wrong)
{
    json_t *value = json_incref(json_object_get(object, name));

    ck_assert_int_eq(json_object_set_new(object, name, wrong), 0);
    check_refused(whole, name);
    ck_assert_int_eq(json_object_set_new(object, name, value), 0);
}

static void check_members(json_t *whole, json_t *object)
{
    static const char *const wrong[] = {
        "null", "false", "-1", "1.5",           "1e400",
        "[]",   "\"\"",  "{}", "\"a\\u0000b\"", "9223372036854775807"};
    json_t *names = json_deep_copy(object), *value;
    const char *name;

    json_object_foreach(names, name, value)
    {
        check_without(whole, object, name);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            json_t *w = json_loads(wrong[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
            bool of_use =
                json_is_integer(w) && json_integer_value(w) > 0 && strstr(name, "_ms") != NULL;

            if (w != NULL && !of_use)
                check_with(whole, object, name, w);
            else
                json_decref(w);
        }
    }
    json_decref(names);
}

START_TEST(test_no_member_may_be_of_another_type)
{
    json_t *o = json_loads(entry_lines[_i], 0, NULL), *value, *names = json_deep_copy(o);
    const char *name;

    check_members(o, o);
    json_object_foreach(names, name, value)
    {
        if (!json_is_object(value))
            continue;
        check_members(o, json_object_get(o, name));
        (void)json_object_set_new(json_object_get(o, name), "colour", json_string("red"));
        check_refused(o, "colour");
        (void)json_object_del(json_object_get(o, name), "colour");
    }
    (void)json_object_set_new(o, "colour", json_string("red"));
    check_refused(o, "colour");
    json_decref(names);
    json_decref(o);
}
END_TEST

/* What must be there. */
static const struct {
    enum store_table table;
    const char *name;
} needed[] = {
    {STORE_TABLE_ADDRESS, "table"},           {STORE_TABLE_ADDRESS, "address"},
    {STORE_TABLE_ADDRESS, "status"},          {STORE_TABLE_ADDRESS, "reason"},
    {STORE_TABLE_ADDRESS, "source"},          {STORE_TABLE_ADDRESS, "noted"},
    {STORE_TABLE_DOMAIN, "domain"},           {STORE_TABLE_DOMAIN, "catch_all"},
    {STORE_TABLE_DESTINATION, "destination"}, {STORE_TABLE_DUE, "address"},
};

START_TEST(test_needed)
{
    json_t *o = json_loads(entry_lines[needed[_i].table], 0, NULL);

    ck_assert_int_eq(json_object_del(o, needed[_i].name), 0);
    check_refused(o, needed[_i].name);
    json_decref(o);
}
END_TEST

/* Members that are no value there, or contradict another: instead of the line's. */
static const struct {
    enum store_table table;
    const char *within, *name, *value;
} bad[] = {
    {STORE_TABLE_ADDRESS, NULL, "table", "\"meta\""},
    {STORE_TABLE_ADDRESS, NULL, "table", "\"Address\""},
    {STORE_TABLE_ADDRESS, NULL, "address", "\"bob\""},
    {STORE_TABLE_ADDRESS, NULL, "address", "\"bob@EXAMPLE.com\""},
    {STORE_TABLE_ADDRESS, NULL, "address", "\"\\\"bob\\\"@example.com\""},
    {STORE_TABLE_ADDRESS, NULL, "address",
     "\"bob@b\xc3\xbc"
     "cher.example\""},
    {STORE_TABLE_ADDRESS, NULL, "address", "\"bob@example.com \""},
    {STORE_TABLE_ADDRESS, NULL, "status", "\"valid\""},
    {STORE_TABLE_ADDRESS, NULL, "reason", "\"mailbox_full\""},
    {STORE_TABLE_ADDRESS, NULL, "reason", "\"No_mailbox\""},
    {STORE_TABLE_ADDRESS, NULL, "source", "\"guess\""},
    {STORE_TABLE_ADDRESS, NULL, "noted", "\"later\""},
    {STORE_TABLE_ADDRESS, NULL, "probed_at", "1772366400"},
    {STORE_TABLE_ADDRESS, NULL, "probed_at", "\"1970-01-01T00:00:00Z\""},
    {STORE_TABLE_ADDRESS, NULL, "probed_at", "\"2026-02-29T00:00:00Z\""},
    {STORE_TABLE_ADDRESS, NULL, "probed_at", "\"2026-03-01T12:00:00.000Z\""},
    {STORE_TABLE_ADDRESS, NULL, "expires_at", "\"2026-03-01T13:00:00+01:00\""},
    {STORE_TABLE_ADDRESS, NULL, "ip", "\"192.0.2.01\""},
    {STORE_TABLE_ADDRESS, NULL, "ip", "\"2001:DB8::1\""},
    {STORE_TABLE_ADDRESS, NULL, "ip", "\"mx1\""},
    {STORE_TABLE_ADDRESS, NULL, "tls", "\"sixteen octets!!\""},
    {STORE_TABLE_ADDRESS, NULL, "mx", "\"mx\\t1\""},
    {STORE_TABLE_ADDRESS, NULL, "catch_all", "\"untested\""},
    {STORE_TABLE_ADDRESS, NULL, "catch_all", "\"maybe\""},
    {STORE_TABLE_ADDRESS, "reply", "stage", "\"data\""},
    {STORE_TABLE_ADDRESS, "reply", "failure", "\"none\""},
    {STORE_TABLE_ADDRESS, "reply", "failure", "\"boredom\""},
    {STORE_TABLE_ADDRESS, "reply", "code", "600"},
    {STORE_TABLE_ADDRESS, "reply", "code", "66086"}, /* 550 in 16 bits */
    {STORE_TABLE_ADDRESS, "reply", "code", "0"},
    {STORE_TABLE_ADDRESS, "reply", "enhanced", "\"5.1\""},
    {STORE_TABLE_ADDRESS, "reply", "enhanced", "\"5.1.01\""},
    {STORE_TABLE_ADDRESS, "reply", "enhanced", "\"5.1.1.1\""},
    {STORE_TABLE_ADDRESS, "reply", "enhanced", "\"5.1.1000\""},
    {STORE_TABLE_ADDRESS, "reply", "enhanced", "\"0.1.1\""},
    {STORE_TABLE_ADDRESS, "reply", "enhanced", "\"6.1.1\""},
    {STORE_TABLE_ADDRESS, "reply", "text", "\"a\\nb\""},
    {STORE_TABLE_ADDRESS, "reply", "text", "\"\\u0085\""},
    {STORE_TABLE_DOMAIN, NULL, "domain", "\"Example.com\""},
    {STORE_TABLE_DOMAIN, NULL, "domain", "\"example..com\""},
    {STORE_TABLE_DOMAIN, NULL, "domain", "\"x@example.com\""},
    {STORE_TABLE_DOMAIN, NULL, "hosts", "\"0000000000000000\""},
    {STORE_TABLE_DOMAIN, NULL, "hosts", "\"0123456789ABCDEF\""},
    {STORE_TABLE_DOMAIN, NULL, "hosts", "\"123456789abcdef\""},
    {STORE_TABLE_DOMAIN, NULL, "asked", "256"},
    {STORE_TABLE_DOMAIN, NULL, "accepted", "256"},
    {STORE_TABLE_DESTINATION, NULL, "destination", "\"mx/\\u0001\""},
    {STORE_TABLE_DESTINATION, NULL, "level", "11"},
    {STORE_TABLE_DESTINATION, "breaker", "state", "\"trial\""},
    {STORE_TABLE_DESTINATION, "breaker", "state", "\"ajar\""},
    {STORE_TABLE_DESTINATION, "breaker", "level", "11"},
    {STORE_TABLE_DESTINATION, "breaker", "level", "257"},
    {STORE_TABLE_DESTINATION, "breaker", "stage", "\"connect\""},
    {STORE_TABLE_DUE, NULL, "recipient", "\"alice@example.com\""},
    {STORE_TABLE_DUE, NULL, "recipient", "\"bob@example.com\""}, /* is the address */
    {STORE_TABLE_DUE, NULL, "address", "\"alice@example.com\""},
    {STORE_TABLE_DUE, NULL, "due", "\"2026-03-01T12:05:00Z\""},
    {STORE_TABLE_DUE, NULL, "step", "4294967296"},
    {STORE_TABLE_DUE, NULL, "source", "\"any\""},
};

START_TEST(test_bad)
{
    json_t *o = json_loads(entry_lines[bad[_i].table], 0, NULL), *inner = o;
    const char *name = bad[_i].name;
    bool elsewhere = strcmp(name, "address") == 0 || strcmp(name, "reason") == 0;

    if (bad[_i].within != NULL)
        inner = json_object_get(o, bad[_i].within);
    ck_assert_int_eq(
        json_object_set_new(inner, name, json_loads(bad[_i].value, JSON_DECODE_ANY, NULL)), 0);
    check_refused(o, elsewhere ? "" : name); /* a contradiction may be found at the other one */
    json_decref(o);
}
END_TEST

START_TEST(test_members_together)
{
    json_t *o = json_loads(entry_lines[STORE_TABLE_ADDRESS], 0, NULL);

    (void)json_object_set_new(json_object_get(o, "reply"), "code", json_integer(199));
    check_refused(o, "together");
    json_decref(o);
    o = json_loads(entry_lines[STORE_TABLE_ADDRESS], 0, NULL);
    (void)json_object_del(o, "reply"); /* nothing else is known of an address that was not asked */
    check_refused(o, "mx");
    json_decref(o);
    o = json_loads(entry_lines[STORE_TABLE_DOMAIN], 0, NULL);
    (void)json_object_set_new(o, "catch_all", json_string("untested"));
    check_refused(o, "together");
    json_decref(o);
    o = json_loads(entry_lines[STORE_TABLE_DOMAIN], 0, NULL);
    (void)json_object_set_new(o, "accepted", json_integer(3)); /* of the two that were asked */
    check_refused(o, "together");
    json_decref(o);
    o = json_loads(entry_lines[STORE_TABLE_ADDRESS], 0, NULL);
    (void)json_object_set_new(json_object_get(o, "reply"), "text", json_sprintf("%512s", ""));
    check_refused(o, "reply.text: too long");
    json_decref(o);
    o = json_array();
    check_refused(o, "not an object");
    json_decref(o);
}
END_TEST

static const struct {
    enum store_table table;
    size_t len;
    const char *key;
} bad_keys[] = {
    {STORE_TABLE_ADDRESS, 0, ""},
    {STORE_TABLE_ADDRESS, 11, "example.com"},
    {STORE_TABLE_ADDRESS, 12, "example.com\0"},
    {STORE_TABLE_ADDRESS, 13, "example.com\0\0"},
    {STORE_TABLE_ADDRESS, 17, "Example.com\0alice"},
    {STORE_TABLE_ADDRESS, 19, "example.com\0alice\0\0"},
    {STORE_TABLE_ADDRESS, 19, "example.com\0ali\0ice"},
    {STORE_TABLE_ADDRESS, 17, "example.com\0a@ice"},
    {STORE_TABLE_ADDRESS, 19, "example.com\0\"alice\""},
    {STORE_TABLE_ADDRESS, 14,
     "example.com\0\x80"
     "a"},
    {STORE_TABLE_DOMAIN, 19, "example.com\0abcdefg"},
    {STORE_TABLE_DOMAIN, 21, "example.com\0abcdefghi"},
    {STORE_TABLE_DOMAIN, 20, "example.comabcdefghi"},
    {STORE_TABLE_DOMAIN, 20, "EXAMPLE.com\0abcdefgh"},
    {STORE_TABLE_DOMAIN, 9, "\0abcdefgh"},
    {STORE_TABLE_DESTINATION, 0, ""},
    {STORE_TABLE_DESTINATION, 4, "mx\0a"},
    {STORE_TABLE_DESTINATION, 4, "mx/\xff"},
    {STORE_TABLE_DUE, 15, "example.com\0bob"}, /* asked apart, and the key does not say so */
    {STORE_TABLE_DUE, 16, "example.org\0bob"},
};

START_TEST(test_bad_key)
{
    enum store_table table = bad_keys[_i].table;
    struct entry entry;
    struct error err;
    uint8_t long_key[STORE_KEY_MAX];

    ck_assert(entry_load(entry_lines[table], &entry, &err));
    ck_assert_ptr_null(
        entry_to_json(table, bad_keys[_i].key, bad_keys[_i].len, entry.value, entry.value_len));
    memset(long_key, 'a', sizeof(long_key));
    ck_assert_ptr_null(
        entry_to_json(table, long_key, sizeof(long_key), entry.value, entry.value_len));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("entry_refused");
    TCase *t = tcase_create("entry_refused");

    tcase_add_loop_test(t, test_no_member_may_be_of_another_type, 0, STORE_TABLE_COUNT);
    tcase_add_loop_test(t, test_needed, 0, (int)(sizeof(needed) / sizeof(needed[0])));
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(t, test_members_together);
    tcase_add_loop_test(t, test_bad_key, 0, (int)(sizeof(bad_keys) / sizeof(bad_keys[0])));
    suite_add_tcase(s, t);
    return suite_run(s);
}
