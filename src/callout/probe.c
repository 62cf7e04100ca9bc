#include "callout/probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define SOFT_HOSTS_MAX 2   /* hosts of others asked when they answer 4yz before RCPT */
#define LEAST_MS       100 /* the last of the time, in which no session is begun */

/* What tells most by now. */
struct best {
    struct outcome outcome;
    struct probe_place at;
    char destination[DESTINATION_NAME_SIZE];
};

struct probe_run {
    struct engine *engine;
    const struct mx_plan *plan;
    const struct address *recipient; /* the one being asked about */
    struct probe_opts opts;
    int64_t deadline;
    struct probe_handler handler;
    struct turn *turn;
    bool done[MX_CANDIDATES_MAX];     /* asked, or not to be */
    uint8_t group[MX_CANDIDATES_MAX]; /* candidates of the turn, in the order of its targets */
    size_t group_count;
    char destination[DESTINATION_NAME_SIZE]; /* of the turn; until there is one, of that before */
    struct best *best;                       /* NULL: none */
    bool settled; /* it is the answer; what is asked now is another recipient */
    unsigned soft_hosts;
    struct verdict *refusal;  /* the answer where there is no `best` */
    bool finished;            /* what is known at once is told from the loop ... */
    struct loop_timer *timer; /* ... by this; else the deadline */
};

static void probe_next(struct probe_run *p);

static const struct mx_candidate *candidate(const struct probe_run *p, size_t i)
{
    return &p->plan->list[i];
}

static void probe_free(struct probe_run *p)
{
    turn_end(&p->turn);
    loop_timer_free(&p->timer);
    free(p->best);
    free(p->refusal);
    free(p);
}

/* Without memory for the answer there is none. */
static void probe_finish(struct probe_run *p)
{
    struct probe_handler h = p->handler;
    struct best *best = p->best;
    struct verdict *refusal = p->refusal, local;

    p->best = NULL;
    p->refusal = NULL;
    probe_free(p);
    verdict_init(&local, REASON_LOCAL_FAULT, SOURCE_PROBE);
    if (best != NULL)
        h.on_answer(h.arg, &best->outcome, &best->at);
    else
        h.on_refused(h.arg, refusal != NULL ? refusal : &local);
    free(best);
    free(refusal);
}

static void set_refusal(struct probe_run *p, const struct verdict *v)
{
    if (p->refusal == NULL)
        p->refusal = malloc(sizeof(*p->refusal));
    if (p->refusal != NULL)
        *p->refusal = *v;
}

static void set_best(struct probe_run *p, const struct outcome *o, const struct probe_place *at)
{
    if (p->best == NULL)
        p->best = malloc(sizeof(*p->best));
    if (p->best == NULL)
        return;
    p->best->outcome = *o;
    p->best->at = *at;
    memcpy(p->best->destination, p->destination, sizeof(p->best->destination));
    p->best->at.destination = p->best->destination;
}

static void finish_later(struct probe_run *p)
{
    p->finished = true;
    loop_timer_arm(p->timer, 0);
}

/* How far an outcome came: any reply tells more than a failure, a later stage more than an early.
 */
static int outcome_weight(const struct outcome *o)
{
    return (o->failure == SMTP_FAILURE_NONE ? 100 : 0) + (int)o->stage;
}

static bool soft_reply(const struct outcome *o)
{
    return o->failure == SMTP_FAILURE_NONE && o->stage < SMTP_STAGE_RCPT &&
           o->reply.code / 100 == 4;
}

/* True when the outcome is the destination's and no other candidate is to be asked. */
static bool outcome_settles(const struct outcome *o)
{
    switch (o->failure) {
    case SMTP_FAILURE_NONE:
        return !soft_reply(o) && !(o->stage == SMTP_STAGE_GREETING && o->reply.code == 521);
    case SMTP_FAILURE_SMTPUTF8:
    case SMTP_FAILURE_LOCAL:
        return true;
    case SMTP_FAILURE_REFUSED:
    case SMTP_FAILURE_UNREACHABLE:
    case SMTP_FAILURE_TIMEOUT:
    case SMTP_FAILURE_CLOSED:
    case SMTP_FAILURE_PROTOCOL:
    case SMTP_FAILURE_TLS:
        break;
    }
    return false;
}

