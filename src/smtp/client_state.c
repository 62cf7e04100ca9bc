#include "smtp/client.h"

const char *client_state_name(enum client_state state)
{
    static const char *const names[] = {
#define X(id, name, stage) [CLIENT_##id] = name,
        CLIENT_STATES(X)
#undef X
    };

    return names[state];
}

enum smtp_stage client_state_stage(enum client_state state)
{
    static const enum smtp_stage stages[] = {
#define X(id, name, stage) [CLIENT_##id] = SMTP_STAGE_##stage,
        CLIENT_STATES(X)
#undef X
    };

    return stages[state];
}
