/*
 * What is known beforehand of mail providers: who they are, what their 2yz is worth, and how much
 * they bear. It comes from providers.conf (conf/).
 *
 * Threads: any. A set is filled by one thread, and immutable from its second reference on; the last
 * providers_unref() frees it. Providers are borrowed from their set.
 */
#ifndef CALLOUT_PROVIDERS_H
#define CALLOUT_PROVIDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "callout/pattern.h"
#include "callout/verdict.h"

#define PROVIDERS_MAX 1000

/* What a 2yz at RCPT says. */
#define PROVIDER_WORTHS(X) \
    X(HONEST, "honest") /* the mailbox exists: no made-up recipient need be asked */ \
    X(MASKS, "masks")   /* nothing: `provider_masks` */ \
    X(VARIES, "varies") /* the mailbox exists, unless the domain accepts everything */

enum provider_worth {
#define X(id, name) PROVIDER_##id,
    PROVIDER_WORTHS(X)
#undef X
};

#define PROVIDER_QUIRKS(X) \
    X(LATE_REFUSAL, "late_refusal") /* refuses unknown users after DATA: a 2yz says nothing */ \
    X(SOFT_UNKNOWN, \
      "soft_unknown") /* 4yz for unknown users: a 4yz at RCPT cannot be waited out */ \
    X(ONE_RECIPIENT, "one_recipient") /* 452 for the second recipient of a transaction */

enum provider_quirk {
#define X(id, name) PROVIDER_QUIRK_##id,
    PROVIDER_QUIRKS(X)
#undef X
};

/* How much of it at once. 0: as configured for everybody. */
struct provider_limits {
    unsigned connections;
    unsigned per_connection;  /* recipients */
    unsigned per_transaction; /* recipients */
    unsigned rate_milli;      /* callouts in 1000 seconds */
    unsigned burst;
};

struct provider {
    char name[VERDICT_PROVIDER_SIZE]; /* [a-z0-9-]+; unique */
    enum provider_worth accepted;
    bool made_up;    /* recipients that do not exist may be asked about to learn what a 2yz says */
    unsigned quirks; /* set of 1 << enum provider_quirk */
    struct provider_limits limits;
};

struct providers;

/* An empty set with one reference; NULL when out of memory. */
struct providers *providers_new(void);
struct providers *providers_ref(struct providers *p);
void providers_unref(struct providers **p); /* sets *p to NULL; NULL is allowed */

/* Copied; NULL with err when the name is none or was given before. The caller goes on with the
   following two. */
struct provider *providers_add(struct providers *p, const struct provider *one, struct error *err);

/* "mx.example.com" is that host, "*.example.com" everything below. False with err when it is no
   host name, or was given before. */
bool providers_add_host(struct providers *p, struct provider *one, const char *host,
                        struct error *err);

/* Over the text of the greeting. Takes over the pattern, also when it fails. */
bool providers_add_greeting(struct providers *p, struct provider *one, struct pattern *pattern,
                            struct error *err);

/* By its name; NULL where there is none of it. A NULL set is empty, here and below. */
const struct provider *providers_find(const struct providers *p, const char *name);

/* Whose MX host this is: the name itself, else the longest "*.parent"; NULL where nobody's is
   known. `host` in any case, without a final dot. */
const struct provider *providers_of_host(const struct providers *p, const char *host);

/* Who greets like that, where the host's name does not tell; the first given. */
const struct provider *providers_of_greeting(const struct providers *p, const char *greeting);

bool provider_has(const struct provider *p, enum provider_quirk quirk); /* NULL has none */

#endif
