/*
 * The sections `route "domain" { ... }` into the route table.
 *
 * Threads: none.
 */
#ifndef CONF_ROUTES_H
#define CONF_ROUTES_H

#include "conf/load.h"

/* After all other options, for it looks at `local_domains`. Leaves the table in cfg->policy, and a
   reference of cfg's own in cfg->verifier. */
void load_routes(struct load *l);

#endif
