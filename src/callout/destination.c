#include "callout/destination.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "callout/codec.h"
#include "dns/registrable.h"

/* u8 version, i64 null_sender_refused_at, i64 expires_at. */
#define FACT_VERSION 1
#define VALUE_SIZE   17

void destination_name(const struct mx_candidate *host, const struct provider *provider,
                      char out[DESTINATION_NAME_SIZE])
{
    char text[256];

    if (provider != NULL)
        (void)str_format(out, DESTINATION_NAME_SIZE, "provider/%s", provider->name);
    else if (host->name[0] != '\0')
        (void)str_format(out, DESTINATION_NAME_SIZE, "mx/%s",
                         registrable_domain(host->name, text, sizeof(text)) ? text : host->name);
    else if (host->path[0] != '\0')
        (void)str_format(out, DESTINATION_NAME_SIZE, "unix%s", host->path);
    else
        (void)str_format(out, DESTINATION_NAME_SIZE, "ip/%s", netaddr_format(&host->ip, text));
}

bool destination_get(struct keep *k, const char *name, int64_t now, struct destination_fact *out)
{
    uint8_t value[KEEP_VALUE_MAX];
    struct codec_reader r = {.at = value, .ok = true};

    if (!keep_get(k, STORE_TABLE_DESTINATION, name, strlen(name), now, value, &r.left))
        return false;
    if (codec_get_uint(&r, 1, UINT8_MAX) == FACT_VERSION) {
        out->null_sender_refused_at = codec_get_time(&r);
        out->expires_at = codec_get_time(&r);
        if (r.ok && r.left == 0)
            return true;
    }
    log_warning("store: damaged record ignored: destination=%s", name);
    return false;
}

void destination_put(struct keep *k, const char *name, const struct destination_fact *f)
{
    uint8_t value[VALUE_SIZE];
    struct codec_writer w = {.at = value, .left = sizeof(value), .ok = true};

    codec_put_uint(&w, FACT_VERSION, 1);
    codec_put_uint(&w, (uint64_t)f->null_sender_refused_at, 8);
    codec_put_uint(&w, (uint64_t)f->expires_at, 8);
    keep_put(k, STORE_TABLE_DESTINATION, name, strlen(name), value, sizeof(value), f->expires_at);
}
