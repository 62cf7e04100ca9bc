/*
 * dns/mxlist on the bench: one domain's list, its hosts' answers from text, the plan as text.
 */
#ifndef TESTS_MXLIST_RIG_H
#define TESTS_MXLIST_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "dns/mxlist.h"

/* What mxlist_hosts() and mxlist_plan() are given and fill. */
extern struct mxlist list;
extern struct mx_plan plan;
extern struct mxlist_opts opts;
extern struct netaddr own[4];
extern size_t own_count;
extern uint32_t (*random_fn)(uint32_t bound);

/* Leaves records as they are: nothing is ever swapped. */
uint32_t random_last(uint32_t bound);
uint32_t random_first(uint32_t bound);

struct netaddr address(const char *text);

/* A test's fixture: default options, records in the order given; the answers let go. */
void mxlist_setup(void);
void mxlist_teardown(void);

/* The hosts have no answers any more. */
void mxlist_unresolve(void);

struct dns_answer *answer_empty(enum dns_status status);

/* "10 mx1.test, 20 mx2.test"; "." is the root. */
struct dns_answer *answer_mx(const char *text);

/* Takes the MX answer; true when hosts are to be resolved. */
bool hosts_of(struct dns_answer *mx, uint32_t ttl);
struct mx_host *host(const char *name);

/* A host's addresses: "2001:db8::1 2001:db8::2", or the name of a status. */
void resolve_ttl(const char *name, const char *v6, uint32_t ttl6, const char *v4, uint32_t ttl4);
void resolve(const char *name, const char *v6, const char *v4);

/* The candidates as "pref name ip, ...". */
const char *planned(void);

/* The plan for one MX at these addresses. */
void one_mx(const char *v6, const char *v4);

#endif
