/*
 * What a domain does with recipients that do not exist: the test, step by step. Made-up recipients
 * are asked about, one after the other, until one is refused (selective) or as many as wanted are
 * accepted (accepts everything). Whatever else happens leaves it not known, and puts nothing aside
 * that is still known. What is learned is kept (callout/domain_fact).
 *
 * Threads: the engine loop's only; a part of its callout.
 */
#ifndef CALLOUT_CATCH_ALL_H
#define CALLOUT_CATCH_ALL_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/domain_fact.h"
#include "callout/keep.h"
#include "callout/probe.h"
#include "callout/recall.h"
#include "smtp/address.h"

struct catch_all {
    struct keep *keep;         /* borrowed */
    const char *domain;        /* borrowed */
    uint64_t host_set;         /* of its MX */
    struct lifetime known_for; /* what was found out */
    struct lifetime unknown_for;
    unsigned probes;          /* made-up recipients, at most */
    unsigned per_transaction; /* recipients, the real one included; 0: any number */
    unsigned asked, accepted; /* of the made-up ones */
    struct address made_up;   /* the one being asked about */
    struct domain_fact fact;  /* known, or learned; UNTESTED: neither */
};

/* Looks up what is known. The members up to `per_transaction` are the caller's. */
void catch_all_recall(struct catch_all *t);

/* Whether a test would tell anything new. */
bool catch_all_due(const struct catch_all *t);

/* The next made-up recipient. */
void catch_all_next(struct catch_all *t, struct probe_question *next);

/* How it was answered, `reason` being how that reads: true, and *next filled, for another one. */
bool catch_all_heard(struct catch_all *t, const struct outcome *o, enum verdict_reason reason,
                     const char *mx, struct probe_question *next);

/* A test was begun and did not come about. */
void catch_all_give_up(struct catch_all *t);

/* A recipient that does not exist was refused. A domain held to accept everything does not, then,
   and is to be tested again. */
void catch_all_contradict(struct catch_all *t, const struct outcome *o, const char *mx);

#endif
