#include "conf/restart.h"

#include <string.h>

#include "base/str.h"
#include "conf/options.h"

bool same_state_dir(const struct config *a, const struct config *b)
{
    return strcmp(a->state_dir, b->state_dir) == 0;
}

bool same_user(const struct config *a, const struct config *b)
{
    return strcmp(a->user, b->user) == 0;
}

bool same_socket_mode(const struct config *a, const struct config *b)
{
    return a->listener.socket_mode == b->listener.socket_mode;
}

bool same_socket_group(const struct config *a, const struct config *b)
{
    return strcmp(a->listener.socket_group, b->listener.socket_group) == 0;
}

bool same_policy_listen(const struct config *a, const struct config *b)
{
    if (a->policy_listen_count != b->policy_listen_count)
        return false;
    for (size_t i = 0; i < a->policy_listen_count; i++)
        if (strcmp(a->policy_listen[i].text, b->policy_listen[i].text) != 0)
            return false;
    return true;
}

bool same_milter_listen(const struct config *a, const struct config *b)
{
    return strcmp(a->milter_listen, b->milter_listen) == 0;
}

bool same_control_listen(const struct config *a, const struct config *b)
{
    return strcmp(a->control_listen.text, b->control_listen.text) == 0;
}

bool same_cache_size(const struct config *a, const struct config *b)
{
    return a->store.size == b->store.size;
}

bool same_commit_interval(const struct config *a, const struct config *b)
{
    return a->store.commit_ms == b->store.commit_ms;
}

bool same_commit_records(const struct config *a, const struct config *b)
{
    return a->store.commit_max == b->store.commit_max;
}

void config_restart_keys(const struct config *running, const struct config *wanted,
                         void (*fn)(void *arg, const char *key), void *arg)
{
    char key[64];

    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];

        if (o->same == NULL || o->same(running, wanted))
            continue;
        (void)str_format(key, sizeof(key), "%s%s%s", o->section, o->section[0] != '\0' ? "." : "",
                         o->name);
        fn(arg, key);
    }
}
