#include "callout/selfcheck.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "dns/mxlookup.h"

#define AGAIN_MS 3600000
#define SOON_MS  300000 /* something is wrong, or the DNS did not answer */

/* One name, and what it is ours for. */
struct subject {
    struct selfcheck *all;
    const char *key; /* of the configuration */
    char name[ADDRESS_DOMAIN_MAX + 1];
    bool host; /* its addresses count, not its MX */
    struct mx_lookup *lookup;
    bool answered; /* this time */
    char problem[VERIFIER_PROBLEM_SIZE];
};

struct selfcheck {
    struct engine *engine;
    struct loop_timer *timer;
    size_t sources_missing;
    size_t count;
    struct subject subjects[VERIFIER_PROBLEMS_MAX];
};

/* Ours may be private, and they may be this host's. */
static const struct mxlist_opts anywhere = {.allow_private = true, .allow_own = true};

static void judge(struct subject *s, const struct mx_plan *plan)
{
    char problem[VERIFIER_PROBLEM_SIZE] = "";

    if (plan->result == MX_NO_DOMAIN || plan->result == MX_NULL)
        (void)str_format(problem, sizeof(problem), "%s: %s %s (%s)", s->key, s->name,
                         s->host ? "does not resolve" : "takes no mail", plan->detail);
    if (problem[0] != '\0' && strcmp(problem, s->problem) != 0)
        log_warning("%s: servers that look that up may refuse our callouts", problem);
    else if (problem[0] == '\0' && s->problem[0] != '\0')
        log_info("%s: %s is all right now", s->key, s->name);
    (void)str_copy(s->problem, sizeof(s->problem), problem);
}

static void on_source(void *arg, const struct netaddr *ip, bool missing)
{
    char text[NETADDR_TEXT_MAX];

    (void)arg;
    if (missing)
        log_warning("source_addresses: %s is not on this host: not used", netaddr_format(ip, text));
    else
        log_info("source_addresses: %s is on this host now", netaddr_format(ip, text));
}

size_t selfcheck_sources(struct engine *e)
{
    return sources_check(e->sources, on_source, NULL);
}

/* When every subject has its answer. */
static void rest(struct selfcheck *c)
{
    int64_t ms = c->sources_missing > 0 ? SOON_MS : AGAIN_MS;

    for (size_t i = 0; i < c->count; i++) {
        if (c->subjects[i].lookup != NULL)
            return;
        if (!c->subjects[i].answered || c->subjects[i].problem[0] != '\0')
            ms = SOON_MS;
    }
    loop_timer_arm(c->timer, ms);
}

static void on_plan(void *arg, const struct mx_plan *plan)
{
    struct subject *s = arg;

    s->lookup = NULL;
    s->answered = plan->result < MX_SERVFAIL;
    if (s->answered)
        judge(s, plan);
    else
        log_debug("%s: %s cannot be looked up now (%s)", s->key, s->name, plan->detail);
    rest(s->all);
}

static void look(void *arg)
{
    struct selfcheck *c = arg;

    c->sources_missing = selfcheck_sources(c->engine);
    for (size_t i = 0; i < c->count; i++) {
        struct subject *s = &c->subjects[i];

        s->answered = false;
        s->lookup = s->host
                        ? mx_lookup_start_host(c->engine->resolver, &anywhere, s->name, on_plan, s)
                        : mx_lookup_start(c->engine->resolver, &anywhere, s->name,
                                          &(struct netaddr){.family = AF_UNSPEC}, on_plan, s);
    }
    rest(c); /* where none could be started */
}

static void add(struct selfcheck *c, const char *key, const char *name, bool host)
{
    struct subject *s = &c->subjects[c->count];

    if (name[0] == '\0' || name[0] == '[') /* a literal needs no DNS */
        return;
    s->all = c;
    s->key = key;
    s->host = host;
    (void)str_copy(s->name, sizeof(s->name), name);
    str_lower(s->name);
    c->count++;
}

/* Of an address; "" of the null sender. */
static const char *domain_of(const char *address)
{
    const char *at = strrchr(address, '@');

    return at != NULL ? at + 1 : "";
}

struct selfcheck *selfcheck_start(struct engine *e)
{
    const struct verifier_opts *o = &e->opts;
    struct selfcheck *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->engine = e;
    c->timer = loop_timer_new(e->loop, look, c);
    if (c->timer == NULL) {
        free(c);
        return NULL;
    }
    add(c, "helo_name", o->session.helo_name, true);
    add(c, "probe_sender", domain_of(o->probe_sender), false);
    add(c, "probe_sender_fallback", domain_of(o->probe_sender_fallback), false);
    look(c);
    return c;
}

void selfcheck_free(struct selfcheck **cp)
{
    struct selfcheck *c = *cp;

    if (c == NULL)
        return;
    for (size_t i = 0; i < c->count; i++)
        mx_lookup_cancel(&c->subjects[i].lookup);
    loop_timer_free(&c->timer);
    free(c);
    *cp = NULL;
}

void selfcheck_tell(const struct selfcheck *c, struct verifier_health *out)
{
    out->count = 0;
    for (size_t i = 0; c != NULL && i < c->count; i++)
        if (c->subjects[i].problem[0] != '\0')
            (void)str_copy(out->problems[out->count++], VERIFIER_PROBLEM_SIZE,
                           c->subjects[i].problem);
}
