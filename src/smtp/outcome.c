#include "smtp/outcome.h"

const char *smtp_stage_name(enum smtp_stage stage)
{
    static const char *const names[] = {
#define X(id, name) [SMTP_STAGE_##id] = name,
        SMTP_STAGES(X)
#undef X
    };

    return names[stage];
}

const char *smtp_failure_name(enum smtp_failure failure)
{
    static const char *const names[] = {
#define X(id, name) [SMTP_FAILURE_##id] = name,
        SMTP_FAILURES(X)
#undef X
    };

    return names[failure];
}
