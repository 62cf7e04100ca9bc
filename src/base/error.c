#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

void error_set(struct error *e, const char *fmt, ...)
{
    va_list ap;

    if (e == NULL)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
}