/* Of our own servers the next is asked as long as none has said something about the recipient. */
static bool settles(const struct probe_run *p, const struct outcome *o)
{
    bool before_rcpt = o->failure == SMTP_FAILURE_NONE && o->stage < SMTP_STAGE_RCPT;

    return outcome_settles(o) && !(p->opts.routed && before_rcpt);
}

static void probe_note(struct probe_run *p, const struct outcome *o, const struct probe_place *at)
{
    if (soft_reply(o))
        p->soft_hosts++;
    if (p->best == NULL || settles(p, o) || outcome_weight(o) > outcome_weight(&p->best->outcome))
        set_best(p, o, at);
}

/* Politeness towards others; our own servers are asked one and all. */
static bool enough_soft_hosts(const struct probe_run *p)
{
    return !p->opts.routed && p->soft_hosts >= SOFT_HOSTS_MAX;
}

/* Whether another recipient is asked about on the session. */
static bool goes_on(struct probe_run *p, const struct outcome *o, const struct probe_place *at)
{
    struct probe_question next;
    struct session_job job = {p->opts.sender, p->recipient, p->deadline};

    if (!p->handler.on_reply(p->handler.arg, o, at, &next))
        return false;
    p->recipient = job.recipient = next.recipient;
    return turn_ask_more(p->turn, &job, next.new_transaction);
}

/*
 * A kept session is no use any more: the server closed it meanwhile, or takes no further
 * transaction (452, X.5.Z; 50x). That says nothing of the recipient. Other replies are a word to
 * us, and so is 421, unless it is only that the session lay idle (X.4.2), or that others on it were
 * refused, which many servers punish so.
 */
static bool session_was_stale(const struct outcome *o, unsigned refused)
{
    const struct smtp_reply *r = &o->reply;

    if (!o->reused)
        return false;
    if (o->failure != SMTP_FAILURE_NONE)
        return o->failure != SMTP_FAILURE_SMTPUTF8 && o->failure != SMTP_FAILURE_LOCAL;
    if (r->code == 421)
        return refused > 0 || (r->enhanced.subject == 4 && r->enhanced.detail == 2);
    return o->stage < SMTP_STAGE_RCPT &&
           (r->code / 10 == 50 || r->code == 452 || r->enhanced.subject == 5);
}

/* One server, perhaps at several addresses. */
static bool same_host(const struct mx_candidate *a, const struct mx_candidate *b)
{
    return strcmp(a->name, b->name) == 0 && a->port == b->port &&
           (a->name[0] != '\0' || netaddr_equal(&a->ip, &b->ip));
}

/* Without a connection all of them were tried, else the one; after a 4yz none of that host is. */
static void mark_done(struct probe_run *p, const struct outcome *o, const struct probe_place *at)
{
    bool none = o->stage == SMTP_STAGE_CONNECT;

    for (size_t i = 0; i < p->group_count; i++)
        if (none || candidate(p, p->group[i]) == at->host)
            p->done[p->group[i]] = true;
    for (size_t i = 0; i < p->plan->count && soft_reply(o); i++)
        if (same_host(candidate(p, i), at->host))
            p->done[i] = true;
}

static void ask_group(struct probe_run *p, bool fresh_session);

static bool has_time(const struct probe_run *p)
{
    return p->deadline - clock_mono_ms() >= LEAST_MS;
}

