/*
 * The schedule of re-probes, after greylisting and to confirm: who is to be asked again, when, from
 * where and as whom. In memory ordered by time, and in the store (table `due`), so that it survives
 * restarts.
 *
 * Threads: the engine loop's only.
 */
#ifndef CALLOUT_SCHEDULE_H
#define CALLOUT_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netaddr.h"
#include "callout/record.h"
#include "smtp/address.h"
#include "store/store.h"

#define SCHEDULE_HELO_SIZE 256

/* A plain value; times in milliseconds since the epoch, never negative. */
struct schedule_entry {
    char recipient[ADDRESS_TEXT_SIZE]; /* as it goes on the wire, canonical form with its case */
    bool apart;                        /* see record_key() */
    bool null_sender, want_catch_all;  /* as it was asked */
    char sender[ADDRESS_TEXT_SIZE];    /* MAIL FROM, as it was said */
    char helo[SCHEDULE_HELO_SIZE];
    struct netaddr source; /* 0.0.0.0 or ::, the system's choice */
    int64_t first_at;      /* the first try */
    int64_t due;           /* of the next */
    int64_t last_due;      /* of the last one, if all before it fail */
    int64_t learned_ms;    /* by which its plan was made: callout/greylist */
    bool said_so;          /* the server said that it is greylisting, not only perhaps */
    bool confirm;          /* no greylisting: a `valid` that turned `no_mailbox` */
    unsigned step;         /* tries after the first that were made */
};

/* As the store has it: versioned, one encoding for each entry. Returns the length, or 0 when `size`
   is too small (SCHEDULE_ENTRY_SIZE_MAX always suffices) or a time is negative. */
#define SCHEDULE_ENTRY_SIZE_MAX 1024
size_t schedule_entry_encode(const struct schedule_entry *e, uint8_t *buf, size_t size);

/* False for anything that is not a whole, well-formed entry of a known version. */
bool schedule_entry_decode(const uint8_t *buf, size_t len, struct schedule_entry *out);

/* Until when the store keeps it, in seconds since the epoch. */
int64_t schedule_entry_expires(const struct schedule_entry *e);

struct schedule;

/* At most `max` entries. `store` is borrowed; NULL: in memory only. NULL: out of memory. */
struct schedule *schedule_new(struct store *store, size_t max);
void schedule_free(struct schedule **s); /* sets *s to NULL; NULL is allowed; the store keeps all */

/*
 * Reads what the store has, once, at the start; returns how many. What is overdue at `now_ms` is
 * put off so that it does not come all at once: spread evenly over `spread_ms` for each.
 */
size_t schedule_load(struct schedule *s, int64_t now_ms, int64_t spread_ms);

/* `key` is record_key() of the address. Replaces what is there. Among entries that are due at the
   same time the one that was put first comes first. False when there is no room, or no memory:
   logged at most once a minute; what was there stays. */
bool schedule_put(struct schedule *s, const uint8_t *key, size_t key_len,
                  const struct schedule_entry *e);

/* False when there is none. */
bool schedule_get(const struct schedule *s, const uint8_t *key, size_t key_len,
                  struct schedule_entry *out);

void schedule_remove(struct schedule *s, const uint8_t *key, size_t key_len);

/* The store was changed by somebody else: this one, or those of a domain, as it has them now. */
void schedule_reread(struct schedule *s, const uint8_t *key, size_t key_len, int64_t now_ms);
void schedule_reread_domain(struct schedule *s, const char *domain, int64_t now_ms);

/* When the next one is due; INT64_MAX for never. */
int64_t schedule_next(const struct schedule *s);

/*
 * The next one that is due at `now_ms`, if any. It stays, put off by `hold_ms`, so that it is not
 * given twice and not lost when nothing comes of it; in memory only.
 */
bool schedule_take(struct schedule *s, int64_t now_ms, int64_t hold_ms, struct schedule_entry *out);

size_t schedule_count(const struct schedule *s);

#endif
