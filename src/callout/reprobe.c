#include "callout/reprobe.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "callout/flight.h"
#include "callout/schedule.h"

#define ENTRIES_MAX  100000
#define SPREAD_MS    20     /* of those that were missed while we were away: 50 a second */
#define LOOK_MS      30000  /* the wall clock may be set */
#define BATCH        5      /* at a time, however many are due; */
#define BATCH_MS     100    /* the next ones after this: also 50 a second */
#define BUSY_MS      1000   /* when there is no room for more flights */
#define PUT_OFF_MS   300000 /* where the destination was not asked at all */
#define JITTER_SHARE 20     /* a twentieth of the delay */
#define SLACK_MS     60000
#define GIVE_UP_MS   INT64_C(86400000) /* behind the last try: put off for too long */
#define FAR_MS       (2 * GIVE_UP_MS)
#define LEARNED_FOR  604800 /* seconds */

struct reprobe {
    struct engine *engine;
    struct schedule *schedule;
    struct loop_timer *timer;
    bool running;
    int64_t rest_until; /* clock_mono_ms: a batch was just made */
};

struct key {
    uint8_t bytes[RECORD_KEY_SIZE];
    size_t len;
};

static struct key key_of(const struct address *a, bool apart)
{
    struct key k;

    k.len = record_key(a, apart, k.bytes);
    return k;
}

static void arm(struct reprobe *r)
{
    int64_t next = schedule_next(r->schedule), ms = LOOK_MS;

    if (!r->running || next == INT64_MAX)
        return;
    next -= clock_wall_ms();
    if (next < ms)
        ms = next;
    if (r->engine->flight_count >= r->engine->opts.total && ms < BUSY_MS)
        ms = BUSY_MS;
    if (ms < r->rest_until - clock_mono_ms())
        ms = r->rest_until - clock_mono_ms();
    loop_timer_arm(r->timer, ms);
}

/* Farther away than any delay: the clock was set back. */
static bool is_far(const struct schedule_entry *entry, int64_t now)
{
    return entry->due > now + FAR_MS;
}

/* Making them */

static bool address_of(struct reprobe *r, const struct schedule_entry *entry, struct address *a)
{
    struct schedule_entry known;
    const char *why;
    struct key k;

    if (!address_parse(entry->recipient, strlen(entry->recipient), a, &why))
        return false;
    k = key_of(a, entry->apart);
    if (schedule_get(r->schedule, k.bytes, k.len, &known) &&
        strcmp(known.recipient, entry->recipient) == 0)
        return true;
    address_keep_case(a); /* it was scheduled where local parts are not folded */
    return true;
}

static void ask_again(struct reprobe *r, struct schedule_entry *entry)
{
    struct flight_ask ask = {
        .deadline = INT64_MAX,
        .fresh = true,
        .priority = CALLOUT_REPROBE,
        .null_sender = entry->null_sender,
        .apart = entry->apart,
        .want_catch_all = entry->want_catch_all,
        .again = true,
        .trail = {.source = entry->source},
    };
    struct key k;

    if (!address_of(r, entry, &ask.address)) {
        log_warning("schedule: no address, not asked again: <%s>", entry->recipient);
        return;
    }
    k = key_of(&ask.address, entry->apart);
    if (r->engine->opts.greylist.count == 0 && !entry->confirm) {
        schedule_remove(r->schedule, k.bytes, k.len);
        return;
    }
    (void)str_copy(ask.trail.sender, sizeof(ask.trail.sender), entry->sender);
    (void)str_copy(ask.trail.helo, sizeof(ask.trail.helo), entry->helo);
    if (flight_join(r->engine, &ask))
        return;
    entry->due = clock_wall_ms() + BUSY_MS; /* another answer waits for its commit, or no room */
    (void)schedule_put(r->schedule, k.bytes, k.len, entry);
}

static void on_timer(void *arg)
{
    struct reprobe *r = arg;
    struct engine *e = r->engine;
    int64_t hold = e->opts.callout_ms + SLACK_MS;
    struct schedule_entry entry;
    unsigned made = 0;

    while (!e->stopping && e->flight_count < e->opts.total && made < BATCH &&
           schedule_take(r->schedule, clock_wall_ms(), hold, &entry)) {
        ask_again(r, &entry);
        made++;
    }
    if (made == BATCH)
        r->rest_until = clock_mono_ms() + BATCH_MS;
    arm(r);
}

/* Planning them */

