#include "callout/line.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "callout/selfcheck.h"

/* Many servers delay every reply after some refusals, and then close (Postfix: 10, then 20). */
#define REFUSED_MAX 5

/* Targets */

struct targets *targets_new(const struct session_target *list, size_t count)
{
    size_t size = sizeof(struct targets) + count * sizeof(list[0]);
    struct targets *t;
    char *texts;

    for (size_t i = 0; i < count; i++)
        size += str_size(list[i].name) + str_size(list[i].path);
    t = malloc(size);
    if (t == NULL)
        return NULL;
    t->refs = 1;
    t->count = count;
    texts = (char *)&t->list[count];
    for (size_t i = 0; i < count; i++) {
        t->list[i] = list[i];
        t->list[i].name = str_put(&texts, list[i].name);
        t->list[i].path = str_put(&texts, list[i].path);
    }
    return t;
}

void targets_unref(struct targets **tp)
{
    if (*tp != NULL && --(*tp)->refs == 0)
        free(*tp);
    *tp = NULL;
}

/* What is learned of addresses */

static void on_address(void *arg, size_t index, enum session_address what, enum smtp_failure how)
{
    struct line *l = arg;
    struct engine *e = l->engine;
    const struct session_target *t = &l->targets->list[index];
    int64_t now = clock_mono_ms();

    switch (what) {
    case SESSION_ADDRESS_CONNECTED:
        l->peer = t;
        if (l->turn != NULL)
            l->turn->target = index;
        sources_load(e->sources, &t->source, 1);
        dead_alive(e->dead, &t->ip, t->port);
        if (!l->desk->routed && outage_worked(&e->network, now))
            log_info("network: connections are made again");
        break;
    case SESSION_ADDRESS_FAILED:
        if (how == SMTP_FAILURE_LOCAL && t->source.family != AF_UNSPEC)
            (void)selfcheck_sources(e); /* taken away meanwhile: the next one has another */
        else if (how != SMTP_FAILURE_LOCAL && !outage_caught(&e->network, l->asked_at, now) &&
                 !l->desk->routed)
            dead_failed(e->dead, &t->ip, t->port, how, now);
        break;
    case SESSION_ADDRESS_LATE:
        if (!l->desk->routed)
            dead_late(e->dead, &t->ip, t->port, now);
        break;
    }
}

static bool broke_off(const struct outcome *o)
{
    return o->failure == SMTP_FAILURE_TIMEOUT || o->failure == SMTP_FAILURE_UNREACHABLE ||
           o->failure == SMTP_FAILURE_CLOSED;
}

/* All addresses failed, or there was no more to be heard: theirs, or ours? */
static bool is_proved(struct line *l, const struct outcome *o)
{
    struct engine *e = l->engine;
    const char *name = l->desk->standing.name;
    bool unreached = o->stage == SMTP_STAGE_CONNECT && o->failure != SMTP_FAILURE_NONE &&
                     o->failure != SMTP_FAILURE_LOCAL;
    int64_t now = clock_mono_ms();
    char text[200];

    if (o->failure == SMTP_FAILURE_TIMEOUT && now >= l->turn->job.deadline)
        return false; /* it had no time left */
    if (l->desk->routed)
        return true;
    if (!unreached)
        return !broke_off(o) || !outage_caught(&e->network, l->asked_at, now);
    if (outage_failed(&e->network, hash_bytes(name, strlen(name)), l->asked_at, o->failure,
                      o->detail, now)) {
        (void)outage_tell(&e->network, now, text, sizeof(text));
        log_error("network: %s", text);
    }
    if (outage_caught(&e->network, l->asked_at, now))
        dead_clear(e->dead);
    return outage_blames_them(&e->network, l->asked_at, now);
}

/* From the session */

/* So many recipients are enough for it; not that the connection was no good any more, or that the
   server goes down (X.4.Z, X.3.2). */
static bool was_one_too_many(const struct line *l, const struct outcome *o)
{
    const struct enhanced_code *e = &o->reply.enhanced;

    return o->reused && o->reply.code == 421 && l->asked > 1 && e->subject != 4 &&
           !(e->subject == 3 && e->detail == 2);
}

static void on_outcome(void *arg, const struct outcome *o)
{
    struct line *l = arg;
    struct turn *t = l->turn;
    struct standing *s = &l->desk->standing;
    struct turn_place place;

    if (t == NULL)
        return;
    place.target = t->map[t->target];
    place.source = t->targets->list[t->target].source;
    if (place.source.family == AF_UNSPEC)
        place.source.family = t->targets->list[t->target].ip.family;
    place.refused = l->refused;
    place.proved = is_proved(l, o);
    l->refused += o->reply.code / 100 == 5;
    if (was_one_too_many(l, o))
        standing_ended(s, l->asked - 1);
    t->handler.on_outcome(t->handler.arg, o, &place);
}

