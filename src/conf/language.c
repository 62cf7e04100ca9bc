#include "conf/language.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define SECTIONS_MAX 24

/* One libConfuse section: its name, and its options out of the table. */
struct section {
    char name[32];
    bool titled;
    cfg_opt_t *opts;
};

struct language {
    const struct grammar *grammar;
    struct section sections[SECTIONS_MAX];
    size_t count;
    cfg_opt_t *opts; /* top-level options, then the sections */
    cfg_t *top;
};

/* libConfuse's error function has no argument of ours. */
static _Thread_local struct {
    const struct source *source;
    struct config_problems *problems;
} parsing;

static void on_confuse_error(cfg_t *c, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void on_confuse_error(cfg_t *c, const char *fmt, va_list ap)
{
    struct source_place at = source_line(parsing.source, (unsigned)c->line);
    char text[512];

    if (parsing.problems->errors > 0)
        return; /* told before, and where it stands */
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    problems_add(parsing.problems, at.file, at.line, "libConfuse: %s", text);
}

static void find_section(struct language *l, const char *name)
{
    char head[32];
    const char *sep = strchr(name, GRAMMAR_TITLE_SEP);
    struct section *s;

    (void)str_copyn(head, sizeof(head), name, sep != NULL ? (size_t)(sep - name) : strlen(name));
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->sections[i].name, head) == 0)
            return;
    s = &l->sections[l->count++];
    (void)str_copy(s->name, sizeof(s->name), head);
    s->titled = sep != NULL;
}

static bool opts_have(const cfg_opt_t *opts, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(opts[i].name, name) == 0)
            return true;
    return false;
}

/* The options of a section as libConfuse wants them; titles share them. */
static size_t fill_opts(const struct grammar *g, cfg_opt_t *opts, const char *section)
{
    size_t count = 0, len = strlen(section);
    struct grammar_key key;

    for (size_t i = 0; g->key(i, &key); i++) {
        const char *rest = key.section + len;

        if (strncmp(key.section, section, len) != 0 ||
            (*rest != '\0' && *rest != GRAMMAR_TITLE_SEP) || (len == 0 && *rest != '\0') ||
            opts_have(opts, count, key.name))
            continue;
        /* A list where none belongs has been told; libConfuse would stop at it. */
        opts[count++] = (cfg_opt_t)CFG_STR_LIST(key.name, NULL, CFGF_NODEFAULT);
    }
    return count;
}

static size_t find_sections(struct language *l)
{
    struct grammar_key key;
    size_t count = 0;

    for (; l->grammar->key(count, &key); count++)
        if (key.section[0] != '\0')
            find_section(l, key.section);
    return count;
}

static bool make_opts(struct language *l)
{
    size_t key_count = find_sections(l), count;
    bool ok;

    l->opts = calloc(key_count + l->count + 1, sizeof(cfg_opt_t));
    ok = l->opts != NULL;
    count = ok ? fill_opts(l->grammar, l->opts, "") : 0;
    for (size_t i = 0; ok && i < l->count; i++) {
        struct section *s = &l->sections[i];
        cfg_flag_t flags = s->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE;

        s->opts = calloc(key_count + 1, sizeof(cfg_opt_t));
        ok = s->opts != NULL;
        if (ok) {
            s->opts[fill_opts(l->grammar, s->opts, s->name)] = (cfg_opt_t)CFG_END();
            l->opts[count++] = (cfg_opt_t)CFG_SEC(s->name, s->opts, flags);
        }
    }
    if (ok)
        l->opts[count] = (cfg_opt_t)CFG_END();
    return ok;
}

struct language *language_new(const struct grammar *g)
{
    struct language *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return NULL;
    l->grammar = g;
    if (make_opts(l))
        l->top = cfg_init(l->opts, CFGF_IGNORE_UNKNOWN); /* those have been told */
    if (l->top == NULL)
        language_free(&l);
    return l;
}

void language_free(struct language **lp)
{
    struct language *l = *lp;

    if (l == NULL)
        return;
    if (l->top != NULL)
        cfg_free(l->top);
    for (size_t i = 0; i < l->count; i++)
        free(l->sections[i].opts);
    free(l->opts);
    free(l);
    *lp = NULL;
}

void language_parse(struct language *l, const struct source *s, struct config_problems *problems)
{
    parsing.source = s;
    parsing.problems = problems;
    cfg_set_error_function(l->top, on_confuse_error);
    (void)cfg_parse_buf(l->top, source_text(s)); /* a failure has been told by then */
    parsing.source = NULL;
    parsing.problems = NULL;
}

struct cfg_t *language_section(const struct language *l, const char *name)
{
    char head[32];
    const char *sep = strchr(name, GRAMMAR_TITLE_SEP);

    if (name[0] == '\0')
        return l->top;
    if (sep == NULL)
        return cfg_getsec(l->top, name);
    (void)str_copyn(head, sizeof(head), name, (size_t)(sep - name));
    return cfg_gettsec(l->top, head, sep + 1);
}

unsigned language_title_count(const struct language *l, const char *name)
{
    return cfg_size(l->top, name);
}

struct cfg_t *language_titled(const struct language *l, const char *name, unsigned index,
                              const char **title)
{
    cfg_t *section = cfg_getnsec(l->top, name, index);

    *title = cfg_title(section);
    return section;
}

unsigned language_value_count(struct cfg_t *section, const char *key)
{
    cfg_opt_t *opt = section != NULL ? cfg_getopt(section, key) : NULL;

    return opt != NULL ? cfg_opt_size(opt) : 0;
}

const char *language_value(struct cfg_t *section, const char *key, unsigned index)
{
    const char *value = cfg_getnstr(section, key, index);

    return value != NULL ? value : "";
}
