#include "conf/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/exempt_files.h"
#include "conf/helo.h"
#include "conf/load.h"
#include "conf/routes.h"
#include "conf/setters.h"

#define QUIT_MS          5000 /* longest wait for 221 */
#define SENDMAIL_WAIT_MS 10000

static void set_value(struct load *l, const struct option *o, const struct load_section *s,
                      const char *value, size_t index)
{
    struct source_place at = source_value(l->source, s->name, o->name, index);
    struct error err = {""};

    if (o->set_route != NULL ? !o->set_route(s->route, value, &err)
                             : !o->set(l->cfg, o, value, &err))
        problems_add(l->problems, at.file, at.line, "%s%s%s: \"%s\" %s", s->name,
                     source_joint(s->name), o->name, value, err.text);
}

static void set_default(struct load *l, const struct option *o, const struct load_section *s)
{
    char value[128];
    const char *rest = o->fallback;

    if (rest == NULL)
        return;
    do {
        size_t len = o->list ? strcspn(rest, " ") : strlen(rest);

        (void)str_copyn(value, sizeof(value), rest, len);
        if (!o->list || len > 0)
            set_value(l, o, s, value, 0);
        rest += len;
        rest += *rest != '\0';
    } while (*rest != '\0');
}

void load_option(struct load *l, const struct option *o, const struct load_section *s)
{
    struct source_key k;
    bool given = source_find(l->source, s->name, o->name, &k);
    unsigned count = given ? language_value_count(s->values, o->name) : 0;

    if (!given || k.is_append)
        set_default(l, o, s);
    for (unsigned i = 0; i < count; i++)
        set_value(l, o, s, language_value(s->values, o->name, i), i);
}

/* What no value alone can be blamed for. */
static void check_lifetime(struct load *l, const struct option *o)
{
    const struct lifetime *life = option_member(l->cfg, o);
    const char *name = o->name;
    struct source_key k;

    if (!source_find(l->source, o->section, name, &k))
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

    if (l->cfg->policy_listen_count == 0 && l->cfg->milter_listen[0] == '\0' &&
        l->problems->errors == 0)
        problems_add(l->problems, at.file, at.line,
                     "policy.listen: is empty, and so is milter.listen: nobody could ask");
}

/* Sendmail's own limit; how long Postfix waits is its own to say. */
static void check_wait(struct load *l)
{
    struct source_place at = source_value(l->source, "", "wait", 0);

    if (l->problems->errors == 0 && l->cfg->milter_listen[0] != '\0' &&
        l->cfg->policy->wait_ms >= SENDMAIL_WAIT_MS)
        problems_warn(l->problems, at.file, at.line,
                      "wait: Sendmail gives up on a milter after %d s unless it is told to wait "
                      "longer (T=R:...)",
                      SENDMAIL_WAIT_MS / 1000);
}

static void check_fallback(struct load *l)
{
    struct source_place at = source_value(l->source, "", "probe_sender_fallback", 0);

    if (l->cfg->verifier.probe_sender[0] != '\0' &&
        l->cfg->verifier.probe_sender_fallback[0] != '\0')
        problems_warn(l->problems, at.file, at.line,
                      "probe_sender_fallback: is in the place of a null sender, which "
                      "probe_sender has taken: it is never used");
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
}

static void load_options(struct load *l)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        struct load_section s = {.name = o->section};

        if (o->set == NULL)
            continue; /* of a route, or no key at all */
        s.values = language_section(l->language, s.name);
        load_option(l, o, &s);
    }
    load_routes(l);
    load_exempt_files(l);
}

/* As a part of the whole: a bad one leaves all as it was. */
static void load_data_files(struct load *l)
{
    struct data_files files;

    if (data_files_load(l->path, &files, l->problems)) {
        l->cfg->verifier.replies = files.replies;
        l->cfg->verifier.providers = files.providers;
    }
    (void)str_copy(l->cfg->replies_from, sizeof(l->cfg->replies_from), files.replies_from);
    (void)str_copy(l->cfg->providers_from, sizeof(l->cfg->providers_from), files.providers_from);
}

static bool load_source(struct load *l)
{
    l->language = language_new(&option_grammar);
    if (l->language == NULL) {
        problems_add(l->problems, NULL, 0, "out of memory");
        return false;
    }
    grammar_check(&option_grammar, l->source, l->problems);
    language_parse(l->language, l->source, l->problems);
    set_fixed(l->cfg);
    load_options(l);
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].set == set_lifetime)
            check_lifetime(l, &option_table[i]);
    check_listen(l);
    check_wait(l);
    check_fallback(l);
    check_helo(l);
    load_data_files(l);
    language_free(&l->language);
    return l->problems->errors == 0;
}

struct config *config_load(const char *path, struct config_problems *problems)
{
    struct load l = {.path = path, .problems = problems};
    bool ok = false;

    memset(problems, 0, sizeof(*problems));
    l.source = source_read(path, &option_grammar, problems);
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
    route_table_unref(&c->verifier.routes);
    reply_rules_unref(&c->verifier.replies);
    providers_unref(&c->verifier.providers);
    free(c);
    *cp = NULL;
}