/* How long the server kept us out, at most, as it was planned: how much later a try came, because
   we were away or kept from asking, is not the server's. */
static int64_t waited(struct reprobe *r, const struct schedule_entry *entry)
{
    struct greylist_plan plan;
    int64_t planned = 0;

    greylist_make_plan(&r->engine->opts.greylist, entry->learned_ms, &plan);
    for (size_t i = 0; i < plan.count && i <= entry->step; i++)
        planned += plan.delay_ms[i];
    return planned;
}

/* For a while: what a server does changes, and nothing shorter is ever tried meanwhile. */
static int64_t learned(const struct reprobe *r, const char *destination)
{
    struct destination_fact fact;
    int64_t now = clock_wall();

    (void)destination_get(r->engine->keep, destination, now, &fact);
    return now < fact.greylisted_at + LEARNED_FOR ? fact.greylist_ms : 0;
}

static void learn(struct reprobe *r, const struct reprobe_case *c,
                  const struct schedule_entry *entry)
{
    const char *name = c->trail->destination;
    struct destination_fact fact;
    int64_t now = clock_wall(), ms = waited(r, entry);

    if (!entry->said_so || ms == entry->learned_ms)
        return; /* it may have been something else; it is known */
    (void)destination_get(r->engine->keep, name, now, &fact);
    fact.greylist_ms = ms;
    fact.greylisted_at = now;
    if (fact.expires_at < now + LEARNED_FOR)
        fact.expires_at = now + LEARNED_FOR;
    destination_put(r->engine->keep, name, &fact);
    log_info("greylisting: %s lets us in after %lld s", name, (long long)(ms / 1000));
}

/* The delay, and a little more, so that those of one moment do not stay together. */
static int64_t some_later(int64_t ms)
{
    return ms + rng_below((uint32_t)(ms / JITTER_SHARE) + 1);
}

/* False after the last. */
static bool plan_next(struct reprobe *r, struct schedule_entry *entry, int64_t now)
{
    struct greylist_plan plan;

    greylist_make_plan(&r->engine->opts.greylist, entry->learned_ms, &plan);
    if (entry->step >= plan.count)
        return false;
    entry->due = now + some_later(plan.delay_ms[entry->step]);
    entry->last_due = entry->due;
    for (size_t i = entry->step + 1; i < plan.count; i++)
        entry->last_due += plan.delay_ms[i] + plan.delay_ms[i] / JITTER_SHARE;
    return true;
}

static void fill_entry(struct reprobe *r, const struct reprobe_case *c,
                       struct schedule_entry *entry)
{
    memset(entry, 0, sizeof(*entry));
    (void)str_format(entry->recipient, sizeof(entry->recipient), "%s@%s", c->address->local,
                     c->address->domain);
    entry->apart = c->apart;
    entry->null_sender = c->null_sender;
    entry->want_catch_all = c->want_catch_all;
    (void)str_copy(entry->sender, sizeof(entry->sender), c->trail->sender);
    (void)str_copy(entry->helo, sizeof(entry->helo), c->trail->helo);
    entry->source = c->trail->source;
    entry->first_at = c->began;
    entry->learned_ms = learned(r, c->trail->destination);
}

static bool put(struct reprobe *r, const struct key *k, const struct schedule_entry *entry,
                int64_t now, struct lifetime *life)
{
    int64_t last = entry->last_due > entry->due ? entry->last_due : entry->due;

    if (!schedule_put(r->schedule, k->bytes, k->len, entry))
        return false;
    arm(r);
    life->refresh = (entry->due - now + 999) / 1000;
    life->forget = (last - now + r->engine->opts.callout_ms + SLACK_MS) / 1000;
    return true;
}

/* Nobody was asked: as if the time had not come yet. But not for ever. */
static bool put_off(struct reprobe *r, const struct key *k, struct schedule_entry *entry,
                    struct lifetime *life)
{
    const struct greylist_opts *o = &r->engine->opts.greylist;
    int64_t now = clock_wall_ms(), ms = PUT_OFF_MS;

    if (now > entry->last_due + GIVE_UP_MS || (o->count == 0 && !entry->confirm)) {
        schedule_remove(r->schedule, k->bytes, k->len);
        return false;
    }
    if (o->count > 0 && o->retry_ms[0] < ms)
        ms = o->retry_ms[0];
    entry->due = now + some_later(ms);
    return put(r, k, entry, now, life);
}

