#include "smtp/outcome.h"

#include "base/str.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char *const stage_names[] = {
#define X(id, name) [SMTP_STAGE_##id] = (name),
    SMTP_STAGES(X)
#undef X
};

static const char *const failure_names[] = {
#define X(id, name) [SMTP_FAILURE_##id] = (name),
    SMTP_FAILURES(X)
#undef X
};

const char *smtp_stage_name(enum smtp_stage stage)
{
    return stage_names[stage];
}

const char *smtp_failure_name(enum smtp_failure failure)
{
    return failure_names[failure];
}

bool smtp_stage_parse(const char *name, enum smtp_stage *out)
{
    size_t i = str_find(stage_names, COUNT_OF(stage_names), name);

    if (i < COUNT_OF(stage_names))
        *out = (enum smtp_stage)i;
    return i < COUNT_OF(stage_names);
}

bool smtp_failure_parse(const char *name, enum smtp_failure *out)
{
    size_t i = str_find(failure_names, COUNT_OF(failure_names), name);

    if (i < COUNT_OF(failure_names))
        *out = (enum smtp_failure)i;
    return i < COUNT_OF(failure_names);
}