static void on_closed(void *arg)
{
    struct line *l = arg;
    struct desk *d = l->desk;

    if (l->peer != NULL)
        sources_load(l->engine->sources, &l->peer->source, -1);
    line_set_kept(l, false);
    DL_DELETE(d->lines, l);
    targets_unref(&l->targets);
    free(l);
    gate_line_gone(d);
}

static void on_trace(void *arg, char dir, const char *text)
{
    const struct line *l = arg;

    if (l->turn != NULL && l->turn->handler.on_trace != NULL)
        l->turn->handler.on_trace(l->turn->handler.arg, dir, text);
}

/* To the session */

static void trace_target(const struct turn *t, const struct session_target *to, const char *how)
{
    char ip[NETADDR_TEXT_MAX], source[NETADDR_TEXT_MAX], line[400];
    bool chosen = to->source.family != AF_UNSPEC;

    if (t->handler.on_trace == NULL)
        return;
    if (to->path != NULL)
        (void)str_format(line, sizeof(line), "%s %s", how, to->path);
    else
        (void)str_format(line, sizeof(line), "%s %s[%s]:%u%s%s", how, to->name,
                         netaddr_format(&to->ip, ip), to->port, chosen ? " from " : "",
                         chosen ? netaddr_format(&to->source, source) : "");
    t->handler.on_trace(t->handler.arg, '*', line);
}

static void use(struct line *l, struct turn *t)
{
    l->turn = t;
    line_set_kept(l, false);
    l->asked_at = clock_mono_ms();
    l->asked++;
    t->line = l;
}

static bool start_session(struct line *l, struct turn *t)
{
    struct engine *e = l->engine;
    const struct session_handler h = {on_address, on_outcome, on_closed, on_trace, l};

    l->targets = t->targets;
    l->targets->refs++;
    l->session = session_start(e->loop, t->session, e->tls, l->targets->list, l->targets->count,
                               &t->job, &h);
    if (l->session != NULL)
        session_trace(l->session, t->handler.on_trace != NULL);
    return l->session != NULL;
}

bool line_open(struct desk *d, struct turn *t)
{
    struct line *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return false;
    l->engine = d->gate->engine;
    l->desk = d;
    l->tls = t->session->tls;
    l->lmtp = t->session->lmtp;
    if (!start_session(l, t)) {
        targets_unref(&l->targets);
        free(l);
        return false;
    }
    l->helo_name = session_helo_name(l->session);
    DL_APPEND(d->lines, l);
    d->line_count++;
    d->gate->line_count++;
    use(l, t);
    trace_target(t, &l->targets->list[0], "connecting to");
    return true;
}

static bool same_target(const struct line *l, const struct session_target *b)
{
    const struct session_target *a = l->peer;
    bool same_path =
        a->path == b->path || (a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0);

    return netaddr_equal(&a->ip, &b->ip) && a->port == b->port && same_path &&
           a->no_tls == b->no_tls && netaddr_equal(&a->source, &b->source) &&
           (l->tls != TLS_VERIFY || strcmp(a->name, b->name) == 0);
}

void line_set_kept(struct line *l, bool kept)
{
    struct gate *g = l->desk->gate;

    if (kept && !l->kept)
        DL_APPEND2(g->kept, l, kept_prev, kept_next);
    else if (!kept && l->kept)
        DL_DELETE2(g->kept, l, kept_prev, kept_next);
    l->kept = kept;
}

/* For so many further recipients. */
static bool has_room(const struct line *l, unsigned recipients)
{
    return l->asked + recipients <=
           standing_per_connection(&l->desk->standing, l->desk->limits.per_connection);
}

static bool source_stands(const struct line *l)
{
    return l->desk->routed || sources_usable(l->engine->sources, &l->peer->source,
                                             l->desk->standing.name, clock_mono_ms());
}

/* The turn's target that it is with; their count if it is with none. */
static size_t target_of(const struct line *l, const struct turn *t)
{
    size_t i = 0;

    while (i < t->targets->count && !same_target(l, &t->targets->list[i]))
        i++;
    return i;
}

/* What costs a system call comes last. */
bool line_serves(const struct line *l, const struct turn *t)
{
    return l->kept && !t->fresh_session && l->tls == t->session->tls &&
           l->lmtp == t->session->lmtp && strcmp(l->helo_name, t->session->helo_name) == 0 &&
           target_of(l, t) < t->targets->count && has_room(l, 1 + t->more) && source_stands(l) &&
           session_takes(l->session, t->domain, true);
}

bool line_take(struct line *l, struct turn *t)
{
    l->turn = t; /* it hears what is said from now on */
    session_trace(l->session, t->handler.on_trace != NULL);
    trace_target(t, l->peer, "on a session kept with");
    if (session_ask(l->session, &t->job, true)) {
        t->target = target_of(l, t);
        use(l, t);
        return true;
    }
    l->turn = NULL;
    return false;
}

bool line_is_good(const struct line *l)
{
    const struct standing *s = &l->desk->standing;

    return has_room(l, 1) && l->refused < REFUSED_MAX && source_stands(l) &&
           s->breaker.state == BREAKER_CLOSED && !pace_paused(&s->pace, clock_mono_ms());
}
