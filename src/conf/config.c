#include "conf/config.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/helo.h"
#include "conf/options.h"
#include "conf/source.h"

#define QUIT_MS      5000 /* longest wait for 221 */
#define COMMIT_MS    10
#define COMMIT_MAX   1000
#define SECTIONS_MAX 16
#define TITLE_SEP    ' ' /* "action outbound" is section "action", title "outbound" */

/* What a load works with. */
struct load {
    struct config *cfg;
    struct source *source;
    struct config_problems *problems;
};

/* libConfuse's error function has no argument of ours. */
static _Thread_local struct load *the_load;

static void on_confuse_error(cfg_t *c, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void on_confuse_error(cfg_t *c, const char *fmt, va_list ap)
{
    struct source_place at = source_line(the_load->source, (unsigned)c->line);
    char text[512];

    if (the_load->problems->errors > 0)
        return; /* told before, and where it stands */
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    problems_add(the_load->problems, at.file, at.line, "libConfuse: %s", text);
}

/* One libConfuse section: its name, and its options out of the table. */
struct section {
    char name[32];
    bool titled;
    cfg_opt_t *opts;
};

struct language {
    struct section sections[SECTIONS_MAX];
    size_t count;
    cfg_opt_t *top; /* top-level options, then the sections */
};

static struct section *find_section(struct language *l, const char *name)
{
    char head[32];
    const char *sep = strchr(name, TITLE_SEP);
    struct section *s;

    (void)str_copyn(head, sizeof(head), name, sep != NULL ? (size_t)(sep - name) : strlen(name));
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->sections[i].name, head) == 0)
            return &l->sections[i];
    s = &l->sections[l->count++];
    (void)str_copy(s->name, sizeof(s->name), head);
    s->titled = sep != NULL;
    return s;
}

static bool opts_have(const cfg_opt_t *opts, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(opts[i].name, name) == 0)
            return true;
    return false;
}

/* The options of a section as libConfuse wants them; titles share them. */
static size_t fill_opts(cfg_opt_t *opts, const char *section)
{
    size_t count = 0, len = strlen(section);

    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        const char *rest = o->section + len;

        if (strncmp(o->section, section, len) != 0 || (*rest != '\0' && *rest != TITLE_SEP) ||
            (len == 0 && *rest != '\0') || opts_have(opts, count, o->name))
            continue;
        /* A list where none belongs is told by check_key(); libConfuse would stop at it. */
        opts[count++] = (cfg_opt_t)CFG_STR_LIST(o->name, NULL, CFGF_NODEFAULT);
    }
    return count;
}

static void language_free(struct language *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->sections[i].opts);
    free(l->top);
}

static bool language_make(struct language *l)
{
    size_t count;
    bool ok;

    memset(l, 0, sizeof(*l));
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].section[0] != '\0')
            (void)find_section(l, option_table[i].section);
    l->top = calloc(option_count + l->count + 1, sizeof(cfg_opt_t));
    ok = l->top != NULL;
    count = ok ? fill_opts(l->top, "") : 0;
    for (size_t i = 0; ok && i < l->count; i++) {
        struct section *s = &l->sections[i];
        cfg_flag_t flags = s->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE;

        s->opts = calloc(option_count + 1, sizeof(cfg_opt_t));
        ok = s->opts != NULL;
        if (ok) {
            s->opts[fill_opts(s->opts, s->name)] = (cfg_opt_t)CFG_END();
            l->top[count++] = (cfg_opt_t)CFG_SEC(s->name, s->opts, flags);
        }
    }
    if (ok)
        l->top[count] = (cfg_opt_t)CFG_END();
    return ok;
}

/* The section an option lives in, or NULL when the file has none such. */
static cfg_t *option_section(cfg_t *top, const struct option *o)
{
    char head[32];
    const char *sep = strchr(o->section, TITLE_SEP);

    if (o->section[0] == '\0')
        return top;
    if (sep == NULL)
        return cfg_getsec(top, o->section);
    (void)str_copyn(head, sizeof(head), o->section, (size_t)(sep - o->section));
    return cfg_gettsec(top, head, sep + 1);
}

static void set_value(struct load *l, const struct option *o, const char *value, size_t index)
{
    struct source_place at = source_value(l->source, o->section, o->name, index);
    struct error err = {""};

    if (!o->set(l->cfg, o, value, &err))
        problems_add(l->problems, at.file, at.line, "%s%s%s: \"%s\" %s", o->section,
                     o->section[0] != '\0' ? "." : "", o->name, value, err.text);
}

static void set_default(struct load *l, const struct option *o)
{
    char value[128];
    const char *rest = o->fallback;

    if (rest == NULL)
        return;
    do {
        size_t len = o->list ? strcspn(rest, " ") : strlen(rest);

        (void)str_copyn(value, sizeof(value), rest, len);
        if (!o->list || len > 0)
            set_value(l, o, value, 0);
        rest += len;
        rest += *rest != '\0';
    } while (*rest != '\0');
}

static void set_option(struct load *l, cfg_t *top, const struct option *o)
{
    cfg_t *section = option_section(top, o);
    cfg_opt_t *opt = section != NULL ? cfg_getopt(section, o->name) : NULL;
    unsigned count = opt != NULL ? cfg_opt_size(opt) : 0;
    struct source_key k;
    bool given = source_find(l->source, o->section, o->name, &k);

    if (!given || k.is_append)
        set_default(l, o);
    if (!given)
        return;
    for (unsigned i = 0; i < count; i++) {
        const char *value = cfg_opt_getnstr(opt, i);

        set_value(l, o, value != NULL ? value : "", i);
    }
}