static void on_outcome(void *arg, const struct outcome *o, const struct turn_place *place)
{
    struct probe_run *p = arg;
    struct probe_place at = {
        .host = candidate(p, p->group[place->target]),
        .destination = p->destination,
        .source = place->source,
        .proved = place->proved,
    };

    at.backup = at.host->preference > p->plan->best;
    if (!p->settled && has_time(p) && session_was_stale(o, place->refused)) {
        turn_end(&p->turn);
        ask_group(p, true);
        return;
    }
    if (!p->settled) {
        p->handler.on_outcome(p->handler.arg, o, &at);
        probe_note(p, o, &at);
        p->settled = settles(p, o);
        mark_done(p, o, &at);
    }
    if (p->settled && goes_on(p, o, &at))
        return;
    if (p->settled || enough_soft_hosts(p))
        probe_finish(p);
    else
        probe_next(p);
}

static void on_refused(void *arg, const struct verdict *v)
{
    struct probe_run *p = arg;

    p->turn = NULL;
    set_refusal(p, v);
    probe_finish(p);
}

static void on_trace(void *arg, char dir, const char *line)
{
    const struct probe_run *p = arg;

    p->handler.on_trace(p->handler.arg, dir, line);
}

/* What does not leave this host needs no TLS. */
static bool stays_here(const struct probe_run *p, const struct mx_candidate *c)
{
    return p->opts.routed && (c->path != NULL || netaddr_scope(&c->ip) == NETADDR_LOOPBACK);
}

static void fill_target(const struct probe_run *p, const struct mx_candidate *c,
                        struct session_target *t)
{
    *t = (struct session_target){
        .ip = c->ip,
        .port = c->port != 0 ? c->port : p->opts.port,
        .name = c->name,
        .path = c->path,
        .no_tls = stays_here(p, c),
    };
}

/* By the name that comes first, for those of equal preference are shuffled. */
static const struct provider *name_destination(const struct probe_run *p,
                                               char out[DESTINATION_NAME_SIZE])
{
    const struct mx_candidate *least = candidate(p, p->group[0]);
    const struct provider *provider = NULL;
    char name[DESTINATION_NAME_SIZE];

    for (size_t i = 0; i < p->plan->count; i++) {
        const struct mx_candidate *c = candidate(p, i);

        if (c->preference == least->preference && strcmp(c->name, least->name) < 0)
            least = c;
    }
    if (!p->opts.routed) {
        provider = providers_of_host(p->opts.providers, least->name);
        destination_name(least, provider, out);
        return provider;
    }
    destination_name(least, NULL, name);
    (void)str_format(out, DESTINATION_NAME_SIZE, "route/%s", name);
    return NULL;
}

/* Ends the turn before. */
static void ask_group(struct probe_run *p, bool fresh_session)
{
    struct turn *before = p->turn;
    struct session_target targets[MX_CANDIDATES_MAX];
    const struct turn_handler h = {
        .on_outcome = on_outcome,
        .on_refused = on_refused,
        .on_trace = p->handler.on_trace != NULL ? on_trace : NULL,
        .arg = p,
    };
    struct verdict refused;
    struct turn_ask ask = {
        .routed = p->opts.routed,
        .priority = p->opts.priority,
        .before = before,
        .fresh_session = fresh_session,
        .try_now = p->opts.fresh,
        .more = p->opts.more,
        .any_source = p->opts.any_source,
        .source = p->opts.source,
        .domain = p->recipient->domain,
        .session = p->opts.session,
        .targets = targets,
        .count = p->group_count,
        .job = {p->opts.sender, p->recipient, p->deadline},
    };

    for (size_t i = 0; i < p->group_count; i++)
        fill_target(p, candidate(p, p->group[i]), &targets[i]);
    ask.provider = name_destination(p, ask.destination);
    ask.goes_on = strcmp(ask.destination, p->destination) == 0;
    memcpy(p->destination, ask.destination, sizeof(p->destination));
    p->turn = gate_wait(p->engine->gate, &ask, &h, &refused);
    turn_end(&before);
    if (p->turn == NULL) {
        set_refusal(p, &refused);
        finish_later(p);
        return;
    }
    loop_timer_arm(p->timer, p->deadline - clock_mono_ms());
}

