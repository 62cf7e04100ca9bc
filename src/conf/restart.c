/* Which keys a reload cannot take. */
#include <string.h>

#include "conf/config.h"

static bool same_listen(const struct config *a, const struct config *b)
{
    if (a->policy_listen_count != b->policy_listen_count)
        return false;
    for (size_t i = 0; i < a->policy_listen_count; i++)
        if (strcmp(a->policy_listen[i].text, b->policy_listen[i].text) != 0)
            return false;
    return true;
}

void config_restart_keys(const struct config *running, const struct config *wanted,
                         void (*fn)(void *arg, const char *key), void *arg)
{
    const struct {
        const char *key;
        bool same;
    } keys[] = {
        {"state_dir", strcmp(running->state_dir, wanted->state_dir) == 0},
        {"user", strcmp(running->user, wanted->user) == 0},
        {"socket_mode", running->listener.socket_mode == wanted->listener.socket_mode},
        {"socket_group",
         strcmp(running->listener.socket_group, wanted->listener.socket_group) == 0},
        {"policy.listen", same_listen(running, wanted)},
        {"control.listen", strcmp(running->control_listen.text, wanted->control_listen.text) == 0},
        {"cache.size", running->store.size == wanted->store.size},
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (!keys[i].same)
            fn(arg, keys[i].key);
}
