#include "callout/standing.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "callout/recall.h"

#define UNREACHED_TROUBLE 2      /* callouts without a connection in a row that make trouble */
#define KEPT_FOR          604800 /* seconds */
#define TRY_REST_MS       60000  /* between two trials that somebody wanted */
#define ENDED_FOR         INT64_C(3600000) /* ms that how long its sessions last is believed */

/* Also where the wall clock was set meanwhile. */
static void recall_pause(struct standing *s, const struct destination_fact *f, int64_t now)
{
    int64_t left = (f->pause_until - clock_wall()) * 1000;

    pace_restore(&s->pace, f->level, now + (left < PACE_PAUSE_MAX ? left : PACE_PAUSE_MAX), now);
}

void standing_init(struct standing *s, struct keep *keep, const char *name,
                   const struct pace_limits *limits)
{
    struct destination_fact fact;
    int64_t now = clock_mono_ms();

    memset(s, 0, sizeof(*s));
    s->keep = keep;
    (void)str_copy(s->name, sizeof(s->name), name);
    pace_init(&s->pace, limits, now);
    verdict_init(&s->why, REASON_RATE_LIMITED, SOURCE_STORE);
    if (!destination_get(keep, name, clock_wall(), &fact))
        return;
    s->breaker = fact.breaker;
    recall_pause(s, &fact, now);
    if (s->breaker.state != BREAKER_CLOSED)
        log_error("ALARM: %s refuses us, as it did before: mx=%s stage=%s code=%u: %s", s->name,
                  s->breaker.mx, smtp_stage_name(s->breaker.stage), (unsigned)s->breaker.code,
                  s->breaker.text);
}

void standing_reread(struct standing *s, const struct pace_limits *limits)
{
    char name[DESTINATION_NAME_SIZE];

    (void)str_copy(name, sizeof(name), s->name);
    standing_init(s, s->keep, name, limits);
}

/* What others have put there stays. */
static void save(const struct standing *s)
{
    struct destination_fact fact;
    int64_t now = clock_wall(), left = s->pace.same_until - clock_mono_ms();

    (void)destination_get(s->keep, s->name, now, &fact);
    fact.breaker = s->breaker;
    fact.level = s->pace.level;
    fact.pause_until = s->pace.level > 0 ? now + left / 1000 : 0;
    if (fact.expires_at < now + KEPT_FOR)
        fact.expires_at = now + KEPT_FOR;
    destination_put(s->keep, s->name, &fact);
}

/* The remote's words may name the recipient they were said about. */
static void fill(struct verdict *out, const struct verdict *why, enum verdict_reason reason)
{
    verdict_init(out, reason, SOURCE_STORE);
    out->has_evidence = why->has_evidence;
    out->evidence = why->evidence;
    out->probed_at = why->probed_at;
    out->passing = true;
    if (out->evidence.stage == SMTP_STAGE_RCPT)
        out->evidence.text[0] = '\0';
}

static void tell_breaker(const struct standing *s, struct verdict *out)
{
    struct evidence *ev = &out->evidence;

    verdict_init(out, REASON_BLOCKED, SOURCE_STORE);
    out->passing = true;
    out->has_evidence = true;
    out->probed_at = s->breaker.opened_at;
    ev->stage = s->breaker.stage;
    ev->code = s->breaker.code;
    ev->enhanced = s->breaker.enhanced;
    if (ev->stage != SMTP_STAGE_RCPT)
        (void)str_copy(ev->text, sizeof(ev->text), s->breaker.text);
    (void)str_copy(ev->mx, sizeof(ev->mx), s->breaker.mx);
}

static unsigned unknown_recently(const struct standing *s)
{
    return (unsigned)__builtin_popcountll(s->recent);
}

