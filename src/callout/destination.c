#include "callout/destination.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "callout/codec.h"
#include "dns/registrable.h"

/*
 * u8 version, i64 null_sender_refused_at, i64 greylist_ms, i64 greylisted_at, u8 level, i64
 * pause_until, the breaker (u8 state, u8 level, u64 struck, i64 opened_at, i64 open_until, u8
 * stage, u16 code, u8 class, u16 subject, u16 detail, text, mx), i64 expires_at.
 * Version 1: u8 version, i64 null_sender_refused_at, i64 expires_at.
 */
#define FACT_VERSION 2

/* Once a callout: without printf. */
static void put_name(char out[DESTINATION_NAME_SIZE], const char *kind, const char *name)
{
    size_t len = strlen(kind);

    memcpy(out, kind, len);
    (void)str_copy(out + len, DESTINATION_NAME_SIZE - len, name);
}

void destination_name(const struct mx_candidate *host, const struct provider *provider,
                      char out[DESTINATION_NAME_SIZE])
{
    char text[256];

    if (provider != NULL)
        put_name(out, "provider/", provider->name);
    else if (host->name[0] != '\0')
        put_name(out, "mx/",
                 registrable_domain(host->name, text, sizeof(text)) ? text : host->name);
    else if (host->path != NULL)
        put_name(out, "unix", host->path);
    else
        put_name(out, "ip/", netaddr_format(&host->ip, text));
}

bool destination_name_valid(const char *text)
{
    static const char *const kinds[] = {"provider/", "mx/", "ip/", "unix/", "domain/"};

    if (strlen(text) >= DESTINATION_NAME_SIZE)
        return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(text, kinds[i], len) == 0)
            return text[len] != '\0';
    }
    return false;
}

static void put_breaker(struct codec_writer *w, const struct breaker *b)
{
    codec_put_uint(w, b->state == BREAKER_CLOSED ? BREAKER_CLOSED : BREAKER_OPEN, 1);
    codec_put_uint(w, b->level, 1);
    codec_put_uint(w, b->struck, 8);
    codec_put_uint(w, (uint64_t)b->opened_at, 8);
    codec_put_uint(w, (uint64_t)b->open_until, 8);
    codec_put_uint(w, b->stage, 1);
    codec_put_uint(w, b->code, 2);
    codec_put_enhanced(w, &b->enhanced);
    codec_put_string(w, b->text, sizeof(b->text));
    codec_put_string(w, b->mx, sizeof(b->mx));
}

static void get_breaker(struct codec_reader *r, struct breaker *b)
{
    b->state = (enum breaker_state)codec_get_uint(r, 1, BREAKER_OPEN);
    b->level = (unsigned)codec_get_uint(r, 1, BREAKER_LEVEL_MAX);
    b->struck = codec_get_uint(r, 8, UINT64_MAX);
    b->opened_at = codec_get_time(r);
    b->open_until = codec_get_time(r);
    b->stage = (enum smtp_stage)codec_get_uint(r, 1, SMTP_STAGE_QUIT);
    b->code = (uint16_t)codec_get_uint(r, 2, 599);
    codec_get_enhanced(r, &b->enhanced);
    codec_get_string(r, b->text, sizeof(b->text));
    codec_get_string(r, b->mx, sizeof(b->mx));
}

size_t destination_fact_encode(const struct destination_fact *f, uint8_t *buf, size_t size)
{
    struct codec_writer w = {.at = buf, .left = size, .ok = true};

    codec_put_uint(&w, FACT_VERSION, 1);
    codec_put_uint(&w, (uint64_t)f->null_sender_refused_at, 8);
    codec_put_uint(&w, (uint64_t)f->greylist_ms, 8);
    codec_put_uint(&w, (uint64_t)f->greylisted_at, 8);
    codec_put_uint(&w, f->level, 1);
    codec_put_uint(&w, (uint64_t)f->pause_until, 8);
    put_breaker(&w, &f->breaker);
    codec_put_uint(&w, (uint64_t)f->expires_at, 8);
    return w.ok ? size - w.left : 0;
}

bool destination_fact_decode(const uint8_t *buf, size_t len, struct destination_fact *out)
{
    struct codec_reader r = {.at = buf, .left = len, .ok = true};
    uint64_t version = codec_get_uint(&r, 1, FACT_VERSION);

    memset(out, 0, sizeof(*out));
    out->null_sender_refused_at = codec_get_time(&r);
    if (version == FACT_VERSION) {
        out->greylist_ms = codec_get_time(&r);
        out->greylisted_at = codec_get_time(&r);
        out->level = (unsigned)codec_get_uint(&r, 1, PACE_LEVEL_MAX);
        out->pause_until = codec_get_time(&r);
        get_breaker(&r, &out->breaker);
    }
    out->expires_at = codec_get_time(&r);
    if (version != 0 && r.ok && r.left == 0)
        return true;
    memset(out, 0, sizeof(*out));
    return false;
}

bool destination_get(struct keep *k, const char *name, int64_t now, struct destination_fact *out)
{
    uint8_t value[KEEP_VALUE_MAX];
    size_t len = 0;

    memset(out, 0, sizeof(*out));
    if (!keep_get(k, STORE_TABLE_DESTINATION, name, strlen(name), now, value, &len))
        return false;
    if (destination_fact_decode(value, len, out))
        return true;
    log_warning("store: damaged record ignored: destination=%s", name);
    return false;
}

void destination_put(struct keep *k, const char *name, const struct destination_fact *f)
{
    uint8_t value[DESTINATION_FACT_SIZE_MAX];
    size_t len = destination_fact_encode(f, value, sizeof(value));

    keep_put(k, STORE_TABLE_DESTINATION, name, strlen(name), value, len, f->expires_at);
}
