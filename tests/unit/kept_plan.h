/* A plan that outlives the lookup that made it, for what a test has to say of it afterwards. */
#ifndef KEPT_PLAN_H
#define KEPT_PLAN_H

#include <stdio.h>

#include "dns/mxlist.h"

static const char *kept_text(const char *text)
{
    static char texts[1000][256];
    static unsigned used;
    char *kept = texts[used++ % 1000];

    if (text == NULL)
        return NULL;
    (void)snprintf(kept, sizeof(texts[0]), "%s", text);
    return kept;
}

static struct mx_plan kept_plan(const struct mx_plan *plan)
{
    struct mx_plan kept = *plan;

    for (size_t i = 0; i < kept.count; i++) {
        kept.list[i].name = kept_text(kept.list[i].name);
        kept.list[i].path = kept_text(kept.list[i].path);
    }
    return kept;
}

#endif
