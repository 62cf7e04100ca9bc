#include "callout/health.h"

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "callout/gate.h"
#include "callout/selfcheck.h"

#define REFUSERS_MAX 4
#define LOOK_AT_MAX  32

/* The next line to be filled; NULL when there is no more. */
static char *next_line(struct verifier_health *h)
{
    return h->count < VERIFIER_PROBLEMS_MAX ? h->problems[h->count++] : NULL;
}

static void tell_outage(const struct outage *o, struct verifier_health *h)
{
    char text[VERIFIER_PROBLEM_SIZE], *line;

    if (outage_tell(o, clock_mono_ms(), text, sizeof(text)) && (line = next_line(h)) != NULL)
        (void)str_copy(line, VERIFIER_PROBLEM_SIZE, text);
}

static void tell_sources(const struct sources *s, struct verifier_health *h)
{
    struct netaddr missing[SOURCES_MAX];
    size_t count = sources_missing(s, missing, SOURCES_MAX), used;
    char ip[NETADDR_TEXT_MAX], *line = count > 0 ? next_line(h) : NULL;

    if (line == NULL)
        return;
    (void)str_copy(line, VERIFIER_PROBLEM_SIZE, "source_addresses: not on this host:");
    for (size_t i = 0; i < count; i++) {
        used = strlen(line);
        (void)str_format(line + used, VERIFIER_PROBLEM_SIZE - used, " %s",
                         netaddr_format(&missing[i], ip));
    }
}

static bool refuses_us(const struct gate_report *r)
{
    return r->breaker != BREAKER_CLOSED && clock_wall() < r->until;
}

/* Some by name, and how many more. */
static void tell_refusers(struct gate *g, struct verifier_health *h)
{
    struct gate_report reports[LOOK_AT_MAX];
    size_t count = gate_tell(g, reports, LOOK_AT_MAX), refusers = 0;
    char *line;

    for (size_t i = 0; i < count && i < LOOK_AT_MAX; i++)
        if (refuses_us(&reports[i]) && ++refusers <= REFUSERS_MAX && (line = next_line(h)) != NULL)
            (void)str_format(line, VERIFIER_PROBLEM_SIZE, "%s refuses us: %s", reports[i].name,
                             reports[i].refusal);
    if (refusers > REFUSERS_MAX && (line = next_line(h)) != NULL)
        (void)str_format(line, VERIFIER_PROBLEM_SIZE, "%zu more destinations refuse us%s",
                         refusers - REFUSERS_MAX, refusers == LOOK_AT_MAX ? ", or more" : "");
}

void health_tell(struct engine *e, struct verifier_health *out)
{
    selfcheck_tell(e->selfcheck, out);
    tell_outage(&e->network, out);
    tell_outage(&e->dns, out);
    tell_sources(e->sources, out);
    tell_refusers(e->gate, out);
}