bool standing_bulk_rests(struct standing *s, struct verdict *out)
{
    int64_t now = clock_mono_ms();

    if (s->bulk_until != 0 && now >= s->bulk_until) {
        s->bulk_until = 0;
        s->recent = 0;
        s->recent_count = 0;
        log_info("bulk: goes on at %s", s->name);
    }
    if (s->bulk_until == 0) {
        if (s->recent_count < STANDING_RECENT || unknown_recently(s) <= STANDING_UNKNOWN_MAX)
            return false;
        s->bulk_until = now + STANDING_BULK_REST;
        log_warning("bulk: pauses at %s for %d s: of the last %d recipients %u do not exist",
                    s->name, (int)(STANDING_BULK_REST / 1000), STANDING_RECENT,
                    unknown_recently(s));
    }
    verdict_init(out, REASON_RATE_LIMITED, SOURCE_STORE);
    out->passing = true;
    out->has_evidence = true;
    (void)str_format(out->evidence.text, sizeof(out->evidence.text),
                     "bulk pauses at %s: too many of the last recipients do not exist", s->name);
    return true;
}

bool standing_refuses(struct standing *s, bool bulk, struct verdict *out, bool *trial)
{
    bool open = s->breaker.state != BREAKER_CLOSED;

    *trial = false;
    if (open && !breaker_is_due(&s->breaker, clock_wall())) {
        tell_breaker(s, out);
        return true;
    }
    if (pace_paused(&s->pace, clock_mono_ms())) {
        fill(out, &s->why, s->why.reason);
        return true;
    }
    if (bulk && standing_bulk_rests(s, out))
        return true;
    *trial = breaker_admit(&s->breaker, clock_wall()) && open;
    return false;
}

void standing_try_now(struct standing *s)
{
    int64_t now = clock_mono_ms();

    if (s->breaker.state != BREAKER_OPEN || (s->tried_at != 0 && now - s->tried_at < TRY_REST_MS))
        return;
    s->tried_at = now;
    s->breaker.open_until = 0;
}

/* Not what is said of one recipient (X.1.Z, X.2.Z), or of one transaction (452, X.5.Z). */
bool standing_is_throttle(const struct verdict *v)
{
    unsigned subject = v->evidence.enhanced.subject;

    if (v->evidence.code == 421)
        return true;
    return v->reason == REASON_RATE_LIMITED && v->evidence.code != 452 && subject != 1 &&
           subject != 2 && subject != 5;
}

/* No connection, or one that nobody greeted on. */
static bool is_unreached(const struct verdict *v)
{
    const struct evidence *ev = &v->evidence;

    return (ev->stage == SMTP_STAGE_CONNECT &&
            (ev->failure == SMTP_FAILURE_REFUSED || ev->failure == SMTP_FAILURE_UNREACHABLE)) ||
           (ev->failure == SMTP_FAILURE_TIMEOUT && ev->stage <= SMTP_STAGE_GREETING);
}

/* Not where the code is that of an unknown user: anybody can ask about a name that reads like a
   policy. */
static bool is_about_us(const struct verdict *v)
{
    return v->reason == REASON_BLOCKED &&
           (v->evidence.stage < SMTP_STAGE_RCPT || v->evidence.enhanced.subject != 1);
}

/* Of a provider's many domains one alone proves nothing, however often. */
static bool is_one_tenant(const struct standing *s, const struct verdict *v, uint64_t domain)
{
    return v->evidence.stage == SMTP_STAGE_RCPT && s->breaker.struck == domain &&
           strncmp(s->name, "provider/", 9) == 0;
}

static enum standing_news on_blocked(struct standing *s, const struct standing_word *w)
{
    struct breaker *b = &s->breaker;
    uint64_t domain = hash_bytes(w->domain, strlen(w->domain));

    if ((b->state == BREAKER_CLOSED && is_one_tenant(s, w->verdict, domain)) ||
        !breaker_refused(b, w->verdict, s->recent_count > 0, domain, clock_wall(), rng_below))
        return STANDING_SAME;
    log_error("ALARM: %s refuses us: no callouts there for %lld s: mx=%s stage=%s code=%u: %s",
              s->name, (long long)(b->open_until - b->opened_at), b->mx, smtp_stage_name(b->stage),
              (unsigned)b->code, b->text);
    save(s);
    return STANDING_REFUSED;
}

