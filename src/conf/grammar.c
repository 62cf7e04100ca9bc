#include "conf/grammar.h"

#include <string.h>

#include "conf/source.h"

struct check {
    const struct grammar *grammar;
    struct config_problems *problems;
};

/* "route *" is "route " and any title. */
bool grammar_fits(const char *pattern, const char *section)
{
    size_t len = strlen(pattern);

    if (len < 2 || strcmp(pattern + len - 2, " *") != 0)
        return strcmp(pattern, section) == 0;
    return strncmp(pattern, section, len - 1) == 0 && section[len - 1] != '\0';
}

bool grammar_has_section(const struct grammar *g, const char *section)
{
    struct grammar_key key;

    for (size_t i = 0; section[0] != '\0' && g->key(i, &key); i++)
        if (grammar_fits(key.section, section))
            return true;
    return false;
}

static bool find_key(const struct grammar *g, const char *section, const char *name,
                     struct grammar_key *out)
{
    for (size_t i = 0; g->key(i, out); i++)
        if (strcmp(out->name, name) == 0 && grammar_fits(out->section, section))
            return true;
    return false;
}

/* How a section begins that there is only with a title; NULL: it is no such. */
static const char *title_example(const struct grammar *g, const char *name)
{
    size_t len = strlen(name);

    for (const char *const *t = g->titles; *t != NULL; t++)
        if (strncmp(*t, name, len) == 0 && (*t)[len] == GRAMMAR_TITLE_SEP)
            return *t;
    return NULL;
}

static void check_section(const struct check *c, const struct source_key *k)
{
    const char *example = title_example(c->grammar, k->name);

    if (grammar_has_section(c->grammar, k->name))
        return;
    if (example != NULL)
        problems_add(c->problems, k->at.file, k->at.line, "unknown section: %s (%s { ... })",
                     k->name, example);
    else
        problems_add(c->problems, k->at.file, k->at.line, "unknown section: %s", k->name);
}

static void check_known_key(const struct check *c, const struct source_key *k,
                            const struct grammar_key *known)
{
    if (known->refusal != NULL)
        problems_add(c->problems, k->at.file, k->at.line, "%s%s%s: %s", k->section,
                     source_joint(k->section), k->name, known->refusal);
    else if (k->is_append && !known->list)
        problems_add(c->problems, k->at.file, k->at.line, "%s: takes one value: \"=\"", k->name);
    else if (known->list != k->is_list && !known->one_or_list)
        problems_add(c->problems, k->at.file, k->at.line, "%s: %s", k->name,
                     known->list ? "takes a list: { ... }" : "takes one value, and no list");
    else if (known->max > 0 && k->value_count > known->max)
        problems_add(c->problems, k->at.file, k->at.line, "%s: more than %zu values", k->name,
                     known->max);
}

static void check_key(void *arg, const struct source_key *k)
{
    const struct check *c = arg;
    struct grammar_key known;

    if (k->is_section)
        check_section(c, k);
    else if (find_key(c->grammar, k->section, k->name, &known))
        check_known_key(c, k, &known);
    else if (k->section[0] == '\0' || grammar_has_section(c->grammar, k->section))
        problems_add(c->problems, k->at.file, k->at.line, "unknown key: %s%s%s", k->section,
                     source_joint(k->section), k->name);
}

void grammar_check(const struct grammar *g, const struct source *s, struct config_problems *p)
{
    struct check c = {.grammar = g, .problems = p};

    source_each_key(s, check_key, &c);
}
