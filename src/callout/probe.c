#include "callout/probe.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define SOFT_HOSTS_MAX 2 /* hosts of others asked when they answer 4yz before RCPT */

struct probe_run {
    struct engine *engine;
    struct mx_candidate *hosts;
    size_t host_count;
    uint16_t best_preference; /* of all hosts, also those that are no candidates */
    struct address recipient;
    struct probe_opts opts;
    int64_t deadline;
    struct probe_handler handler;
    struct probe_session *session; /* the one under way */
    size_t next;                   /* candidate to ask next */
    size_t best_at;                /* candidate of `best` */
    bool have_best;
    bool settled; /* `best` is the answer; what is asked now is another recipient */
    struct outcome best;
    unsigned soft_hosts;
    size_t soft_at[MX_CANDIDATES_MAX]; /* those hosts, as candidates */
    struct loop_timer *retry;          /* a session that could not be made reports from the loop */
};

/* A session and the run it works for; the run is NULL once it has its outcome or was cancelled. */
struct probe_session {
    struct engine *engine;
    struct probe_run *run;
    struct session *session;
    struct probe_session *prev, *next;
};

static void probe_next(struct probe_run *p);

static void probe_free(struct probe_run *p)
{
    loop_timer_free(&p->retry);
    free(p->hosts);
    free(p);
}

static bool is_backup(const struct probe_run *p, const struct mx_candidate *host)
{
    return host->preference > p->best_preference;
}

