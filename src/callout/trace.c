#include "callout/trace.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char cut_mark[] = "* the rest is left out\n";

struct trace {
    size_t len;
    bool cut;
    char text[TRACE_MAX + sizeof(cut_mark)];
};

struct trace *trace_new(void)
{
    return calloc(1, sizeof(struct trace));
}

void trace_free(struct trace **t)
{
    free(*t);
    *t = NULL;
}

void trace_add(struct trace *t, char dir, const char *line)
{
    if (t == NULL || t->cut)
        return;
    if (t->len + strlen(line) + 3 >= TRACE_MAX) {
        t->cut = true;
        memcpy(t->text + t->len, cut_mark, sizeof(cut_mark));
        return;
    }
    (void)str_format(t->text + t->len, TRACE_MAX - t->len, "%c %s\n", dir, line);
    t->len += strlen(t->text + t->len);
}

const char *trace_text(const struct trace *t)
{
    return t != NULL ? t->text : NULL;
}
