/*
 * Whether the DNS servers know the root. Every server that is connected to the world does; one that
 * denies all names, as before a login or when cut off, does not, and its "no" about a domain proves
 * nothing.
 *
 * Threads: the resolver's loop only.
 */
#ifndef DNS_ROOTCHECK_H
#define DNS_ROOTCHECK_H

#include <stdbool.h>

struct resolver;
struct root_check;

/* False too where no server answered: that is no proof either. */
typedef void (*root_check_cb)(void *arg, bool knows);

/*
 * Asks the servers, past our cache, for the name servers of the root. Joins a check that is under
 * way, so that what it proves may be older than this call: resolver_vouched() has it. The callback
 * fires exactly once, from the loop and never inside this call, unless cancelled. NULL only when
 * out of memory.
 */
struct root_check *root_check_start(struct resolver *r, root_check_cb cb, void *arg);

/* No callback any more. Sets *c to NULL; allowed on NULL, not once the callback has fired. */
void root_check_cancel(struct root_check **c);

#endif
