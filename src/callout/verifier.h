/*
 * THE entry: ask what is known of a recipient. Looks into the store, and where that is not enough
 * joins or starts a flight (one callout under way) on the engine loop.
 *
 * Threads: verifier_ask() from any thread; everything else from the thread that made the verifier.
 * The engine loop runs in a thread of the verifier's own.
 */
#ifndef CALLOUT_VERIFIER_H
#define CALLOUT_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "callout/gate_report.h"
#include "callout/greylist.h"
#include "callout/pace.h"
#include "callout/providers.h"
#include "callout/recall.h"
#include "callout/reply_rules.h"
#include "callout/route.h"
#include "callout/sources.h"
#include "callout/tally.h"
#include "callout/verdict.h"
#include "dns/mxlookup.h"
#include "dns/resolver.h"
#include "smtp/address.h"
#include "smtp/session.h"
#include "store/store.h"

/* Who goes first where a destination's limits make them wait. */
#define CALLOUT_PRIORITIES(X) \
    X(INTERACTIVE) /* somebody waits */ \
    X(REFRESH)     /* of what is known and getting old */ \
    X(REPROBE)     /* after greylisting */ \
    X(BULK)

enum callout_priority {
#define X(id) CALLOUT_##id,
    CALLOUT_PRIORITIES(X)
#undef X
        CALLOUT_PRIORITY_COUNT
};

/* A plain value; durations in milliseconds unless said otherwise. */
struct verifier_opts {
    struct session_opts session;
    char probe_sender[ADDRESS_TEXT_SIZE];          /* MAIL FROM; "" is the null sender */
    char probe_sender_fallback[ADDRESS_TEXT_SIZE]; /* where that is refused; "": there is none */
    unsigned catch_all_probes; /* made-up recipients asked about at a time, at most */
    struct mxlist_opts mx;
    struct resolver_opts resolver;
    uint16_t smtp_port;
    int64_t callout_ms;                              /* a whole callout, all candidates */
    struct lifetime lifetimes[VERDICT_STATUS_COUNT]; /* by enum verdict_status */
    struct lifetime routed_invalid;                  /* instead, of recipients with a route */
    int64_t confirm_invalid;    /* seconds; as `confirm` of struct recall_rules */
    struct route_table *routes; /* these three borrowed by the call they are given to; NULL: none */
    struct reply_rules *replies;
    struct providers *providers;
    struct pace_limits limits; /* of a destination that nobody profiled */
    unsigned total;            /* connections at most, of all destinations together */
    unsigned max_waiting;      /* waiters at most, all flights together */
    int64_t idle_ms;           /* that a session is kept for the next recipient; 0: not at all */
    struct greylist_opts greylist;
    struct sources_opts sources;
};

struct verifier;

struct verifier_request {
    const struct address *address; /* copied */
    int64_t wait_ms;               /* longest wait of this asker; <= 0: as long as the callout */
    uint64_t stale_ok;   /* set of reasons (1 << reason) that may be answered from a stale record */
    bool fresh;          /* do not answer from the store */
    bool no_probe;       /* store and DNS only: no SMTP connection is made */
    bool null_sender;    /* MAIL FROM:<> whatever `probe_sender` is. What comes of it is kept apart
                            where  that is another one */
    bool want_catch_all; /* find out, if it is not known, what the domain does with recipients that
                            do not exist; not of routed ones */
    bool bulk;           /* there are many of these: behind everybody else */
    bool trace;          /* collect the dialogue */
};

/* `trace`: the dialogue, lines ended by '\n', NULL unless asked for; valid during the call. */
typedef void (*verifier_cb)(void *arg, const struct verdict *v, const char *trace);

/* Starts the engine thread. `store` may be NULL: cacheless. It is borrowed and outlives *v. */
bool verifier_new(struct verifier **v, const struct verifier_opts *opts, struct store *store,
                  struct error *err);

/* New options for what starts from now on (SIGHUP). On failure the old ones stay. */
bool verifier_reconfigure(struct verifier *v, const struct verifier_opts *opts, struct error *err);

/*
 * True: *now is the answer and cb is never called. False: cb fires exactly once, later, on the loop
 * `on` (never inside this call); when `wait_ms` runs out first with deferred/pending, the callout
 * going on behind it. A `stale_ok` answer is given at once and refreshed in the background.
 */
bool verifier_ask(struct verifier *v, const struct verifier_request *rq, struct loop *on,
                  verifier_cb cb, void *arg, struct verdict *now);

/* The engine loop: for whoever watches that it lives. */
struct loop *verifier_loop(struct verifier *v);

struct verifier_counts {
    unsigned flights, sessions, waiters;
    unsigned greylisted; /* to be asked again after greylisting, or to confirm `no_mailbox` */
    struct tally_report tally;
};

/* What is under way now. Waits for the engine loop; from the thread that stops the verifier. */
struct verifier_counts verifier_count(struct verifier *v);

/*
 * The store was changed by somebody else than callouts, and that is committed: what is in memory of
 * this record, or of a domain (its facts, its re-probes, that it refuses us), is read from the
 * store again; of a destination, what domains heard there is forgotten, too. Both return at once;
 * any thread.
 */
void verifier_reread(struct verifier *v, enum store_table table, const void *key, size_t key_len);
void verifier_reread_domain(struct verifier *v, const char *domain);

#define VERIFIER_PROBLEMS_MAX 12
#define VERIFIER_PROBLEM_SIZE 512

/* What is wrong with how we are set up, with our network, or with how others see us, one line
   each. */
struct verifier_health {
    size_t count;
    char problems[VERIFIER_PROBLEMS_MAX][VERIFIER_PROBLEM_SIZE];
};

/* For a daemon, after verifier_new() and every verifier_reconfigure(): from now on it looks after
   that (callout/selfcheck), and makes the re-probes that are due (callout/reprobe). */
void verifier_serve(struct verifier *v);

/* As known by now. Like verifier_count(). */
void verifier_health(struct verifier *v, struct verifier_health *out);

/* Destinations where there is trouble, or somebody waits: at most so many of them. Returns how many
   there are. Like verifier_count(). */
#define VERIFIER_REPORTS_MAX 100
size_t verifier_trouble(struct verifier *v, struct gate_report out[VERIFIER_REPORTS_MAX]);

/*
 * Begins the end and returns: every waiter is answered at once, deferred/pending where there is no
 * answer about the recipient yet; sessions get their QUIT, for at most `grace_ms`. Later asks are
 * answered from the store, or deferred/pending. Answers on their way to other loops still have to
 * be run by those.
 */
void verifier_stop(struct verifier *v, int64_t grace_ms);

/*
 * Waits for the engine thread to end (and stops it, if that was not done). After it nothing more is
 * put into the store, which is then to be closed before verifier_free(). NULL is allowed.
 */
void verifier_join(struct verifier *v);

/* Joins, if that was not done, and frees. Sets *v to NULL; allowed twice. */
void verifier_free(struct verifier **v);

#endif