static enum dead_state look(const struct probe_run *p, size_t i, enum smtp_failure *how)
{
    const struct mx_candidate *c = candidate(p, i);

    if (p->opts.routed)
        return DEAD_NOT; /* a backend of our own that is back is to be asked at once */
    return dead_look(p->engine->dead, &c->ip, c->port != 0 ? c->port : p->opts.port,
                     clock_mono_ms(), how);
}

/* Those that have lost a race lately stand behind the others. */
static void add_to_group(struct probe_run *p, uint16_t preference, enum dead_state state)
{
    for (size_t i = 0; i < p->plan->count; i++) {
        enum dead_state found = look(p, i, NULL);

        if (!p->done[i] && candidate(p, i)->preference == preference &&
            (found == DEAD_LATE) == (state == DEAD_LATE))
            p->group[p->group_count++] = (uint8_t)i;
    }
}

/* The candidates to be asked next; false when none is left. */
static bool find_group(struct probe_run *p)
{
    size_t first = 0;

    while (first < p->plan->count && p->done[first])
        first++;
    if (first == p->plan->count)
        return false;
    p->group_count = 0;
    add_to_group(p, candidate(p, first)->preference, DEAD_NOT);
    add_to_group(p, candidate(p, first)->preference, DEAD_LATE);
    return true;
}

/* Asks the next candidates; with none or no time left, reports the best there is. */
static void probe_next(struct probe_run *p)
{
    if (has_time(p) && find_group(p))
        ask_group(p, false);
    else
        probe_finish(p);
}

/* The answer is there already, or no turn came in time; a session keeps the deadline by itself. */
static void on_timer(void *arg)
{
    struct probe_run *p = arg;
    struct verdict late;

    if (!p->finished && !turn_waits(p->turn))
        return;
    if (!p->finished) {
        turn_too_late(p->destination, &late);
        set_refusal(p, &late);
    }
    probe_finish(p);
}

/* Every candidate is known to be dead: that is the outcome again. */
static void all_dead(struct probe_run *p, enum smtp_failure how)
{
    const struct probe_place at = {.host = candidate(p, 0)};
    const struct outcome o = {.stage = SMTP_STAGE_CONNECT,
                              .failure = how,
                              .detail = "could not be reached a short while ago"};

    p->group[0] = 0;
    (void)name_destination(p, p->destination);
    set_best(p, &o, &at);
    finish_later(p);
}

static void begin(struct probe_run *p)
{
    enum smtp_failure how, first = SMTP_FAILURE_NONE;
    size_t dead = 0;

    for (size_t i = 0; i < p->plan->count && !p->opts.fresh; i++) {
        p->done[i] = look(p, i, &how) == DEAD_YES;
        if (p->done[i] && dead++ == 0)
            first = how;
    }
    if (find_group(p))
        ask_group(p, false);
    else
        all_dead(p, first);
}

struct probe_run *probe_start(struct engine *e, const struct probe_opts *opts,
                              const struct mx_plan *plan, const struct address *recipient,
                              int64_t deadline, const struct probe_handler *handler)
{
    struct probe_run *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->timer = loop_timer_new(e->loop, on_timer, p);
    if (p->timer == NULL) {
        free(p);
        return NULL;
    }
    p->engine = e;
    p->recipient = recipient;
    p->opts = *opts;
    (void)str_copy(p->destination, sizeof(p->destination), opts->went_to);
    p->plan = plan;
    p->deadline = deadline;
    p->handler = *handler;
    begin(p);
    return p;
}

void probe_hurry(struct probe_run *p, enum callout_priority priority)
{
    if (priority < p->opts.priority)
        p->opts.priority = priority;
    if (p->turn != NULL)
        turn_hurry(p->turn, priority);
}

bool probe_waits(const struct probe_run *p, const char **destination)
{
    *destination = p->destination;
    return turn_waits(p->turn);
}

void probe_cancel(struct probe_run **pp)
{
    if (*pp != NULL)
        probe_free(*pp);
    *pp = NULL;
}
