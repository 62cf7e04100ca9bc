#include "dns/registrable.h"

#include <libpsl.h>

#include "base/str.h"

bool registrable_domain(const char *host, char *out, size_t size)
{
    const psl_ctx_t *list = psl_builtin(); /* of the library: never freed */
    const char *domain = list != NULL ? psl_registrable_domain(list, host) : NULL;

    return domain != NULL && str_copy(out, size, domain);
}