static void log_trouble(const struct standing *s, const struct standing_word *w)
{
    const struct verdict *v = w->verdict;
    const struct evidence *ev = &v->evidence;
    char ip[NETADDR_TEXT_MAX], source[NETADDR_TEXT_MAX];

    log_info("%s %s: no callouts there%s%s for %lld s, level=%u: mx=%s ip=%s stage=%s code=%u "
             "failure=%s: %s",
             s->name, standing_is_throttle(v) ? "slows us down" : "cannot be reached",
             w->others ? " from " : "", w->others ? netaddr_format(&w->source, source) : "",
             (long long)((s->pace.same_until - clock_mono_ms() + 999) / 1000), s->pace.level,
             ev->mx, netaddr_format(&ev->ip, ip), smtp_stage_name(ev->stage), (unsigned)ev->code,
             smtp_failure_name(ev->failure), ev->text);
}

static enum standing_news on_trouble(struct standing *s, const struct standing_word *w)
{
    const struct verdict *v = w->verdict;
    bool others = w->others && standing_is_throttle(v);
    int64_t now = clock_mono_ms();
    bool is_new =
        others ? pace_shrink(&s->pace, now, rng_below) : pace_trouble(&s->pace, now, rng_below);

    if (!is_new)
        return STANDING_SAME;
    fill(&s->why, v,
         standing_is_throttle(v) && !recall_about_us(v->reason) ? REASON_RATE_LIMITED : v->reason);
    log_trouble(s, w);
    save(s);
    return others ? STANDING_CHANGED : STANDING_TROUBLE;
}

/* True when more is allowed now. */
static bool on_answer(struct standing *s, const struct standing_word *w)
{
    unsigned level = s->pace.level;

    if (!w->made_up) {
        s->recent = (s->recent << 1 | (w->verdict->reason == REASON_NO_MAILBOX)) &
                    ((UINT64_C(1) << STANDING_RECENT) - 1);
        if (s->recent_count < STANDING_RECENT)
            s->recent_count++;
    }
    pace_good(&s->pace, clock_mono_ms());
    if (breaker_answered(&s->breaker)) {
        log_info("%s takes us again", s->name);
        save(s);
    } else if (s->pace.level != level) {
        log_info("%s: level %u again", s->name, s->pace.level);
        save(s);
    }
    return s->pace.level != level;
}

enum standing_news standing_heard(struct standing *s, const struct standing_word *w)
{
    const struct verdict *v = w->verdict;
    enum standing_news news = STANDING_SAME;

    if (is_unreached(v))
        return ++s->unreached >= UNREACHED_TROUBLE ? on_trouble(s, w) : STANDING_SAME;
    s->unreached = 0;
    if (is_about_us(v))
        news = on_blocked(s, w);
    if (news == STANDING_SAME && standing_is_throttle(v))
        return on_trouble(s, w);
    if (v->evidence.stage == SMTP_STAGE_RCPT && v->evidence.code != 0 &&
        !recall_about_us(v->reason) && on_answer(s, w))
        return STANDING_CHANGED;
    return news;
}

void standing_ended(struct standing *s, unsigned recipients)
{
    s->per_connection = recipients;
    s->per_connection_until = clock_mono_ms() + ENDED_FOR;
}

unsigned standing_per_connection(const struct standing *s, unsigned limit)
{
    bool seen = s->per_connection != 0 && clock_mono_ms() < s->per_connection_until;

    if (seen && (limit == 0 || s->per_connection < limit))
        return s->per_connection;
    return limit != 0 ? limit : UINT_MAX;
}

void standing_unanswered(struct standing *s)
{
    if (s->breaker.state != BREAKER_TRIAL)
        return;
    breaker_unanswered(&s->breaker, clock_wall());
    save(s);
}

bool standing_may_go(struct standing *s)
{
    int64_t now = clock_mono_ms();

    return s->breaker.state != BREAKER_TRIAL && now >= s->bulk_until &&
           !pace_paused(&s->pace, now) && pace_is_full(&s->pace, now);
}
