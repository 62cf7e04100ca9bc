#include "callout/delivery.h"

#include <stdlib.h>
#include <string.h>

struct delivery {
    verifier_cb cb;
    void *arg;
    struct verdict verdict;
    char *trace;
};

static void deliver(void *arg)
{
    struct delivery *d = arg;

    d->cb(d->arg, &d->verdict, d->trace);
    free(d->trace);
    free(d);
}

void delivery_send(struct loop *on, verifier_cb cb, void *arg, const struct verdict *v,
                   const char *trace)
{
    struct delivery *d = malloc(sizeof(*d));

    if (d == NULL)
        abort();
    *d = (struct delivery){.cb = cb, .arg = arg, .verdict = *v};
    if (trace != NULL)
        d->trace = strdup(trace);
    loop_post_gathered(on, deliver, d);
}