static bool section_known(const char *name)
{
    for (size_t i = 0; i < option_count; i++)
        if (name[0] != '\0' && strcmp(option_table[i].section, name) == 0)
            return true;
    return false;
}

static const struct option *find_option(const struct source_key *k)
{
    for (size_t i = 0; i < option_count; i++)
        if (strcmp(option_table[i].name, k->name) == 0 &&
            strcmp(option_table[i].section, k->section) == 0)
            return &option_table[i];
    return NULL;
}

/* Keys and sections that the table does not have, and lists where none belong. */
static void check_key(void *arg, const struct source_key *k)
{
    struct load *l = arg;
    const struct option *o = find_option(k);

    if (k->is_section) {
        if (!section_known(k->name))
            problems_add(l->problems, k->at.file, k->at.line, "unknown section: %s", k->name);
    } else if (o == NULL) {
        if (k->section[0] == '\0' || section_known(k->section))
            problems_add(l->problems, k->at.file, k->at.line, "unknown key: %s%s%s", k->section,
                         k->section[0] != '\0' ? "." : "", k->name);
    } else if (k->is_append && !o->list) {
        problems_add(l->problems, k->at.file, k->at.line, "%s: takes one value: \"=\"", k->name);
    } else if (o->list != k->is_list) {
        problems_add(l->problems, k->at.file, k->at.line, "%s: %s", k->name,
                     o->list ? "takes a list: { ... }" : "takes one value, and no list");
    }
}

/* What no value alone can be blamed for. */
static void check_lifetime(struct load *l, enum verdict_status status)
{
    const struct lifetime *life = &l->cfg->verifier.lifetimes[status];
    const char *name = verdict_status_name(status);
    struct source_key k;

    if (!source_find(l->source, "cache", name, &k))
        return;
    if (k.value_count < 2)
        problems_add(l->problems, k.at.file, k.at.line,
                     "cache.%s: needs two durations: {refresh after, forget after}", name);
    else if (life->forget != 0 && life->forget < life->refresh)
        problems_add(l->problems, k.at.file, k.at.line,
                     "cache.%s: is forgotten before it is refreshed: "
                     "{refresh after, forget after}",
                     name);
}

static void check_listen(struct load *l)
{
    struct source_place at = source_value(l->source, "policy", "listen", 0);

    if (l->cfg->policy_listen_count == 0 && l->problems->errors == 0)
        problems_add(l->problems, at.file, at.line, "policy.listen: is empty");
}

static void check_helo(struct load *l)
{
    struct source_place at = source_value(l->source, "", "helo_name", 0);
    const char *warning;
    struct error err = {""};

    if (!helo_settle(l->cfg->verifier.session.helo_name, sizeof(l->cfg->verifier.session.helo_name),
                     &warning, &err))
        problems_add(l->problems, at.file, at.line, "helo_name: %s", err.text);
    else if (warning != NULL)
        problems_warn(l->problems, at.file, at.line, "helo_name: %s", warning);
}

static void set_fixed(struct config *cfg)
{
    cfg->log.ident = "calloutd";
    cfg->verifier.session.quit_ms = QUIT_MS;
    cfg->store.commit_ms = COMMIT_MS;
    cfg->store.commit_max = COMMIT_MAX;
}

static void read_text(struct load *l, cfg_t *top)
{
    source_each_key(l->source, check_key, l);
    the_load = l;
    cfg_set_error_function(top, on_confuse_error);
    (void)cfg_parse_buf(top, source_text(l->source)); /* a failure has been told by then */
    the_load = NULL;
    set_fixed(l->cfg);
    for (size_t i = 0; i < option_count; i++)
        set_option(l, top, &option_table[i]);
    for (int i = 0; i < VERDICT_STATUS_COUNT; i++)
        check_lifetime(l, (enum verdict_status)i);
    check_listen(l);
    check_helo(l);
}

static bool load_source(struct load *l)
{
    struct language lang;
    cfg_t *top = NULL;

    if (language_make(&lang))
        top = cfg_init(lang.top, CFGF_IGNORE_UNKNOWN); /* told by check_key() */
    if (top != NULL)
        read_text(l, top);
    else
        problems_add(l->problems, NULL, 0, "out of memory");
    if (top != NULL)
        cfg_free(top);
    language_free(&lang);
    return l->problems->errors == 0;
}

struct config *config_load(const char *path, struct config_problems *problems)
{
    struct load l = {.problems = problems};
    bool ok = false;

    memset(problems, 0, sizeof(*problems));
    l.source = source_read(path, section_known, problems);
    if (l.source != NULL) {
        l.cfg = calloc(1, sizeof(*l.cfg));
        if (l.cfg != NULL)
            l.cfg->policy = policy_opts_new();
        if (l.cfg != NULL && l.cfg->policy != NULL)
            ok = load_source(&l);
        else
            problems_add(problems, path, 0, "out of memory");
    }
    source_free(&l.source);
    if (!ok)
        config_free(&l.cfg);
    return l.cfg;
}

void config_free(struct config **cp)
{
    struct config *c = *cp;

    if (c == NULL)
        return;
    policy_opts_unref(c->policy);
    free(c);
    *cp = NULL;
}
