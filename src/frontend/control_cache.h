/*
 * What the control API's resources of the cache share. For src/frontend/control*.c only.
 *
 * Threads: the front loop's only.
 */
#ifndef FRONTEND_CONTROL_CACHE_H
#define FRONTEND_CONTROL_CACHE_H

#include "cache/list.h"
#include "frontend/control_request.h"

/* Which entries are meant: address=A, domain=D or destination=NAME, no more than one of them;
   `filter` but for its tables. `params` is to be freed by evhttp_clear_headers() in any case.
   False, with what to say in err, for anything else, and for a parameter that is not among `known`
   (NULL ends them). */
bool control_cache_parameters(struct evhttp_request *rq, const char *const *known,
                              struct evkeyvalq *params, struct cache_filter *filter,
                              struct error *err);

#endif