static bool was_let_in(const struct verdict *v)
{
    return v->evidence.stage == SMTP_STAGE_RCPT && v->evidence.code / 100 != 4 &&
           v->evidence.code != 0 && !recall_about_us(v->reason);
}

static void give_up(struct verdict *v)
{
    v->reason = REASON_CANNOT_VERIFY;
    v->status = verdict_reason_status(v->reason);
}

bool reprobe_heard(struct reprobe *r, const struct reprobe_case *c, struct verdict *v,
                   struct lifetime *life)
{
    struct key k = key_of(c->address, c->apart);
    struct schedule_entry entry;
    bool known = schedule_get(r->schedule, k.bytes, k.len, &entry);
    int64_t now = clock_wall_ms();
    bool is_due = known && (entry.due <= now || is_far(&entry, now));
    bool again = c->again || is_due; /* nobody need be asked twice */
    bool more = r->engine->opts.greylist.count > 0 && !c->routed &&
                (greylist_may_be(v) || (known && v->status == STATUS_DEFERRED));
    bool unasked = v->reason == REASON_LOCAL_FAULT ||
                   (c->trail->destination[0] == '\0' && v->status == STATUS_DEFERRED);

    if ((v->passing || unasked) && !c->routed)
        return known && again && put_off(r, &k, &entry, life);
    if (!more) {
        if (known && again && !c->routed && was_let_in(v))
            learn(r, c, &entry);
        if (known)
            schedule_remove(r->schedule, k.bytes, k.len);
        return false;
    }
    if (known && !again)
        return put(r, &k, &entry, now, life);
    if (known && !entry.confirm)
        entry.step++;
    else
        fill_entry(r, c, &entry);
    entry.said_so |= v->reason == REASON_GREYLISTED;
    if (plan_next(r, &entry, now))
        return put(r, &k, &entry, now, life);
    schedule_remove(r->schedule, k.bytes, k.len);
    give_up(v);
    return false;
}

void reprobe_confirm(struct reprobe *r, const struct reprobe_case *c, int64_t at)
{
    struct key k = key_of(c->address, c->apart);
    struct schedule_entry entry;

    fill_entry(r, c, &entry);
    entry.confirm = true;
    entry.due = entry.last_due = at * 1000;
    if (schedule_put(r->schedule, k.bytes, k.len, &entry))
        arm(r);
}

bool reprobe_is_due(struct reprobe *r, const struct address *a, bool apart, struct verdict *out)
{
    struct key k = key_of(a, apart);
    struct schedule_entry entry;
    int64_t now = clock_wall_ms();

    if (r->engine->opts.greylist.count == 0 || !schedule_get(r->schedule, k.bytes, k.len, &entry) ||
        entry.confirm || is_far(&entry, now) || (!r->running && entry.due <= now))
        return false;
    verdict_init(out, REASON_GREYLISTED, SOURCE_STORE);
    out->passing = true;
    out->probed_at = entry.first_at / 1000;
    out->refresh_at = (entry.due + 999) / 1000;
    return true;
}

/* Its start and end */

struct reprobe *reprobe_new(struct engine *e)
{
    struct reprobe *r = calloc(1, sizeof(*r));
    size_t count;

    if (r == NULL)
        return NULL;
    r->engine = e;
    r->schedule = schedule_new(e->store, ENTRIES_MAX);
    r->timer = loop_timer_new(e->loop, on_timer, r);
    if (r->schedule == NULL || r->timer == NULL) {
        reprobe_free(&r);
        return NULL;
    }
    count = schedule_load(r->schedule, clock_wall_ms(), SPREAD_MS);
    if (count > 0)
        log_info("schedule: %zu %s to be asked again", count,
                 count == 1 ? "recipient is" : "recipients are");
    return r;
}

void reprobe_run(struct reprobe *r)
{
    r->running = true;
    arm(r);
}

void reprobe_reread(struct reprobe *r, const uint8_t *key, size_t key_len)
{
    schedule_reread(r->schedule, key, key_len, clock_wall_ms());
    arm(r);
}

void reprobe_reread_domain(struct reprobe *r, const char *domain)
{
    schedule_reread_domain(r->schedule, domain, clock_wall_ms());
    arm(r);
}

size_t reprobe_count(const struct reprobe *r)
{
    return schedule_count(r->schedule);
}

void reprobe_free(struct reprobe **rp)
{
    struct reprobe *r = *rp;

    if (r == NULL)
        return;
    schedule_free(&r->schedule);
    loop_timer_free(&r->timer);
    free(r);
    *rp = NULL;
}