static void probe_finish(struct probe_run *p)
{
    struct probe_handler h = p->handler;
    struct outcome o = p->best;
    struct mx_candidate host = p->hosts[p->best_at];
    bool backup = is_backup(p, &host);

    probe_free(p);
    h.on_answer(h.arg, &o, &host, backup);
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

static void probe_note(struct probe_run *p, const struct outcome *o)
{
    if (soft_reply(o))
        p->soft_at[p->soft_hosts++] = p->next - 1;
    if (!p->have_best || settles(p, o) || outcome_weight(o) > outcome_weight(&p->best)) {
        p->best = *o;
        p->best_at = p->next - 1;
        p->have_best = true;
    }
}

/* Politeness towards others; our own servers are asked one and all. */
static bool enough_soft_hosts(const struct probe_run *p)
{
    return !p->opts.routed && p->soft_hosts >= SOFT_HOSTS_MAX;
}

/* Whether another recipient is asked about on the session. */
static bool goes_on(struct probe_run *p, const struct outcome *o)
{
    const struct mx_candidate *host = &p->hosts[p->next - 1];
    struct probe_question next;

    return p->handler.on_reply != NULL &&
           p->handler.on_reply(p->handler.arg, o, host, is_backup(p, host), &next) &&
           session_ask(p->session->session,
                       &(struct session_job){p->opts.sender, &next.recipient, p->deadline},
                       next.new_transaction);
}

static void on_outcome(void *arg, const struct outcome *o)
{
    struct probe_session *ps = arg;
    struct probe_run *p = ps->run;

    if (p == NULL)
        return;
    if (!p->settled) {
        probe_note(p, o);
        p->settled = settles(p, o);
    }
    if (p->settled && goes_on(p, o))
        return;
    ps->run = NULL;
    p->session = NULL;
    if (p->settled || enough_soft_hosts(p))
        probe_finish(p);
    else
        probe_next(p);
}

static void on_closed(void *arg)
{
    struct probe_session *ps = arg;
    struct engine *e = ps->engine;

    DL_DELETE(e->sessions, ps);
    e->session_count--;
    free(ps);
    engine_check_idle(e);
}

static void on_trace(void *arg, char dir, const char *line)
{
    const struct probe_session *ps = arg;

    if (ps->run != NULL)
        ps->run->handler.on_trace(ps->run->handler.arg, dir, line);
}

static uint16_t port_of(const struct probe_run *p, const struct mx_candidate *c)
{
    return c->port != 0 ? c->port : p->opts.port;
}

static void trace_host(const struct probe_run *p, const struct mx_candidate *c)
{
    char ip[NETADDR_TEXT_MAX], line[400];

    if (p->handler.on_trace == NULL)
        return;
    if (c->path[0] != '\0')
        (void)str_format(line, sizeof(line), "connecting to %s", c->path);
    else
        (void)str_format(line, sizeof(line), "connecting to %s[%s]:%u", c->name,
                         netaddr_format(&c->ip, ip), port_of(p, c));
    p->handler.on_trace(p->handler.arg, '*', line);
}

/* What does not leave this host needs no TLS. */
static bool stays_here(const struct probe_run *p, const struct mx_candidate *c)
{
    return p->opts.routed && (c->path[0] != '\0' || netaddr_scope(&c->ip) == NETADDR_LOOPBACK);
}

static bool probe_host(struct probe_run *p, const struct mx_candidate *c)
{
    struct engine *e = p->engine;
    struct probe_session *ps = calloc(1, sizeof(*ps));
    struct session_handler h = {.on_outcome = on_outcome, .on_closed = on_closed, .arg = ps};
    struct session_target target = {.ip = c->ip, .port = port_of(p, c), .no_tls = stays_here(p, c)};
    struct session_opts opts = p->opts.session;
    const struct session_job job = {p->opts.sender, &p->recipient, p->deadline};

    if (ps == NULL)
        return false;
    (void)str_copy(target.name, sizeof(target.name), c->name);
    (void)str_copy(target.path, sizeof(target.path), c->path);
    opts.lmtp = p->opts.lmtp;
    if (p->handler.on_trace != NULL)
        h.on_trace = on_trace;
    trace_host(p, c);
    ps->engine = e;
    ps->run = p;
    ps->session = session_start(e->loop, &opts, e->tls, &target, 1, &job, &h);
    if (ps->session == NULL) {
        free(ps);
        return false;
    }
    DL_APPEND(e->sessions, ps);
    e->session_count++;
    p->session = ps;
    return true;
}

/* One server, perhaps at several addresses. */
static bool same_host(const struct mx_candidate *a, const struct mx_candidate *b)
{
    return strcmp(a->name, b->name) == 0 && a->port == b->port &&
           (a->name[0] != '\0' || netaddr_equal(&a->ip, &b->ip));
}

static bool asked_before(const struct probe_run *p, const struct mx_candidate *c)
{
    for (unsigned i = 0; i < p->soft_hosts; i++)
        if (same_host(&p->hosts[p->soft_at[i]], c))
            return true;
    return false;
}

static void probe_ask(struct probe_run *p)
{
    struct outcome none = {.failure = SMTP_FAILURE_LOCAL, .detail = "out of memory"};

    p->next++;
    if (probe_host(p, &p->hosts[p->next - 1]))
        return;
    probe_note(p, &none);
    loop_timer_arm(p->retry, 0);
}

/* Asks the next candidate; with none or no time left, reports the best there is. */
static void probe_next(struct probe_run *p)
{
    while (p->next < p->host_count && asked_before(p, &p->hosts[p->next]))
        p->next++;
    if (p->next == p->host_count || clock_mono_ms() >= p->deadline)
        probe_finish(p);
    else
        probe_ask(p);
}

static void on_retry(void *arg)
{
    probe_finish(arg);
}

struct probe_run *probe_start(struct engine *e, const struct probe_opts *opts,
                              const struct mx_plan *plan, const struct address *recipient,
                              int64_t deadline, const struct probe_handler *handler)
{
    struct probe_run *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->engine = e;
    p->recipient = *recipient;
    p->opts = *opts;
    p->deadline = deadline;
    p->handler = *handler;
    p->hosts = calloc(plan->count, sizeof(p->hosts[0]));
    p->retry = loop_timer_new(e->loop, on_retry, p);
    if (p->hosts == NULL || p->retry == NULL) {
        probe_free(p);
        return NULL;
    }
    memcpy(p->hosts, plan->list, plan->count * sizeof(p->hosts[0]));
    p->host_count = plan->count;
    p->best_preference = plan->best;
    probe_ask(p);
    return p;
}

void probe_cancel(struct probe_run **pp)
{
    struct probe_run *p = *pp;

    if (p == NULL)
        return;
    if (p->session != NULL) {
        p->session->run = NULL;
        session_quit(p->session->session);
    }
    probe_free(p);
    *pp = NULL;
}

void probe_quit_all(struct engine *e)
{
    struct probe_session *ps, *tmp;

    DL_FOREACH_SAFE (e->sessions, ps, tmp)
        session_quit(ps->session);
}
