#include "callout/verdict.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

_Static_assert(VERDICT_REASON_COUNT < 64, "a set of reasons is a uint64_t");

static const char *const status_names[] = {
#define X(id, name) [STATUS_##id] = name,
    VERDICT_STATUSES(X)
#undef X
};

static const char *const source_names[] = {
#define X(id, name) [SOURCE_##id] = name,
    VERDICT_SOURCES(X)
#undef X
};

static const char *const catch_all_names[] = {
#define X(id, name) [CATCH_ALL_##id] = name,
    CATCH_ALL_FACTS(X)
#undef X
};

static const struct {
    const char *name;
    enum verdict_status status;
} reasons[] = {
#define X(id, reason_name, reason_status) [REASON_##id] = {reason_name, STATUS_##reason_status},
    VERDICT_REASONS(X)
#undef X
};

const char *verdict_status_name(enum verdict_status status)
{
    return (size_t)status < COUNT_OF(status_names) ? status_names[status] : "?";
}

const char *verdict_reason_name(enum verdict_reason reason)
{
    return (size_t)reason < COUNT_OF(reasons) ? reasons[reason].name : "?";
}

const char *verdict_source_name(enum verdict_source source)
{
    return (size_t)source < COUNT_OF(source_names) ? source_names[source] : "?";
}

enum verdict_status verdict_reason_status(enum verdict_reason reason)
{
    return (size_t)reason < COUNT_OF(reasons) ? reasons[reason].status : STATUS_UNKNOWN;
}

bool verdict_reason_parse(const char *name, enum verdict_reason *out)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (strcmp(name, reasons[i].name) == 0) {
            *out = (enum verdict_reason)i;
            return true;
        }
    }
    return false;
}

bool verdict_status_parse(const char *name, enum verdict_status *out)
{
    size_t i = str_find(status_names, COUNT_OF(status_names), name);

    if (i < COUNT_OF(status_names))
        *out = (enum verdict_status)i;
    return i < COUNT_OF(status_names);
}

bool verdict_source_parse(const char *name, enum verdict_source *out)
{
    size_t i = str_find(source_names, COUNT_OF(source_names), name);

    if (i < COUNT_OF(source_names))
        *out = (enum verdict_source)i;
    return i < COUNT_OF(source_names);
}

bool catch_all_fact_parse(const char *name, enum catch_all_fact *out)
{
    size_t i = str_find(catch_all_names, COUNT_OF(catch_all_names), name);

    if (i < COUNT_OF(catch_all_names))
        *out = (enum catch_all_fact)i;
    return i < COUNT_OF(catch_all_names);
}

void verdict_init(struct verdict *v, enum verdict_reason reason, enum verdict_source source)
{
    memset(v, 0, sizeof(*v));
    v->reason = reason;
    v->status = verdict_reason_status(reason);
    v->source = source;
    v->evidence.ip.family = AF_UNSPEC;
}

const char *catch_all_fact_name(enum catch_all_fact fact)
{
    return (size_t)fact < COUNT_OF(catch_all_names) ? catch_all_names[fact] : "?";
}
