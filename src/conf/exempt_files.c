#include "conf/exempt_files.h"

#include <stdlib.h>

#include "conf/file.h"

static void load_file(struct load *l, enum exempt_kind kind, const char *key, const char *name,
                      struct exempt **out)
{
    struct source_place at = source_value(l->source, "exempt", key, 0);
    char path[4096];
    struct file_text file = {.text = NULL};
    struct error err = {"the path is too long"};
    unsigned line;

    if (name[0] == '\0')
        return;
    if (!file_beside(l->path, name, path, sizeof(path)) ||
        !file_read(path, EXEMPT_FILE_MAX, &file, &err)) {
        problems_add(l->problems, at.file, at.line, "exempt.%s: %s: %s", key, path, err.text);
        return;
    }
    *out = exempt_parse(kind, file.text, file.len, &line, &err);
    if (*out == NULL)
        problems_add(l->problems, path, line, "%s", err.text);
    free(file.text);
}

void load_exempt_files(struct load *l)
{
    const struct config_exempt *files = &l->cfg->exempt;
    struct policy_opts *p = l->cfg->policy;

    load_file(l, EXEMPT_ADDRESSES, "recipients", files->recipients, &p->exempt_recipients);
    load_file(l, EXEMPT_ADDRESSES, "senders", files->senders, &p->exempt_senders);
    load_file(l, EXEMPT_CLIENTS, "clients", files->clients, &p->exempt_clients);
}
