#include "conf/data_files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/str.h"
#include "conf/builtin.h"
#include "conf/file.h"
#include "conf/provider_file.h"
#include "conf/reply_file.h"

#define FILE_MAX (1024U * 1024)

#define BUILT_IN(name) name " (built in)"

/* One file: what it is called, and what is built in. */
struct data_file {
    const char *name, *builtin_name;
    const unsigned char *builtin;
    const size_t *builtin_len;
};

static const struct data_file reply_file = {
    "replies.conf",
    BUILT_IN("replies.conf"),
    builtin_replies,
    &builtin_replies_len,
};

static const struct data_file provider_file = {
    "providers.conf",
    BUILT_IN("providers.conf"),
    builtin_providers,
    &builtin_providers_len,
};

/* A file's text. */
struct taken {
    const char *text;
    size_t len;
    char *owned; /* the text, where it is not built in */
    bool beside; /* the admin's own */
};

/* One that may not be looked at is there, and then cannot be read. */
static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* False: neither place has it. */
static bool find(const struct data_file *f, const char *conf_path, char *path, size_t size,
                 bool *beside)
{
    *beside = file_beside(conf_path, f->name, path, size) && is_there(path);
    if (*beside)
        return true;
    return str_format(path, size, "%s/%s", data_files_dir(), f->name) && is_there(path);
}

static void take_builtin(const struct data_file *f, struct taken *out)
{
    *out = (struct taken){.text = (const char *)f->builtin, .len = *f->builtin_len};
}

/* `from` says which, also where that cannot be read. */
static bool take(const struct data_file *f, const char *conf_path, char *from, struct taken *out,
                 struct config_problems *problems)
{
    struct file_text file;
    struct error err = {""};
    bool beside;

    take_builtin(f, out);
    if (!find(f, conf_path, from, DATA_FILES_PATH_MAX, &beside)) {
        (void)str_copy(from, DATA_FILES_PATH_MAX, f->builtin_name);
        return true;
    }
    if (!file_read(from, FILE_MAX, &file, &err)) {
        problems_add(problems, from, 0, "%s", err.text);
        return false;
    }
    *out = (struct taken){.text = file.text, .len = file.len, .owned = file.text, .beside = beside};
    return true;
}

/* Both or none. */
static bool finish(struct reply_rules **replies, struct providers **providers)
{
    if (*replies != NULL && *providers != NULL)
        return true;
    reply_rules_unref(replies);
    providers_unref(providers);
    return false;
}

/* A file cut short would turn every recipient into a question without an answer, and nobody would
   hear of it. */
static void check_acceptance(const struct data_files *f, struct config_problems *problems)
{
    const struct smtp_reply accepted = {.code = 250, .lines = 1, .text = "Ok"};

    if (f->replies != NULL &&
        reply_rules_find(f->replies, SMTP_STAGE_RCPT, &accepted, "", NULL) == NULL)
        problems_warn(problems, f->replies_from, 0,
                      "no rule reads \"250 Ok\" to RCPT: nobody will be valid");
}

bool data_files_load(const char *path, struct data_files *out, struct config_problems *problems)
{
    struct taken t;

    out->replies = NULL;
    out->providers = NULL;
    /* The providers first: rules name them. */
    if (take(&provider_file, path, out->providers_from, &t, problems))
        out->providers = provider_file_read(out->providers_from, t.text, t.len, problems);
    free(t.owned);
    if (take(&reply_file, path, out->replies_from, &t, problems))
        out->replies = reply_file_read(out->replies_from, t.text, t.len,
                                       t.beside ? out->providers : NULL, problems);
    free(t.owned);
    check_acceptance(out, problems);
    return finish(&out->replies, &out->providers);
}

bool data_files_builtin(struct reply_rules **replies, struct providers **providers,
                        struct config_problems *problems)
{
    struct taken t;

    take_builtin(&provider_file, &t);
    *providers = provider_file_read(provider_file.builtin_name, t.text, t.len, problems);
    take_builtin(&reply_file, &t);
    *replies = reply_file_read(reply_file.builtin_name, t.text, t.len, *providers, problems);
    return finish(replies, providers);
}
