#include "entry_rig.h"

#include <check.h>
#include <stdlib.h>

#define ADDRESS_LINE \
    "{\"table\":\"address\",\"address\":\"bob@example.com\",\"null_sender\":true," \
    "\"status\":\"invalid\",\"reason\":\"no_mailbox\",\"source\":\"probe\"," \
    "\"probed_at\":\"2026-03-01T12:00:00Z\",\"refresh_at\":\"2026-03-02T12:00:00Z\"," \
    "\"expires_at\":\"2026-03-08T12:00:00Z\",\"retry_at\":\"2026-03-02T13:00:00Z\"," \
    "\"noted\":\"timeout\",\"reply\":{\"stage\":\"rcpt\",\"failure\":\"closed\",\"code\":550," \
    "\"enhanced\":\"5.1.1\",\"text\":\"no \\\"such\\\" \xc3\xbcser\",\"rule\":\"no-mailbox\"}," \
    "\"mx\":\"mx1.example.com\",\"ip\":\"192.0.2.1\",\"tls\":\"TLSv1.3\"," \
    "\"provider\":\"example\",\"catch_all\":\"selective\"}"
#define DOMAIN_LINE \
    "{\"table\":\"domain\",\"domain\":\"example.com\",\"hosts\":\"0123456789abcdef\"," \
    "\"catch_all\":\"accepts_everything\",\"learned_at\":\"2026-03-01T12:00:00Z\"," \
    "\"refresh_at\":\"2026-03-02T12:00:00Z\",\"expires_at\":\"2026-03-08T12:00:00Z\"," \
    "\"asked\":2,\"accepted\":1,\"reply\":{\"code\":250,\"enhanced\":\"2.1.5\"," \
    "\"text\":\"fine\"},\"mx\":\"mx1.example.com\"}"
#define DESTINATION_LINE \
    "{\"table\":\"destination\",\"destination\":\"mx/example.com\"," \
    "\"expires_at\":\"2026-03-08T12:00:00Z\",\"null_sender_refused_at\":\"2026-03-01T12:00:00Z\"," \
    "\"greylist_ms\":300000,\"greylisted_at\":\"2026-03-01T12:00:01Z\",\"level\":3," \
    "\"pause_until\":\"2026-03-01T12:00:02Z\",\"breaker\":{\"state\":\"open\",\"level\":2," \
    "\"struck\":\"fedcba9876543210\",\"opened_at\":\"2026-03-01T12:00:03Z\"," \
    "\"open_until\":\"2026-03-01T12:00:04Z\",\"stage\":\"mail\",\"code\":554," \
    "\"enhanced\":\"5.7.1\",\"text\":\"go away\",\"mx\":\"mx1.example.com\"}}"
#define DUE_LINE \
    "{\"table\":\"due\",\"address\":\"bob@example.com\",\"apart\":true,\"null_sender\":true," \
    "\"recipient\":\"Bob@example.com\",\"sender\":\"probe@example.net\"," \
    "\"helo\":\"probe.example.net\",\"source\":\"::\"," \
    "\"first_at\":\"2026-03-01T12:00:00.001Z\",\"due\":\"2026-03-01T12:05:00.002Z\"," \
    "\"last_due\":\"2026-03-01T18:00:00.003Z\",\"learned_ms\":300000,\"step\":1," \
    "\"want_catch_all\":true,\"said_so\":true,\"confirm\":true}"

const char *const entry_lines[STORE_TABLE_COUNT] = {
    [STORE_TABLE_ADDRESS] = ADDRESS_LINE,
    [STORE_TABLE_DOMAIN] = DOMAIN_LINE,
    [STORE_TABLE_DESTINATION] = DESTINATION_LINE,
    [STORE_TABLE_DUE] = DUE_LINE,
};

char *entry_dump(const struct entry *entry)
{
    json_t *o =
        entry_to_json(entry->table, entry->key, entry->key_len, entry->value, entry->value_len);
    char *text = json_dumps(o, JSON_COMPACT);

    ck_assert_ptr_nonnull(o);
    ck_assert_ptr_nonnull(text);
    json_decref(o);
    return text;
}

bool entry_load(const char *text, struct entry *out, struct error *err)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool ok;

    ck_assert_msg(o != NULL, "%s", text);
    err->text[0] = '\0';
    ok = entry_from_json(o, out, err);
    json_decref(o);
    return ok;
}
