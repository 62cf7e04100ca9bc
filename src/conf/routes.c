#include "conf/routes.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/scan.h"
#include "conf/setters.h"
#include "conf/values.h"

#define SECTION "route"

bool add_route_target(struct route *r, const char *value, struct error *err)
{
    struct route_target target;

    return route_target_parse(value, &target, err) && route_add_target(r, &target, err);
}

bool set_route_protocol(struct route *r, const char *value, struct error *err)
{
    static const struct value_word words[] = {{"smtp", 0}, {"lmtp", 1}, {NULL, 0}};
    int n;

    if (!value_word(value, words, &n, err))
        return false;
    r->lmtp = n == 1;
    return true;
}

bool set_route_outage(struct route *r, const char *value, struct error *err)
{
    static const struct value_word words[] = {
#define X(id, name) {name, ROUTE_OUTAGE_##id},
        ROUTE_OUTAGES(X)
#undef X
            {NULL, 0}};
    int n;

    if (!value_word(value, words, &n, err))
        return false;
    r->outage = (enum route_outage)n;
    return true;
}

/* A title as the table has it. */
static bool read_domain(const char *title, char *out, size_t size, struct error *err)
{
    size_t skip = strncmp(title, "*.", 2) == 0 ? 2 : 0;

    memcpy(out, title, skip);
    return value_domain(title + skip, out + skip, size - skip, err);
}

/* What all routes are read with. */
struct reading {
    struct load *load;
    struct route_table *table;
    char **locals; /* local_domains, sorted; borrowed */
    size_t local_count;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_local(const struct reading *r, const char *domain)
{
    return r->locals != NULL &&
           bsearch(&domain, r->locals, r->local_count, sizeof(char *), compare) != NULL;
}

/* Where a route begins; there is no table of these, for a good configuration needs none. */
static struct source_place place_of(const struct load *l, const char *section)
{
    struct source_key k;

    return source_find(l->source, "", section, &k) ? k.at : source_line(l->source, 0);
}

static struct route *add_route(const struct reading *r, const char *title, struct error *err)
{
    char domain[sizeof(((struct route *)0)->domain)];
    struct route *route;

    if (!read_domain(title, domain, sizeof(domain), err))
        return NULL;
    if (is_local(r, domain)) {
        error_set(err, "is in local_domains, and local_domains are never called out");
        return NULL;
    }
    route = route_table_add(r->table, domain);
    if (route == NULL)
        error_set(err, "is given twice: there is a route for %s", domain);
    return route;
}

static void read_route(const struct reading *r, const char *title, struct cfg_t *values)
{
    char name[SCAN_SECTION_SIZE];
    struct load_section s = {.name = name, .values = values};
    struct source_place at;
    struct error err = {""};
    struct source_key to;

    (void)str_format(name, sizeof(name), "%s%c%s", SECTION, GRAMMAR_TITLE_SEP, title);
    at = place_of(r->load, name);
    s.route = add_route(r, title, &err);
    if (s.route == NULL) {
        problems_add(r->load->problems, at.file, at.line, "%s: \"%s\" %s", SECTION, title,
                     err.text);
        return;
    }
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].set_route != NULL)
            load_option(r->load, &option_table[i], &s);
    if (!source_find(r->load->source, name, "to", &to) || to.value_count == 0)
        problems_add(r->load->problems, at.file, at.line,
                     "%s: \"to\" is missing: the servers to ask", name);
}

static bool sort_locals(struct reading *r, const struct policy_opts *o)
{
    size_t size = o->local_domain_count * sizeof(char *);

    r->local_count = o->local_domain_count;
    if (size == 0)
        return true;
    r->locals = malloc(size);
    if (r->locals == NULL)
        return false;
    memcpy(r->locals, o->local_domains, size);
    qsort(r->locals, r->local_count, sizeof(char *), compare);
    return true;
}

void load_routes(struct load *l)
{
    struct reading r = {.load = l, .table = route_table_new()};
    bool ok = r.table != NULL && sort_locals(&r, l->cfg->policy);
    unsigned count = ok ? language_title_count(l->language, SECTION) : 0;

    if (!ok)
        problems_add(l->problems, NULL, 0, "out of memory");
    for (unsigned i = 0; i < count; i++) {
        const char *title;
        struct cfg_t *values = language_titled(l->language, SECTION, i, &title);

        read_route(&r, title, values);
    }
    free(r.locals);
    l->cfg->policy->routes = r.table;
    l->cfg->verifier.routes = route_table_ref(r.table);
}
